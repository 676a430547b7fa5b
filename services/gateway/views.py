"""What callers see of a payment. Buyers see status and money; servers also charges, flags and ids."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from shared.messages.payments import PaymentSnapshot, Status


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


class PaymentDetails(PaymentView, frozen=True, kw_only=True):
    """The same for the shop's own servers."""

    payment_id: str
    revision: int
    created_at: datetime
    account: str | None = None
    provider_order_id: str | None = None
    charge_id: str | None = None
    charges: tuple[ChargeDetails, ...] = ()
    closed: str | None = None
    needs_attention: tuple[str, ...] = ()


_NOT_FOR_BUYERS = frozenset({"PaymentFlagged"})


def for_buyer(snapshot: PaymentSnapshot, history: Sequence[HistoryEntry]) -> PaymentView:
    """Without charges, flags and our own ids."""
    view = msgspec.convert(snapshot, PaymentView, from_attributes=True)
    told = tuple(entry for entry in history if entry.event not in _NOT_FOR_BUYERS)
    return msgspec.structs.replace(view, history=told)


def for_server(snapshot: PaymentSnapshot, history: Sequence[HistoryEntry] = ()) -> PaymentDetails:
    view = msgspec.convert(snapshot, PaymentDetails, from_attributes=True)
    return msgspec.structs.replace(view, history=tuple(history))


def not_there_yet(order_id: str) -> PaymentView:
    """A valid token is ahead of us: the order is known to the shop, its first event is on its way."""
    return PaymentView(order_id=order_id, status="created")
