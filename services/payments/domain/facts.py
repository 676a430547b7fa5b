"""Facts from webhooks and reads. Whatever their order and number, they end in the same money."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.payments.domain.answers import status_answer
from services.payments.domain.captures import pending_captures_declined
from services.payments.domain.charges import charges_learned
from services.payments.domain.disputes import disputes_learned
from services.payments.domain.follow_up import flag, with_attempt
from services.payments.domain.looks import look_task
from services.payments.domain.orders import late_look, late_looks, not_found
from services.payments.domain.refunds import refunds_learned
from services.payments.domain.settle import VERIFY_LOOK, settle
from services.payments.domain.state import Asker, Attempt, Charge, Payment, Policy, Waiter
from services.payments.domain.switching import switched
from shared.decision import Answer, Decision, Task
from shared.messages.facts import CancelEnded, LapseDue, Looked, Seen, WebhookContent
from shared.messages.payments import ConfirmCheckout, LookAgain


def webhook_received(
    payment: Payment, provider: str, content: WebhookContent | None, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Learns what a webhook says; of one that is only a hint nothing is believed: the order is read now."""
    if content is None or not payment.registered:
        return Decision(payment)
    if not content.hint:
        what = replace(content.seen, provider_order_id=content.provider_order_id or "")
        return seen(payment, provider, what, now, policy)
    attempt = _attempt_meant(payment, provider, content)
    if attempt is None:
        return Decision(payment)
    if content.approval and attempt.captures_declined and payment.standing is None:
        # Seen again after a decline, it may be a new approval: as good a reason as the buyer's return.
        asked = replace(attempt, verify_asked=attempt.verify_asked + 1)
        after = with_attempt(payment, asked)
        return settle(payment, after, now, policy, tasks=(_verify_look(after, asked),))
    look = replace(look_task(payment, attempt.id, "asked", 0.0), priority=VERIFY_LOOK)
    return settle(payment, payment, now, policy, tasks=(look,))


def _attempt_meant(payment: Payment, provider: str, content: WebhookContent) -> Attempt | None:
    refs = {content.provider_order_id}
    refs |= {c.provider_order_id for c in payment.charges if c.charge_id == content.charge_id}
    ours = (a for a in payment.attempts if a.provider == provider and a.provider_order_id is not None)
    return next((a for a in ours if a.provider_order_id in refs), None)


def seen(
    payment: Payment,
    provider: str,
    what: Seen,
    now: datetime,
    policy: Policy,
    *,
    answered: Payment | None = None,
) -> Decision[Payment]:
    """Joins in all that a provider says of an order at once: what a surplus has left is known, too.

    `answered`: the payment with what this read settles beside the facts, the buyer's return for one.
    """
    before = answered or payment
    after = charges_learned(before, provider, what.charges, now)
    after = pending_captures_declined(before, after)
    after = _attempts_learned(after, provider, what)
    after = disputes_learned(refunds_learned(after, provider, what.refunds, now), provider, what.disputes)
    return settle(payment, after, now, policy, tasks=_lapse_tasks(payment, after, now, policy))


def _attempts_learned(payment: Payment, provider: str, what: Seen) -> Payment:
    """Approvals and cancels are of the attempt that the charges or the read belong to."""
    if not (what.approved or what.cancelled) or not what.provider_order_id:
        return payment
    for attempt in payment.attempts:
        if (attempt.provider, attempt.provider_order_id) == (provider, what.provider_order_id):
            ended = what.cancelled and attempt.state == "open"
            payment = with_attempt(
                payment,
                replace(
                    attempt,
                    approved=attempt.approved or what.approved,
                    cancelled=attempt.cancelled or what.cancelled,
                    state="expired" if ended else attempt.state,
                ),
            )
    return payment


def _lapse_tasks(before: Payment, after: Payment, now: datetime, policy: Policy) -> tuple[Task, ...]:
    """A warning before an authorisation lapses that waits for a person; once it is known when that is."""
    if after.capture != "manual":
        return ()
    known = {c.ref for c in before.charges if c.state == "authorized" and c.capture_before}
    waiting = [
        c for c in after.charges if c.state == "authorized" and c.capture_before and c.ref not in known
    ]
    return tuple(_lapse_task(after, c, now, policy) for c in waiting)


def _lapse_task(payment: Payment, charge: Charge, now: datetime, policy: Policy) -> Task:
    before = (charge.capture_before or now) - timedelta(seconds=policy.lapse_warning_s)
    delay_s = max(0.0, (before - now).total_seconds())
    payload = LapseDue(order_id=payment.order_id, charge_id=charge.charge_id).encode()
    return Task("lapse", f"lapse:{charge.charge_id}", payment.order_id, payload, delay_s)


def lapse_due(payment: Payment, result: LapseDue, now: datetime, policy: Policy) -> Decision[Payment]:
    """An authorisation is about to lapse and nobody captured it: a person is told once."""
    charge = next((c for c in payment.charges if c.charge_id == result.charge_id), None)
    if charge is None or charge.state != "authorized" or charge.capture_asked:
        return Decision(payment)
    until = charge.capture_before.isoformat() if charge.capture_before else "soon"
    after = flag(payment, "authorization_lapses", charge.charge_id, f"capture it before {until}", now)
    return settle(payment, after, now, policy)


def cancel_ended(payment: Payment, result: CancelEnded, now: datetime, policy: Policy) -> Decision[Payment]:
    """What the provider says of an order after we asked to cancel it; a refusal leaves it to late looks."""
    return seen(payment, result.provider, result.seen, now, policy)


def confirm_checkout(
    payment: Payment, command: ConfirmCheckout, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """The buyer came back: a reason to look now, never a fact. The ids must be this order's."""
    if not payment.registered:
        return Decision(payment, answers=not_found(asker))
    attempt = next((a for a in payment.attempts if a.provider_order_id == command.provider_order_id), None)
    if attempt is None or attempt.provider != command.provider:
        detail = "this payment does not belong to this order"
        return Decision(payment, answers=(Answer(asker.correlation_id, "attempt-mismatch", detail=detail),))
    if payment.standing is not None:
        return Decision(payment, answers=(Answer(asker.correlation_id, "ok", status_answer(payment)),))
    if attempt.provider not in policy.providers:
        detail = f"{attempt.provider} is no longer set up: nobody can look there"
        return Decision(
            payment, answers=(Answer(asker.correlation_id, "provider-unavailable", detail=detail),)
        )
    asked = replace(attempt, verify_asked=attempt.verify_asked + 1)
    after = with_attempt(payment, asked)
    if asker.correlation_id is not None:
        until = now + timedelta(seconds=policy.answer_within_s)
        waiter = Waiter(asker.correlation_id, "verify", until, asked.verify_asked, attempt=asked.id)
        after = replace(after, waiting=(*after.waiting, waiter))
    look = _verify_look(after, asked)
    again = look_task(after, asked.id, "schedule", policy.providers[asked.provider].look_after_verify_s)
    return settle(payment, after, now, policy, tasks=(look, again))


def _verify_look(payment: Payment, attempt: Attempt) -> Task:
    scheduled = look_task(payment, attempt.id, "verify", 0.0)
    request = scheduled.payload[:-1] + f',"verify":{attempt.verify_asked}}}'.encode()
    key = f"verify:{attempt.id}:{attempt.verify_asked}"
    return replace(scheduled, key=key, payload=request, priority=VERIFY_LOOK)


def look_again(
    payment: Payment, _command: LookAgain, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Reads every attempt of this order at its provider, soon; the normal rules do the rest."""
    if not payment.registered:
        return Decision(payment, answers=not_found(asker))
    open_ones = [a for a in payment.attempts if a.provider_order_id is not None]
    tasks = tuple(look_task(payment, a.id, "asked", 0.0) for a in open_ones)
    answer = Answer(asker.correlation_id, "ok", status_answer(payment))
    return settle(payment, payment, now, policy, tasks=tasks, answers=(answer,))


def looked(payment: Payment, result: Looked, now: datetime, policy: Policy) -> Decision[Payment]:
    """What a read showed; what it does not show is not a fact. A scheduled read may be the last."""
    attempt = next((a for a in payment.attempts if a.id == result.attempt_id), None)
    if attempt is None:
        return Decision(payment)
    heard = replace(attempt, verify_answered=max(attempt.verify_answered, result.verify))
    what = replace(result.seen, provider_order_id=attempt.provider_order_id or "")
    decision = seen(payment, attempt.provider, what, now, policy, answered=with_attempt(payment, heard))
    after = decision.state
    if result.reason == "switch":
        return decision.then(switched(after, now, policy))
    if result.reason in ("verify", "asked") or after.standing is not None:
        return decision
    current = next(a for a in after.attempts if a.id == attempt.id)
    following, tasks = _what_next(after, current, result, now, policy)
    return decision.then(settle(after, following, now, policy, tasks=tasks))


def _what_next(
    payment: Payment, attempt: Attempt, result: Looked, now: datetime, policy: Policy
) -> tuple[Payment, tuple[Task, ...]]:
    """Expires what nobody paid, closes what may no longer be paid, or looks again later."""
    if any(c.state == "captured" and payment.fits(c) for c in payment.charges):
        return payment, ()  # it is about to stand
    if _may_expire(payment, attempt, now):
        attempt = replace(attempt, state="expired")
        payment = with_attempt(payment, attempt)
    payment = close_if_over(payment, now)
    if payment.closed is not None or attempt.state == "expired":
        return payment, late_look(
            payment, attempt, policy, result.round + 1 if result.reason == "late" else 0
        )
    delays = policy.providers[attempt.provider].look_while_open_s
    following = min(result.round + 1, len(delays) - 1)
    delay_s = delays[following] - (delays[following - 1] if following else 0.0)
    if now < attempt.expires_at:
        delay_s = min(delay_s, (attempt.expires_at - now).total_seconds())
    return payment, (look_task(payment, attempt.id, "schedule", delay_s, following),)


def _may_expire(payment: Payment, attempt: Attempt, now: datetime) -> bool:
    """Whether only a last look keeps it from being over: its time is, and no money is on its way."""
    if attempt.state != "open" or now < attempt.expires_at or attempt.capturing:
        return False
    return all(c.state not in ("pending", "authorized") for c in payment.charges_of(attempt))


def close_due(payment: Payment, now: datetime, policy: Policy) -> Decision[Payment]:
    """The order's time is over: closed at once when nothing is open, else after a last look at each."""
    if not payment.registered or payment.closed or payment.standing:
        return Decision(payment)
    after = close_if_over(payment, now)
    if after.closed is not None:
        return settle(payment, after, now, policy, tasks=late_looks(after, policy))
    looks = tuple(
        look_task(payment, a.id, "schedule", 0.0)
        for a in payment.attempts
        if a.provider_order_id and _may_expire(payment, a, now)  # the others have their own schedule
    )
    again = Task("close", f"close:{payment.order_id}", payment.order_id, delay_s=policy.answer_within_s)
    return settle(payment, payment, now, policy, tasks=(*looks, again))


def close_if_over(payment: Payment, now: datetime) -> Payment:
    """Closed as expired when its time is over and nothing that could be paid is open or under way."""
    over = payment.closes_at is not None and now >= payment.closes_at
    under_way = any(c.state in ("pending", "authorized") for c in payment.charges)
    under_way = under_way or any(a.capturing for a in payment.attempts)
    open_ones = any(a.state in ("opening", "unanswered", "open") for a in payment.attempts)
    if not over or under_way or open_ones or payment.closed or payment.standing:
        return payment
    return replace(payment, closed="expired", closed_at=now)
