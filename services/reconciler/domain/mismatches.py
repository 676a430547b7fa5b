"""A mismatch's life: detected once per occurrence, resolved when a later run finds the books agree."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID, uuid5

from services.reconciler.domain.facts import DifferenceFound, DifferenceGone
from shared.decision import Decision, Outgoing
from shared.messages.payments import LookAgain
from shared.messages.reconciler import Leg, MismatchDetected, MismatchKind, MismatchResolved

NAMESPACE = UUID("6d0c7a52-7f0e-5f0e-9d59-2f3c3a1f5b11")  # ours; never changes, or every id would

# Differences that a look at the provider can settle: payments reads and applies its normal rules.
LOOKING_HELPS = frozenset[MismatchKind]({"missing_local", "missing_provider", "status"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One disagreement. It may come back: each time is an occurrence of the same id."""

    mismatch_id: str
    occurrence: int = 0
    open: bool = False
    provider: str = ""
    account: str = ""
    day: date = date.min
    kind: MismatchKind = "missing_local"
    subject: str = ""
    order_id: str | None = None
    legs: tuple[Leg, ...] = ()
    first_seen_at: datetime | None = None  # of the current occurrence
    run_id: str = ""  # the last run that saw it
    resolved_at: datetime | None = None


def mismatch_id(provider: str, account: str, kind: MismatchKind, subject: str) -> str:
    """The same disagreement has the same id in every run, on every day, after every rebuild."""
    return str(uuid5(NAMESPACE, f"mismatch/{provider}/{account}/{kind}/{subject}"))


def difference_found(known: Mismatch, fact: DifferenceFound, now: datetime) -> Decision[Mismatch]:
    """Announces a new occurrence; one that is open already is only noted as seen."""
    seen = replace(
        known,
        provider=fact.provider,
        account=fact.account,
        day=fact.day,
        kind=fact.kind,
        subject=fact.subject,
        order_id=fact.order_id or known.order_id,
        legs=fact.legs,
        run_id=fact.run_id,
    )
    if known.open:
        return Decision(seen)
    begun = replace(seen, occurrence=known.occurrence + 1, open=True, first_seen_at=now, resolved_at=None)
    return Decision(begun, events=(_detected(begun, now), *_look_again(begun, now)))


def difference_gone(known: Mismatch, fact: DifferenceGone, now: datetime) -> Decision[Mismatch]:  # noqa: ARG001 - its id found the mismatch
    """Announces the end of an occurrence, once."""
    if not known.open:
        return Decision(known, outcome="ignored")
    event = MismatchResolved(mismatch_id=known.mismatch_id, occurrence=known.occurrence, how="agreed")
    return Decision(
        replace(known, open=False, resolved_at=now),
        events=(Outgoing("reconciler.events", known.mismatch_id, event, now, 2 * known.occurrence),),
    )


def repair(mismatch: Mismatch) -> str:
    """What would settle it; empty when only a person can say."""
    return "look_again" if mismatch.kind in LOOKING_HELPS and mismatch.order_id else ""


def _detected(mismatch: Mismatch, now: datetime) -> Outgoing:
    event = MismatchDetected(
        mismatch_id=mismatch.mismatch_id,
        occurrence=mismatch.occurrence,
        provider=mismatch.provider,
        account=mismatch.account,
        kind=mismatch.kind,
        subject=mismatch.subject,
        order_id=mismatch.order_id,
        legs=mismatch.legs,
        first_seen_at=now,
        proposed_repair=repair(mismatch),
    )
    # Detected and resolved alternate, so the event's number follows from the occurrence.
    return Outgoing("reconciler.events", mismatch.mismatch_id, event, now, 2 * mismatch.occurrence - 1)


def _look_again(mismatch: Mismatch, now: datetime) -> tuple[Outgoing, ...]:
    """Looking moves no money and is asked once per occurrence, so it needs no approval."""
    if repair(mismatch) != "look_again" or mismatch.order_id is None:
        return ()
    command = LookAgain(
        order_id=mismatch.order_id, reason=f"reconciliation: {mismatch.kind} {mismatch.subject}"
    )
    return (Outgoing("payments.commands", mismatch.order_id, command, now),)
