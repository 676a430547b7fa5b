"""From what changed to what is said: every decision ends here, so events always match the state."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.payments.domain.state import Charge, Flag, Payment, Policy, Waiter
from services.payments.domain.status import ALLOWED, amounts_of, status_of
from shared.decision import Answer, Decision, Outgoing, Task
from shared.messages.payments import (
    ChargeView,
    PaymentAttemptEnded,
    PaymentClosed,
    PaymentCreated,
    PaymentEvent,
    PaymentFailed,
    PaymentFlagged,
    PaymentPaid,
    PaymentPending,
    PaymentProcessing,
    PaymentSnapshot,
)

EVENTS = "payments.events"
CAPTURE, OPEN_ORDER, VERIFY_LOOK, LOOK = 10, 20, 30, 60  # task priorities: lower goes first


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
    after = _standing(after, now)
    after, captures, drops = _captures(after, policy)
    status, detail = status_of(after)
    after = replace(after, status=status, detail=detail)
    if (before.status, status) not in ALLOWED and before.status != status:
        raise AssertionError(f"{before.order_id}: {before.status} → {status} is not in the table")
    happened = tuple(_happened(before, after, created=created)) or tuple(_ended(before, after))
    after = replace(after, version=before.version + len(happened))
    after, given = _answered(after, now)
    answers += given
    if after == before:
        return Decision(before, tasks=tasks, answers=answers)
    after = replace(after, updated_at=now)
    return Decision(
        after,
        events=_said(after, before.version, happened, now) if happened else (),
        tasks=tasks + captures,
        dropped=dropped + drops + _needless(before, after),
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


def flag(payment: Payment, reason: str, subject: str, note: str, now: datetime) -> Payment:
    """The payment with this flag; the same (reason, subject) is raised once."""
    if any((f.reason, f.subject) == (reason, subject) for f in payment.flags):
        return payment
    return replace(payment, flags=(*payment.flags, Flag(reason, subject, note, now)))


def _standing(payment: Payment, now: datetime) -> Payment:
    """The first fitting capture stands; every other one is surplus and waits for a person."""
    if payment.standing is None:
        first = next((c for c in payment.charges if c.state == "captured" and payment.fits(c)), None)
        if first is not None:
            charges = tuple(replace(c, stands=True) if c is first else c for c in payment.charges)
            late = payment.closed is not None
            payment = replace(payment, charges=charges, paid_at=now)
            if late:
                note = f"captured after the order was {payment.closed}"
                payment = flag(payment, "late_success", first.charge_id, note, now)
    for charge in payment.charges:
        if charge.state == "captured" and not charge.stands and payment.fits(charge):
            note = "a second capture of the same order: the money must go back"
            payment = flag(payment, "duplicate_capture", charge.charge_id, note, now)
    return payment


def _captures(payment: Payment, policy: Policy) -> tuple[Payment, tuple[Task, ...], tuple[str, ...]]:
    """Takes at most one authorisation per order, and only while the order can still be paid."""
    asked = [c for c in payment.charges if c.capture_asked]
    payable = payment.standing is None and payment.closed is None and payment.capture == "automatic"
    over = tuple(capture_key(c) for c in asked if not payable or c.state != "authorized")
    if not payable or any(c.state == "authorized" for c in asked):
        return payment, (), over
    wanted = next(
        (c for c in payment.charges if c.state == "authorized" and payment.fits(c) and not c.capture_asked),
        None,
    )
    if wanted is None:
        return payment, (), over
    charges = tuple(replace(c, capture_asked=True) if c is wanted else c for c in payment.charges)
    request = {
        "order_id": payment.order_id,
        "provider": wanted.provider,
        "provider_order_id": wanted.provider_order_id,
        "charge_id": wanted.charge_id,
        "amount": wanted.amount,
        "currency": wanted.currency,
    }
    task = Task(
        "capture",
        capture_key(wanted),
        payment.order_id,
        msgspec.json.encode(request),
        policy.capture_grace_s,
        CAPTURE,
    )
    return replace(payment, charges=charges), (task,), over


def capture_key(charge: Charge) -> str:
    return f"capture:{charge.provider}:{charge.charge_id}"


def _happened(before: Payment, after: Payment, *, created: bool) -> Iterable[Said]:
    """What this change is to the world, in the order in which a reader should learn of it."""
    if created:
        yield PaymentCreated, {}
    known = {(c.provider, c.charge_id): c.state for c in before.charges}
    if after.standing is None:
        for charge in after.charges:
            old = known.get((charge.provider, charge.charge_id))
            if charge.state == "failed" and old in (None, "pending"):
                yield PaymentFailed, {"charge_id": charge.charge_id, "failure": charge.failure}
    if after.status != before.status and after.status == "pending_payment":
        yield PaymentPending, {}
    if after.status == "processing" and (before.status, before.detail) != (after.status, after.detail):
        yield PaymentProcessing, {}
    if after.standing is not None and before.standing is None:
        yield PaymentPaid, {"late": after.closed is not None}
    if after.closed is not None and before.closed is None and after.standing is None:
        yield PaymentClosed, {"reason": after.closed}
    for raised in after.flags[len(before.flags) :]:
        yield PaymentFlagged, {"reason": raised.reason, "subject": raised.subject, "note": raised.note}


def _ended(before: Payment, after: Payment) -> Iterable[Said]:
    """No state changes without a word: what is left when nothing else is to be said is a try that ended."""
    if (before.status, before.detail) != (after.status, after.detail):
        yield PaymentAttemptEnded, {}


def snapshot(payment: Payment) -> PaymentSnapshot:
    """What the public may know of this state."""
    standing, attempt = payment.standing, payment.current
    if payment.created_at is None:
        raise AssertionError(f"{payment.order_id} is not registered")
    declined = next((c for c in reversed(payment.charges) if c.state == "failed"), None)
    return PaymentSnapshot(
        order_id=payment.order_id,
        payment_id=payment.id,
        version=payment.version,
        status=payment.status,
        detail=payment.detail,
        amount=payment.amount,
        currency=payment.currency,
        amounts=amounts_of(payment),
        revision=payment.revision,
        created_at=payment.created_at,
        updated_at=payment.updated_at or payment.created_at,
        provider=standing.provider if standing else attempt.provider if attempt else None,
        account=standing.account if standing else attempt.account if attempt else None,
        provider_order_id=(
            standing.provider_order_id if standing else attempt.provider_order_id if attempt else None
        ),
        charge_id=standing.charge_id if standing else None,
        charges=tuple(_view(c) for c in payment.charges),
        closes_at=payment.closes_at,
        closed=payment.closed,
        can_retry=can_retry(payment),
        paid_at=payment.paid_at,
        failure=declined.failure_text or declined.failure if declined and not standing else "",
        needs_attention=tuple(f.reason for f in payment.flags),
    )


def can_retry(payment: Payment) -> bool:
    """Whether a buyer may try (again) now."""
    return payment.closed is None and payment.status in ("created", "pending_payment", "failed")


def _view(charge: Charge) -> ChargeView:
    return ChargeView(
        charge_id=charge.charge_id,
        provider=charge.provider,
        account=charge.account,
        provider_order_id=charge.provider_order_id,
        state=charge.state,
        amount=charge.amount,
        currency=charge.currency,
        at=charge.at,
        surplus=charge.state == "captured" and not charge.stands,
        failure=charge.failure,
    )


def _answered(payment: Payment, now: datetime) -> tuple[Payment, tuple[Answer, ...]]:
    """Answers everyone whose answer is known by now, and forgets who no longer waits."""
    given: list[Answer] = []
    still: list[Waiter] = []
    for waiter in payment.waiting:
        answer = _answer(payment, waiter)
        if answer is not None:
            given.append(answer)
        elif waiter.until > now:
            still.append(waiter)
    return replace(payment, waiting=tuple(still)), tuple(given)


def _answer(payment: Payment, waiter: Waiter) -> Answer | None:
    if waiter.kind == "verify":
        attempt = payment.current
        done = payment.standing or payment.closed or attempt is None
        if done or (attempt and attempt.verify_answered >= waiter.verify):
            return Answer(waiter.correlation_id, "ok", status_answer(payment))
        return None
    return create_answer(payment, waiter.correlation_id)


def status_answer(payment: Payment) -> bytes:
    """The answer to a verify, a cancel or a look."""
    return msgspec.json.encode(
        {
            "order_id": payment.order_id,
            "status": payment.status,
            "detail": payment.detail,
            "version": payment.version,
        }
    )


def create_answer(payment: Payment, correlation_id: str | None) -> Answer | None:
    """What the browser needs to go on with the newest attempt; None while that is not known."""
    if payment.standing is not None:
        return Answer(correlation_id, "already-paid", detail="this order is paid")
    if payment.closed is not None:
        return Answer(correlation_id, "order-closed", detail=f"this order is {payment.closed}")
    attempt = payment.newest
    if attempt is None or attempt.state in ("opening", "unanswered"):
        return None
    if attempt.state == "refused":
        return Answer(correlation_id, attempt.refusal or "provider-unavailable")
    customer = msgspec.json.decode(payment.content or b"{}").get("customer", {})
    prefill = {"name": customer.get("name", ""), "email": customer.get("email", "")}
    body = {
        "order_id": payment.order_id,
        "provider": attempt.provider,
        "provider_order_id": attempt.provider_order_id,
        "amount": attempt.amount,
        "currency": attempt.currency,
        "prefill": prefill,
        "opened": dict(attempt.opened),
    }
    return Answer(correlation_id, "ok", msgspec.json.encode(body))
