"""A mismatch's life: opened, repair proposed, then resolved by agreement or accepted by a person."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Literal
from uuid import UUID, uuid5

from services.reconciler.domain.facts import DifferenceFound, DifferenceGone, Rechecked
from services.reconciler.domain.items import Object
from services.reconciler.domain.repairs import Repair, looked_in_vain, repair, severity
from shared.decision import Answer, Decision, Outgoing, Task
from shared.messages.base import Command, IdempotencyKey
from shared.messages.payments import LookAgain, RefundPayment
from shared.messages.reconciler import (
    AcceptMismatch,
    ApproveRepair,
    Leg,
    MismatchDetected,
    MismatchKind,
    MismatchResolved,
)

NAMESPACE = UUID("6d0c7a52-7f0e-5f0e-9d59-2f3c3a1f5b11")  # ours; never changes, or every id would
RECHECK = "recheck"  # the task that compares one mismatch again, soon after a repair was sent

# After each look that nobody asked for the next one waits longer, and after the last a person decides: what
# no look mends, or what comes back after each, is no missed webhook.
PAUSES = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=16), timedelta(hours=64))
LOOKS_MAX = len(PAUSES)
FORGOTTEN = timedelta(days=30)  # what comes back after so long is another story

What = Literal["detected", "proposed", "sent", "approved", "accepted", "agreed"]
Evidence = tuple[int, str, tuple[tuple[str, str, int | None], ...]]


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the audit trail."""

    occurrence: int
    what: What
    at: datetime
    person: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One disagreement. It may come back: each time is an occurrence of the same id.

    `amount` is the money in question, `returns` how much of a capture would have to go back, `at` when the
    thing it is about was made, `how` the last occurrence ended. `looks` counts the looks that nobody asked
    for, over occurrences, and is one above `LOOKS_MAX` once the last was in vain. `notes` are this decision's
    lines of the audit trail; the store has the others.
    """

    mismatch_id: str
    occurrence: int = 0
    open: bool = False
    provider: str = ""
    account: str = ""
    day: date = date.min
    kind: MismatchKind = "missing_local"
    object: Object = "charge"
    subject: str = ""
    order_id: str | None = None
    charge_id: str = ""
    amount: int = 0
    currency: str = ""
    at: datetime | None = None
    legs: tuple[Leg, ...] = ()
    returns: int = 0
    first_seen_at: datetime | None = None  # of the current occurrence
    last_seen_at: datetime | None = None
    run_id: str = ""  # the last run that saw it
    approved_at: datetime | None = None
    looks: int = 0
    looked_at: datetime | None = None
    how: Literal["", "agreed", "accepted"] = ""
    person: str = ""
    reason: str = ""
    resolved_at: datetime | None = None
    notes: tuple[Note, ...] = ()

    @property
    def evidence(self) -> Evidence:
        """What a person accepts: the difference itself, not what settlements add to it later."""
        said = ((x.side, x.state, x.amount) for x in self.legs if x.side != "settlement")
        return self.amount, self.currency, tuple(said)

    @property
    def repair(self) -> Repair:
        proposal = repair(self.kind, self.subject, self.order_id, self.legs, self.returns)
        return looked_in_vain(proposal, LOOKS_MAX) if self.looks > LOOKS_MAX else proposal


def mismatch_id(provider: str, account: str, kind: MismatchKind, subject: str) -> str:
    """The same disagreement has the same id in every run, on every day, after every rebuild."""
    return str(uuid5(NAMESPACE, f"mismatch/{provider}/{account}/{kind}/{subject}"))


def difference_found(known: Mismatch, fact: DifferenceFound, now: datetime) -> Decision[Mismatch]:
    """Announces a new occurrence; one that is open, or accepted just so, is only noted as seen."""
    seen = _seen(known, fact, now)
    if known.open:
        return _looking(seen, now)
    if known.how == "accepted" and known.evidence == seen.evidence:
        return Decision(replace(known, last_seen_at=now, run_id=fact.run_id, notes=()))
    begun = replace(
        seen,
        occurrence=known.occurrence + 1,
        open=True,
        first_seen_at=now,
        approved_at=None,
        looks=0 if known.looked_at is None or now - known.looked_at >= FORGOTTEN else known.looks,
        how="",
        person="",
        reason="",
        resolved_at=None,
    )
    proposal = begun.repair
    notes = (
        Note(begun.occurrence, "detected", now, text=fact.difference.kind),
        Note(begun.occurrence, "proposed", now, text=proposal.words),
    )
    looking = _looking(replace(begun, notes=notes), now)
    return Decision(
        looking.state, events=(_detected(begun, proposal, now), *looking.events), tasks=looking.tasks
    )


def _looking(known: Mismatch, now: datetime) -> Decision[Mismatch]:
    """Sends the look that mends it, unless one was sent so lately, or so often, that it waits."""
    proposal = known.repair
    if proposal.command != "look_again" or proposal.needs_approval:
        return Decision(known)
    if known.looks and known.looked_at is not None and now < known.looked_at + PAUSES[known.looks - 1]:
        return Decision(known)
    more = replace(known, looks=known.looks + 1)
    if more.looks > LOOKS_MAX:
        return Decision(_noted(more, Note(known.occurrence, "proposed", now, text=more.repair.words)))
    sent = _noted(replace(more, looked_at=now), Note(known.occurrence, "sent", now, text="look_again"))
    return Decision(sent, events=(_command(known, proposal, "", now),), tasks=(_recheck(known),))


def _noted(known: Mismatch, note: Note) -> Mismatch:
    return replace(known, notes=(*known.notes, note))


def difference_gone(known: Mismatch, fact: DifferenceGone, now: datetime) -> Decision[Mismatch]:  # noqa: ARG001 - its id found the mismatch
    """Announces the end of an occurrence, once. What was accepted may from now on come back."""
    if known.how == "accepted" and not known.open:
        return Decision(replace(known, how="agreed", notes=()))
    if not known.open:
        return Decision(known, outcome="ignored")
    note = Note(known.occurrence, "agreed", now)
    ended = replace(known, open=False, how="agreed", resolved_at=now, notes=(note,))
    return Decision(ended, events=(_resolved(ended, now),))


def rechecked(known: Mismatch, fact: Rechecked, now: datetime) -> Decision[Mismatch]:  # noqa: ARG001 - it only ends a task
    """The next run goes on."""
    return Decision(known, outcome="ignored")


def accept_mismatch(
    known: Mismatch, command: AcceptMismatch, now: datetime, asker: str | None
) -> Decision[Mismatch]:
    """Ends the occurrence because a person says so; refused when it is not the open one."""
    if not (command.person.strip() and command.reason.strip()):
        return _refused(known, asker, "invalid-field", "person and reason must be given")
    if not known.open or known.occurrence != command.occurrence:
        return _not_open(known, asker)
    person, reason = command.person[:100], command.reason[:300]
    note = Note(known.occurrence, "accepted", now, person, reason)
    ended = replace(
        known, open=False, how="accepted", person=person, reason=reason, resolved_at=now, notes=(note,)
    )
    return Decision(ended, events=(_resolved(ended, now),), answers=_yes(asker))


def approve_repair(
    known: Mismatch, command: ApproveRepair, now: datetime, asker: str | None
) -> Decision[Mismatch]:
    """Sends the proposed command, once for what moves money; the order's own rules may still refuse it."""
    proposal = known.repair
    if not command.person.strip():
        return _refused(known, asker, "invalid-field", "a person must be given")
    if not known.open or known.occurrence != command.occurrence:
        return _not_open(known, asker)
    if not proposal.command:
        return _refused(known, asker, "nothing-to-approve", proposal.words)
    if known.approved_at is not None and proposal.command == "refund_payment":
        return Decision(known, answers=_yes(asker))
    person = command.person[:100]
    notes = (
        Note(known.occurrence, "approved", now, person, command.reason[:300]),
        Note(known.occurrence, "sent", now, person, proposal.command),
    )
    return Decision(
        replace(known, approved_at=now, notes=notes),
        events=(_command(known, proposal, person, now),),
        tasks=(_recheck(known),),
        answers=_yes(asker),
    )


def _seen(known: Mismatch, fact: DifferenceFound, now: datetime) -> Mismatch:
    found = fact.difference
    at = found.at or known.at or now
    return replace(
        known,
        provider=fact.provider,
        account=fact.account,
        day=at.astimezone(UTC).date(),
        kind=found.kind,
        object=found.object,
        subject=found.subject,
        order_id=found.order_id or known.order_id,
        charge_id=found.charge_id,
        amount=found.amount,
        currency=found.currency,
        at=at,
        legs=found.legs,
        returns=found.returns,
        last_seen_at=now,
        run_id=fact.run_id,
        notes=(),
    )


def _detected(mismatch: Mismatch, proposal: Repair, now: datetime) -> Outgoing:
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
        proposed_repair=proposal.command,
        amount=mismatch.amount,
        currency=mismatch.currency,
        at=mismatch.at,
        severity=severity(mismatch.amount, mismatch.currency, now, now),
        needs_approval=proposal.needs_approval,
        repair=proposal.words,
    )
    # Detected and resolved alternate, so the event's number follows from the occurrence.
    return Outgoing("reconciler.events", mismatch.mismatch_id, event, now, 2 * mismatch.occurrence - 1)


def _resolved(mismatch: Mismatch, now: datetime) -> Outgoing:
    event = MismatchResolved(
        mismatch_id=mismatch.mismatch_id,
        occurrence=mismatch.occurrence,
        how="accepted" if mismatch.how == "accepted" else "agreed",
        person=mismatch.person,
        reason=mismatch.reason,
    )
    return Outgoing("reconciler.events", mismatch.mismatch_id, event, now, 2 * mismatch.occurrence)


def _command(mismatch: Mismatch, proposal: Repair, person: str, now: datetime) -> Outgoing:
    """Under a key of the occurrence: however often it is sent, money moves once."""
    order_id = mismatch.order_id or ""
    reason = f"reconciliation: {mismatch.kind} {mismatch.subject}"
    command: Command = LookAgain(order_id=order_id, reason=reason)
    if proposal.command == "refund_payment":
        key = f"{mismatch.mismatch_id}/{mismatch.occurrence}"
        print_ = blake2b(f"{order_id}/{mismatch.charge_id}".encode(), digest_size=16).digest()
        command = RefundPayment(
            order_id=order_id,
            reason=reason,
            charge_id=mismatch.charge_id,
            by=person,
            idempotency=IdempotencyKey(principal="reconciler", key=key, fingerprint=print_),
        )
    return Outgoing("payments.commands", order_id, command, now)


def _recheck(mismatch: Mismatch) -> Task:
    id_ = mismatch.mismatch_id
    return Task(kind=RECHECK, key=f"{RECHECK}:{id_}", subject=id_)


def _yes(asker: str | None) -> tuple[Answer, ...]:
    return (Answer(asker, "ok"),)


def _not_open(known: Mismatch, asker: str | None) -> Decision[Mismatch]:
    detail = f"occurrence {known.occurrence} is {'open' if known.open else 'over'}"
    return _refused(known, asker, "mismatch-not-open", detail if known.occurrence else "no such mismatch")


def _refused(known: Mismatch, asker: str | None, code: str, detail: str) -> Decision[Mismatch]:
    return Decision(known, answers=(Answer(asker, code, detail=detail),), outcome="ignored")
