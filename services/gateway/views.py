"""What callers see of a payment. Buyers see status and money; servers also charges, flags and ids."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from shared.messages import payments
from shared.messages.payments import PaymentSnapshot, Status

RefundState = Literal["requested", "pending", "succeeded", "failed"]  # as payments has it
RefundStatus = Literal["pending", "succeeded", "failed", "needs_attention"]


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """camelCase, every field always there."""


class Repeat(View, frozen=True, kw_only=True):
    """202: the command is accepted and not done yet. Repeat the same call."""

    order_id: str
    status: Literal["processing"] = "processing"
    repeat: Literal[True] = True
    retry_after_s: int = 1


class HistoryEntry(View, frozen=True, kw_only=True):
    at: datetime
    version: int
    status: Status
    detail: str
    event: str


class AmountsView(View, frozen=True, kw_only=True):
    """Minor units of the order's currency."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refund_pending: int = 0
    disputed: int = 0
    lost: int = 0
    net: int = 0


class RefundView(View, frozen=True, kw_only=True):
    """One refund, as its buyer may know it. `pending`: on its way, and it may still fail."""

    refund_id: str
    status: RefundStatus
    amount: int
    currency: str
    created_at: datetime


class PaymentView(View, frozen=True, kw_only=True):
    """One order's payment, as its buyer may know it."""

    order_id: str
    status: Status
    detail: str = ""
    version: int = 0
    amount: int | None = None
    currency: str | None = None
    amounts: AmountsView = AmountsView()
    provider: str | None = None
    can_retry: bool = True
    failure: str = ""
    closes_at: datetime | None = None
    paid_at: datetime | None = None
    updated_at: datetime | None = None
    refunds: tuple[RefundView, ...] = ()
    history: tuple[HistoryEntry, ...] = ()


class ChargeDetails(View, frozen=True, kw_only=True):
    charge_id: str
    provider: str
    account: str
    provider_order_id: str
    state: str
    amount: int
    currency: str
    at: datetime | None
    surplus: bool
    failure: str
    capture_before: datetime | None


class RefundDetails(RefundView, frozen=True, kw_only=True):
    """The same for servers. `needs_attention`: nobody knows whether the provider did it; a person looks.

    `origin`: `api`, `policy` (surplus or late money), or `provider` (made in the provider's dashboard).
    """

    order_id: str
    charge_id: str
    provider: str
    provider_refund_id: str | None
    origin: str
    reason: str
    failure: str


class DisputeDetails(View, frozen=True, kw_only=True):
    """One dispute. `respondBy`: the provider's deadline for evidence. `money`: whether we have it now."""

    dispute_id: str
    charge_id: str
    provider: str
    kind: str
    state: str
    money: str
    amount: int
    currency: str
    reason: str
    respond_by: datetime | None
    at: datetime | None


class PaymentDetails(PaymentView, frozen=True, kw_only=True):
    """The same for the shop's own servers. `captureBefore`: authorised money lapses then.

    `refundable`: of the capture that stands, neither given back, reserved nor disputed.
    """

    payment_id: str
    revision: int
    created_at: datetime
    account: str | None = None
    provider_order_id: str | None = None
    charge_id: str | None = None
    charges: tuple[ChargeDetails, ...] = ()
    refunds: tuple[RefundDetails, ...] = ()
    disputes: tuple[DisputeDetails, ...] = ()
    refundable: int = 0
    capture: Literal["automatic", "manual"] = "automatic"
    capture_before: datetime | None = None
    closed: str | None = None
    needs_attention: tuple[str, ...] = ()


_NOT_FOR_BUYERS = frozenset(
    {"PaymentFlagged", "FlagResolved", "DisputeOpened", "DisputeUpdated", "DisputeClosed"}
)


def for_buyer(snapshot: PaymentSnapshot, history: Sequence[HistoryEntry]) -> PaymentView:
    """Without charges, flags, disputes and our own ids; disputed money is not told from the rest."""
    refunds = tuple(_refund_for_buyer(r) for r in snapshot.refunds)
    view = msgspec.convert(_without_refunds(snapshot), PaymentView, from_attributes=True)
    told = tuple(entry for entry in history if entry.event not in _NOT_FOR_BUYERS)
    return msgspec.structs.replace(view, amounts=_amounts_for_buyer(view), refunds=refunds, history=told)


def _amounts_for_buyer(view: PaymentView) -> AmountsView:
    amounts = view.amounts
    return msgspec.structs.replace(amounts, disputed=0, lost=0, net=amounts.captured - amounts.refunded)


def for_server(snapshot: PaymentSnapshot, history: Sequence[HistoryEntry] = ()) -> PaymentDetails:
    refunds = tuple(refund_details(snapshot.order_id, r) for r in snapshot.refunds)
    view = msgspec.convert(_without_refunds(snapshot), PaymentDetails, from_attributes=True)
    waiting = [c.capture_before for c in snapshot.charges if c.state == "authorized" and c.capture_before]
    return msgspec.structs.replace(
        view, refunds=refunds, history=tuple(history), capture_before=min(waiting, default=None)
    )


def refund_details(order_id: str, refund: payments.RefundView) -> RefundDetails:
    """One refund of this order, for servers."""
    return RefundDetails(
        refund_id=refund.refund_id,
        order_id=order_id,
        charge_id=refund.charge_id,
        provider=refund.provider,
        provider_refund_id=refund.provider_refund_id,
        status=refund_status(refund.state, needs_attention=refund.needs_attention),
        amount=refund.amount,
        currency=refund.currency,
        origin=refund.origin,
        reason=refund.reason,
        failure=refund.failure,
        created_at=refund.created_at,
    )


def _refund_for_buyer(refund: payments.RefundView) -> RefundView:
    """Buyers do not see that a person has to look: for them it is on its way."""
    return RefundView(
        refund_id=refund.refund_id,
        status=refund_status(refund.state, needs_attention=False),
        amount=refund.amount,
        currency=refund.currency,
        created_at=refund.created_at,
    )


def refund_status(state: RefundState, *, needs_attention: bool) -> RefundStatus:
    """What callers are told: whether the provider has heard of a refund yet is our own affair."""
    if needs_attention:
        return "needs_attention"
    return "pending" if state == "requested" else state


def _without_refunds(snapshot: PaymentSnapshot) -> PaymentSnapshot:
    return msgspec.structs.replace(snapshot, refunds=())  # their states have other names for callers


def not_there_yet(order_id: str) -> PaymentView:
    """A valid token is ahead of us: the order is known to the shop, its first event is on its way."""
    return PaymentView(order_id=order_id, status="created")
