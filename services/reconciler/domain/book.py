"""Our side of the book: what `payments.events` says of each order's charges, refunds and disputes.

The same events in any order, and repeated, give the same book: the records are those of the highest
version, and the provider's orders are all that any version named.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.decision import Decision
from shared.messages.facts import ChargeState
from shared.messages.payments import LedgerCheckpoint, PaymentSnapshot, RefundView

BY_HAND = "hand"  # the provider's name on a charge that a person marked; no provider knows it
ON_ITS_WAY_BACK = ("requested", "pending", "succeeded")


@dataclass(frozen=True, slots=True)
class Charge:
    """One payment at a provider as we know it; `amount` in minor units.

    `at` is when the provider says it was made, or when we took the order: it only says which day's run
    looks at it first. `returned`: refunded, or on its way back. `marked_by`: who marked it by hand and why;
    then `account` is the source.
    """

    provider: str
    account: str
    charge_id: str
    provider_order_id: str
    state: ChargeState
    amount: int
    currency: str
    surplus: bool
    at: datetime
    returned: int = 0
    marked_by: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of ours. `subject` is the provider's id of it, ours until it has one."""

    provider: str
    account: str
    refund_id: str
    subject: str
    charge_id: str
    provider_order_id: str
    state: str
    amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute as we know it. `money`: none, withdrawn or reinstated."""

    provider: str
    account: str
    dispute_id: str
    charge_id: str
    provider_order_id: str
    state: str
    money: str
    amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProviderOrder:
    """A provider's order that was opened for one of ours."""

    provider: str
    account: str
    provider_order_id: str


@dataclass(frozen=True, slots=True)
class OrderBook:
    """One order. The records are what this batch adds; the store holds the rest.

    `paid`: a capture stands. `closed`: no payment is expected any more.
    """

    order_id: str
    version: int = 0
    amount: int = 0
    currency: str = ""
    paid: bool = False
    closed: bool = False
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    opened: frozenset[ProviderOrder] = frozenset()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All events of one partition up to `until` are in the book."""

    partition: int
    until: datetime | None = None


def on_payment_event(book: OrderBook, payment: PaymentSnapshot) -> Decision[OrderBook]:
    """Takes the records when the snapshot is newer, and its provider orders in any case."""
    opened = book.opened | _opened(payment)
    if payment.version > book.version:
        newer = OrderBook(
            order_id=book.order_id,
            version=payment.version,
            amount=payment.amount,
            currency=payment.currency,
            paid=payment.charge_id is not None,
            closed=payment.closed is not None,
            charges=_charges(payment),
            refunds=_refunds(payment),
            disputes=_disputes(payment),
            opened=opened,
        )
        return Decision(newer)
    if opened != book.opened:
        return Decision(_with_opened(book, opened), outcome="ignored")
    return Decision(book, outcome="ignored")


def on_ledger_checkpoint(checkpoint: Checkpoint, event: LedgerCheckpoint) -> Decision[Checkpoint]:
    """Moves forward only."""
    if checkpoint.until is not None and event.until <= checkpoint.until:
        return Decision(checkpoint, outcome="ignored")
    return Decision(Checkpoint(checkpoint.partition, event.until))


def _with_opened(book: OrderBook, opened: frozenset[ProviderOrder]) -> OrderBook:
    return OrderBook(
        book.order_id, book.version, book.amount, book.currency, book.paid, book.closed, book.charges,
        book.refunds, book.disputes, opened,
    )  # fmt: skip


def _charges(payment: PaymentSnapshot) -> tuple[Charge, ...]:
    return tuple(
        Charge(
            provider=view.provider,
            account=view.account,
            charge_id=view.charge_id,
            provider_order_id=view.provider_order_id,
            state=view.state,
            amount=view.amount,
            currency=view.currency,
            surplus=view.surplus,
            at=view.at or payment.created_at,
            returned=sum(r.amount for r in payment.refunds if _returns(r, view.provider, view.charge_id)),
            marked_by=view.by,
        )
        for view in payment.charges
    )


def _returns(refund: RefundView, provider: str, charge_id: str) -> bool:
    return (refund.provider, refund.charge_id) == (provider, charge_id) and refund.state in ON_ITS_WAY_BACK


def _refunds(payment: PaymentSnapshot) -> tuple[Refund, ...]:
    homes = _homes(payment)
    return tuple(
        Refund(
            provider=view.provider,
            account=homes.get((view.provider, view.charge_id), _home(payment))[0],
            refund_id=view.refund_id,
            subject=view.provider_refund_id or view.refund_id,
            charge_id=view.charge_id,
            provider_order_id=homes.get((view.provider, view.charge_id), _home(payment))[1],
            state=view.state,
            amount=view.amount,
            currency=view.currency,
            at=view.created_at,
        )
        for view in payment.refunds
    )


def _disputes(payment: PaymentSnapshot) -> tuple[Dispute, ...]:
    homes = _homes(payment)
    return tuple(
        Dispute(
            provider=view.provider,
            account=homes.get((view.provider, view.charge_id), _home(payment))[0],
            dispute_id=view.dispute_id,
            charge_id=view.charge_id,
            provider_order_id=homes.get((view.provider, view.charge_id), _home(payment))[1],
            state=view.state,
            money=view.money,
            amount=view.amount,
            currency=view.currency,
            at=view.at or payment.created_at,
        )
        for view in payment.disputes
    )


def _homes(payment: PaymentSnapshot) -> dict[tuple[str, str], tuple[str, str]]:
    """(account, provider order) of each charge: refunds and disputes name their charge alone."""
    return {(c.provider, c.charge_id): (c.account, c.provider_order_id) for c in payment.charges}


def _home(payment: PaymentSnapshot) -> tuple[str, str]:
    """Where to look for what hangs under a charge that we have never seen."""
    return payment.account or "", payment.provider_order_id or ""


def _opened(payment: PaymentSnapshot) -> frozenset[ProviderOrder]:
    named = {
        ProviderOrder(view.provider, view.account, view.provider_order_id)
        for view in payment.charges
        if view.provider_order_id
    }
    if payment.provider and payment.account and payment.provider_order_id:
        named.add(ProviderOrder(payment.provider, payment.account, payment.provider_order_id))
    return frozenset(named)
