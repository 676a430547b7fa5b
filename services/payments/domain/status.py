"""Status is a pure function of decisions and facts, and moves only as the table says.

The table is written once, here: the database's CHECK, docs/states.md and the property tests come from it.
"""

from typing import NamedTuple

from services.payments.domain.amounts import refunded
from services.payments.domain.state import Attempt, Charge, Payment
from shared.messages.payments import Status


class Transition(NamedTuple):
    source: Status
    target: Status
    cause: str


TRANSITIONS = (
    Transition("created", "pending_payment", "the provider opened an attempt"),
    Transition("created", "processing", "an attempt's answer is missing, or money was seen before it"),
    Transition("created", "paid", "the capture was heard before the attempt's own answer"),
    Transition("created", "failed", "cancelled or expired without an attempt, or declined before its answer"),
    Transition("pending_payment", "processing", "the buyer came back, or money may be moving"),
    Transition("pending_payment", "paid", "captured"),
    Transition("pending_payment", "failed", "declined, expired or cancelled"),
    Transition("processing", "created", "the provider refused an attempt whose answer was missing"),
    Transition("processing", "pending_payment", "a read showed that nothing is under way"),
    Transition("processing", "paid", "captured"),
    Transition("processing", "failed", "declined, lapsed, expired or cancelled"),
    Transition("failed", "pending_payment", "tried again with a new attempt"),
    Transition("failed", "processing", "tried again, or authorised late"),
    Transition("failed", "paid", "captured by a retry, or late"),
    Transition("paid", "partially_refunded", "a part was refunded"),
    Transition("paid", "refunded", "all was refunded"),
    Transition("partially_refunded", "refunded", "the rest was refunded"),
    Transition("partially_refunded", "paid", "the refund failed later"),
    Transition("refunded", "partially_refunded", "one of several refunds failed later"),
    Transition("refunded", "paid", "the refund failed later"),
)

ALLOWED = frozenset((t.source, t.target) for t in TRANSITIONS)

# Which transitions may come out differently when a fact is moved across one of our own decisions.
CROSSING = {
    ("cancel", "capture"): "capture first: paid, the cancel is flagged; cancel first: closed, then paid late",
    ("expiry", "capture"): "capture first: paid; expiry first: closed, then paid late and flagged",
    (
        "supersede",
        "capture",
    ): "capture first: paid, no switch; switch first: paid, and a second capture goes back",
}


def status_of(payment: Payment) -> tuple[Status, str]:  # noqa: PLR0911 - one line per row of the table
    """(status, detail) of this state of affairs."""
    if payment.standing is not None:
        return _status_of_paid(payment, payment.standing)
    if payment.closed is not None:
        return "failed", payment.closed
    if any(c.state == "authorized" and payment.fits(c) for c in payment.charges):
        return "processing", "authorized"
    attempt = payment.current
    if attempt is None:
        return "created", ""
    if attempt.state in ("unanswered", "abandoned"):
        return "processing", "unknown"
    if attempt.capturing:
        return "processing", "provider_pending"
    if attempt.verifying:
        return "processing", "verifying"
    return _status_of_attempt(payment, attempt)


def _status_of_paid(payment: Payment, standing: Charge) -> tuple[Status, str]:
    back = refunded(payment, standing)
    if back == 0:
        return "paid", ""
    return ("refunded" if back >= standing.amount else "partially_refunded"), ""


def _status_of_attempt(payment: Payment, attempt: Attempt) -> tuple[Status, str]:
    """With nothing authorised or captured anywhere, only the newest attempt counts."""
    states = {c.state for c in payment.charges_of(attempt) if payment.fits(c)}
    if "pending" in states:
        return "processing", "provider_pending"
    if "failed" in states:
        return "failed", "declined"
    if "lapsed" in states:
        return "failed", "authorization_lapsed"
    if attempt.state == "expired":
        return "failed", "expired"
    return "pending_payment", "awaiting_buyer"


def may_move(before: Payment, after: Payment) -> bool:
    """Whether the table allows this step. A first capture and its refunds may be learned at once."""
    pair = (before.status, after.status)
    if before.status == after.status or pair in ALLOWED:
        return True
    first_capture = before.standing is None and after.standing is not None
    return first_capture and (before.status, "paid") in ALLOWED and ("paid", after.status) in ALLOWED


def reachable() -> frozenset[tuple[Status, Status]]:
    """Every (before, after) that a batch may save: it can hold several steps, never a forbidden one."""
    pairs = set(ALLOWED) | {(s, s) for pair in ALLOWED for s in pair}
    while True:
        more = {(a, d) for a, b in pairs for c, d in ALLOWED if b == c} - pairs
        if not more:
            return frozenset(pairs)
        pairs |= more
