"""From what changed to what is said: every decision ends here, so events always match the state."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from services.payments.domain.answers import answered
from services.payments.domain.follow_up import follow_up
from services.payments.domain.looks import captures_cut_off
from services.payments.domain.snapshot import dispute_view, refund_view, snapshot
from services.payments.domain.state import Payment, Policy
from services.payments.domain.status import may_move, status_of
from shared.decision import Answer, Decision, Outgoing, Task
from shared.messages.payments import (
    DisputeClosed,
    DisputeOpened,
    DisputeUpdated,
    FlagResolved,
    PaymentAttemptEnded,
    PaymentClosed,
    PaymentCreated,
    PaymentEvent,
    PaymentFailed,
    PaymentFlagged,
    PaymentPaid,
    PaymentPartiallyRefunded,
    PaymentPending,
    PaymentProcessing,
    PaymentRefunded,
    RefundFailed,
    RefundRequested,
    RefundSucceeded,
)

EVENTS = "payments.events"
OPEN_ORDER, VERIFY_LOOK = 20, 30  # task priorities: lower goes first


def settle(
    before: Payment,
    after: Payment,
    now: datetime,
    policy: Policy,
    *,
    tasks: tuple[Task, ...] = (),
    dropped: tuple[str, ...] = (),
    answers: tuple[Answer, ...] = (),
    created: bool = False,
) -> Decision[Payment]:
    """The decision for a change: status, events with their versions, follow-up tasks, answers.

    Nothing changed: nothing is said. `created`: the order itself is new or has new content.
    """
    after, following, over = follow_up(after, now, policy)
    cut_off, looks = captures_cut_off(before, after)
    status, detail = status_of(after)
    after = replace(after, status=status, detail=detail)
    if not may_move(before, after):
        raise AssertionError(f"{before.order_id}: {before.status} → {status} is not in the table")
    happened = tuple(_happened(before, after, created=created)) or tuple(_ended(before, after))
    after = replace(after, version=before.version + len(happened))
    after, given = answered(after, now)
    answers += given
    if after == before:
        return Decision(before, tasks=tasks, answers=answers)
    after = replace(after, updated_at=now)
    return Decision(
        after,
        events=_said(after, before.version, happened, now) if happened else (),
        tasks=tasks + following + looks,
        dropped=dropped + over + cut_off + _needless(before, after),
        answers=answers,
    )


Said = tuple[type[PaymentEvent], dict[str, object]]


def _said(payment: Payment, version: int, happened: tuple[Said, ...], now: datetime) -> tuple[Outgoing, ...]:
    """One event per thing that happened, numbered, each with the state after all of them."""
    view = snapshot(payment)
    return tuple(
        Outgoing(
            EVENTS,
            payment.order_id,
            event(payment=replace(view, version=version + n), **fields),
            now,
            version + n,
        )
        for n, (event, fields) in enumerate(happened, start=1)
    )


def _needless(before: Payment, after: Payment) -> tuple[str, ...]:
    """The tasks that a paid order no longer needs."""
    if after.standing is None or before.standing is not None:
        return ()
    return (f"close:{after.order_id}", *(f"look:{a.id}" for a in after.attempts))


def _happened(before: Payment, after: Payment, *, created: bool) -> Iterable[Said]:
    """What this change is to the world, in the order in which a reader should learn of it."""
    if created:
        yield PaymentCreated, {}
    yield from _declines(before, after)
    if after.status != before.status and after.status == "pending_payment":
        yield PaymentPending, {}
    if after.status == "processing" and (before.status, before.detail) != (after.status, after.detail):
        yield PaymentProcessing, {}
    if after.standing is not None and before.standing is None:
        yield PaymentPaid, {"late": after.closed is not None}
    yield from _refunds(before, after)
    if after.status != before.status and after.status == "partially_refunded":
        yield PaymentPartiallyRefunded, {}
    if after.status != before.status and after.status == "refunded":
        yield PaymentRefunded, {}
    yield from _disputes(before, after)
    if after.closed is not None and before.closed is None and after.standing is None:
        yield PaymentClosed, {"reason": after.closed}
    yield from _flags(before, after)


def _declines(before: Payment, after: Payment) -> Iterable[Said]:
    known = {c.ref: c.state for c in before.charges}
    if after.standing is None:
        for charge in after.charges:
            if charge.state == "failed" and known.get(charge.ref) in (None, "pending"):
                yield PaymentFailed, {"charge_id": charge.charge_id, "failure": charge.failure}


def _refunds(before: Payment, after: Payment) -> Iterable[Said]:
    """Each of the three once per refund, in whatever order the provider tells of success and failure."""
    known = {r.id: r for r in before.refunds_of_captures}
    for refund in after.refunds_of_captures:
        old = known.get(refund.id)
        view: dict[str, object] = {"refund": refund_view(refund)}
        if old is None:
            yield RefundRequested, view
        if refund.succeeded and not (old and old.succeeded):
            yield RefundSucceeded, view
        if refund.state == "failed" and not (old and old.state == "failed"):
            yield RefundFailed, view


def _disputes(before: Payment, after: Payment) -> Iterable[Said]:
    known = {(d.provider, d.dispute_id): d for d in before.disputes}
    for dispute in after.disputes:
        old = known.get((dispute.provider, dispute.dispute_id))
        view: dict[str, object] = {"dispute": dispute_view(dispute)}
        if old is None:
            yield DisputeOpened, view
        if dispute.is_over and not (old and old.is_over):
            yield DisputeClosed, view
        elif old is not None and old != dispute:
            yield DisputeUpdated, view


def _flags(before: Payment, after: Payment) -> Iterable[Said]:
    for raised in after.flags[len(before.flags) :]:
        yield PaymentFlagged, {"reason": raised.reason, "subject": raised.subject, "note": raised.note}
    for old, now in zip(before.flags, after.flags, strict=False):
        if old.resolved_at is None and now.resolved_at is not None:
            fields = {"reason": now.reason, "subject": now.subject, "person": now.resolved_by}
            yield FlagResolved, {**fields, "note": now.resolution}


def _ended(before: Payment, after: Payment) -> Iterable[Said]:
    """No state changes without a word: what is left when nothing else is to be said is a try that ended."""
    if (before.status, before.detail, _held(before)) != (after.status, after.detail, _held(after)):
        yield PaymentAttemptEnded, {}


def _held(payment: Payment) -> frozenset[tuple[str, str]]:
    """Authorisations, and those that lapsed: of a closed order they change neither status nor detail."""
    return frozenset((c.charge_id, c.state) for c in payment.charges if c.state in ("authorized", "lapsed"))
