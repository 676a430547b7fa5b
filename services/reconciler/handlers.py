"""Which message goes to which decider, per topic or kind of aggregate."""

from datetime import datetime

from services.reconciler.domain import mismatches, runs
from services.reconciler.domain.book import Checkpoint, OrderBook, on_ledger_checkpoint, on_payment_event
from services.reconciler.domain.facts import DifferenceFound, DifferenceGone, Rechecked, WindowCompared
from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.runs import Window
from services.reconciler.store.book import BookState
from services.reconciler.store.commands import CommandState
from shared.decision import Decision
from shared.inbox import Incoming
from shared.messages.payments import LedgerCheckpoint, PaymentEvent
from shared.messages.reconciler import AcceptMismatch, ApproveRepair, RunReconciliation


def decide_book(state: BookState, incoming: Incoming, now: datetime) -> Decision[BookState]:  # noqa: ARG001 - the book knows no clock
    """The projection of `payments.events`."""
    match state, incoming.message:
        case OrderBook(), PaymentEvent(payment=payment):
            book = on_payment_event(state, payment)
            return Decision(book.state, outcome=book.outcome)
        case Checkpoint(), LedgerCheckpoint() as event:
            checkpoint = on_ledger_checkpoint(state, event)
            return Decision(checkpoint.state, outcome=checkpoint.outcome)
    raise TypeError(f"no rule for {type(incoming.message).__name__} on {type(state).__name__}")


def decide_window(state: Window, incoming: Incoming, now: datetime) -> Decision[Window]:
    """Requests for runs, and their ends."""
    match incoming.message:
        case RunReconciliation():
            return runs.run_reconciliation(state, now)
        case WindowCompared() as fact:
            return runs.window_compared(state, fact, now)
    raise TypeError(f"no rule for {type(incoming.message).__name__}")


def decide_mismatch(state: Mismatch, incoming: Incoming, now: datetime) -> Decision[Mismatch]:
    """What a run saw, what it no longer saw, and what a person says."""
    asker = incoming.envelope.correlationid
    match incoming.message:
        case DifferenceFound() as fact:
            return mismatches.difference_found(state, fact, now)
        case DifferenceGone() as fact:
            return mismatches.difference_gone(state, fact, now)
        case Rechecked() as fact:
            return mismatches.rechecked(state, fact, now)
        case AcceptMismatch() as command:
            return mismatches.accept_mismatch(state, command, now, asker)
        case ApproveRepair() as command:
            return mismatches.approve_repair(state, command, now, asker)
    raise TypeError(f"no rule for {type(incoming.message).__name__}")


def decide_command(state: CommandState, incoming: Incoming, now: datetime) -> Decision[CommandState]:
    """`reconciler.commands`: about runs and about mismatches."""
    if isinstance(state, Window):
        return _widened(decide_window(state, incoming, now))
    return _widened(decide_mismatch(state, incoming, now))


def _widened(decision: Decision[Window] | Decision[Mismatch]) -> Decision[CommandState]:
    return Decision(
        decision.state, decision.events, decision.tasks, decision.dropped, decision.answers, decision.outcome
    )
