"""Which message goes to which decider, per topic or kind of aggregate."""

from datetime import datetime

from services.reconciler.domain import mismatches, runs
from services.reconciler.domain.book import Checkpoint, OrderBook, on_ledger_checkpoint, on_payment_event
from services.reconciler.domain.facts import DayCompared, DifferenceFound, DifferenceGone
from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.runs import ProviderDay
from services.reconciler.store.book import BookState
from shared.decision import Decision
from shared.inbox import Incoming
from shared.messages.payments import LedgerCheckpoint, PaymentEvent
from shared.messages.reconciler import RunReconciliation


def decide_book(state: BookState, incoming: Incoming, now: datetime) -> Decision[BookState]:  # noqa: ARG001 - the book knows no clock
    """The projection of `payments.events`."""
    match state, incoming.message:
        case OrderBook(), PaymentEvent(payment=payment):
            return _widened(on_payment_event(state, payment))
        case Checkpoint(), LedgerCheckpoint() as event:
            return _widened(on_ledger_checkpoint(state, event))
    raise TypeError(f"no rule for {type(incoming.message).__name__} on {type(state).__name__}")


def _widened(decision: Decision[OrderBook] | Decision[Checkpoint]) -> Decision[BookState]:
    return Decision(decision.state, outcome=decision.outcome)


def decide_day(state: ProviderDay, incoming: Incoming, now: datetime) -> Decision[ProviderDay]:
    """Requests for runs, and their ends."""
    match incoming.message:
        case RunReconciliation() as command:
            return runs.run_reconciliation(state, command, now)
        case DayCompared() as fact:
            return runs.day_compared(state, fact, now)
    raise TypeError(f"no rule for {type(incoming.message).__name__}")


def decide_mismatch(state: Mismatch, incoming: Incoming, now: datetime) -> Decision[Mismatch]:
    """What a run saw, and what it no longer saw."""
    match incoming.message:
        case DifferenceFound() as fact:
            return mismatches.difference_found(state, fact, now)
        case DifferenceGone() as fact:
            return mismatches.difference_gone(state, fact, now)
    raise TypeError(f"no rule for {type(incoming.message).__name__}")
