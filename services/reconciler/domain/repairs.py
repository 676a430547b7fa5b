"""What would mend a mismatch, in a command and in words; and how much it matters."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from services.reconciler.domain.money import plain
from shared.messages.reconciler import Leg, MismatchKind, Severity
from shared.money import exponent

Command = Literal["look_again", "refund_payment", ""]

HIGH, MEDIUM = 1_000, 100  # whole units of the currency; who sells dearer sees more of them, none too few
OLD, STALE = timedelta(days=7), timedelta(days=1)


class Repair(msgspec.Struct, frozen=True):
    """`command` goes to payments; empty when nothing that we could send would help."""

    command: Command
    needs_approval: bool
    words: str


# What a look at the provider can settle: payments reads, and its normal rules do the rest. No money moves
# but what those rules move for a webhook as well.
_LOOK = {
    "missing_local": "we never heard of it: payments reads the provider's order and takes it in",
    "missing_provider": "payments reads the provider's order again; if the payment stays unknown there, a "
    "person has to find out where our record came from, then accept this with a reason",
    "status": "payments reads the provider's order again and takes the state over",
    "late_success": "the money came after the order was closed: payments reads the provider's order, then "
    "reopens it or gives the money back, as its policy says",
    "refund": "payments reads the provider's order with its refunds and takes them over",
    "dispute": "payments reads the provider's order with its disputes and takes them over",
}
_NOBODY = {
    "fee": "nothing can be sent: ask the provider why its fee is not what it said",
    "unsettled": "nothing can be sent: it closes with the settlement; ask the provider where the money is",
}


def repair(
    kind: MismatchKind,
    subject: str,
    order_id: str | None,
    legs: tuple[Leg, ...],
    returns: int = 0,
) -> Repair:
    """What is proposed. `returns`: how much of a capture would have to go back, when that would mend it."""
    sides = {leg.side: leg for leg in legs}
    ours, theirs = sides.get("ours"), sides.get("provider")
    if kind in _NOBODY:
        return _nothing(_NOBODY[kind])
    if order_id is None:
        return _nothing(
            "no order of ours belongs to it: look it up there; if nobody ordered it, refund it there"
        )
    if returns and ours is not None:
        back = plain(returns, ours.currency)
        words = f"gives {back} {ours.currency} of {subject} (order {order_id}) back to the buyer: money moves"
        return Repair("refund_payment", needs_approval=True, words=words)
    if kind not in _LOOK or ("settlement" in sides and ours and theirs and _agree(ours, theirs)):
        return _nothing(
            "the settlement says something else than we and the provider's own records do: ask the provider"
        )
    return Repair("look_again", needs_approval=False, words=_LOOK[kind])


def looked_in_vain(proposal: Repair, looks: int) -> Repair:
    """A look that did not help so often is no longer sent by itself."""
    if proposal.command != "look_again":
        return proposal
    words = (
        f"{looks} looks have not mended it, so a person has to find out why: then accept it with a reason, "
        "or approve one more look, which only reads"
    )
    return Repair("look_again", needs_approval=True, words=words)


def _nothing(words: str) -> Repair:
    return Repair("", needs_approval=False, words=f"{words}, then accept with a reason")


def _agree(ours: Leg, theirs: Leg) -> bool:
    return (ours.state, ours.amount, ours.currency) == (theirs.state, theirs.amount, theirs.currency)


def severity(amount: int, currency: str, first_seen_at: datetime, now: datetime) -> Severity:
    """By amount and age: much money, or any that nobody has cared about for a week, is high."""
    whole = abs(amount) // 10 ** (exponent(currency) if currency else 2)
    age = now - first_seen_at
    if whole >= HIGH or age >= OLD:
        return "high"
    return "medium" if whole >= MEDIUM or age >= STALE else "low"
