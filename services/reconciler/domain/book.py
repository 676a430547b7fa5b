"""Our side of the book: what `payments.events` says of each order's charges.

The same events in any order, and repeated, give the same book: charges are those of the highest version,
and the provider's orders are all that any version named.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.decision import Decision
from shared.messages.facts import ChargeState
from shared.messages.payments import LedgerCheckpoint, PaymentSnapshot


@dataclass(frozen=True, slots=True)
class Charge:
    """One payment at a provider as we know it; `amount` in minor units.

    `at` is when the provider says it was made, or when we took the order: it only says which day's run
    looks at it first.
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


@dataclass(frozen=True, slots=True)
class ProviderOrder:
    """A provider's order that was opened for one of ours."""

    provider: str
    account: str
    provider_order_id: str


@dataclass(frozen=True, slots=True)
class OrderBook:
    """One order. `charges` and `opened` are what this batch adds; the store holds the rest."""

    order_id: str
    version: int = 0
    charges: tuple[Charge, ...] = ()
    opened: frozenset[ProviderOrder] = frozenset()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All events of one partition up to `until` are in the book."""

    partition: int
    until: datetime | None = None


def on_payment_event(book: OrderBook, payment: PaymentSnapshot) -> Decision[OrderBook]:
    """Takes the charges when the snapshot is newer, and its provider orders in any case."""
    opened = book.opened | _opened(payment)
    if payment.version > book.version:
        return Decision(OrderBook(book.order_id, payment.version, _charges(payment), opened))
    if opened != book.opened:
        return Decision(OrderBook(book.order_id, book.version, book.charges, opened), outcome="ignored")
    return Decision(book, outcome="ignored")


def on_ledger_checkpoint(checkpoint: Checkpoint, event: LedgerCheckpoint) -> Decision[Checkpoint]:
    """Moves forward only."""
    if checkpoint.until is not None and event.until <= checkpoint.until:
        return Decision(checkpoint, outcome="ignored")
    return Decision(Checkpoint(checkpoint.partition, event.until))


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
        )
        for view in payment.charges
    )


def _opened(payment: PaymentSnapshot) -> frozenset[ProviderOrder]:
    named = {
        ProviderOrder(view.provider, view.account, view.provider_order_id)
        for view in payment.charges
        if view.provider_order_id
    }
    if payment.provider and payment.account and payment.provider_order_id:
        named.add(ProviderOrder(payment.provider, payment.account, payment.provider_order_id))
    return frozenset(named)
