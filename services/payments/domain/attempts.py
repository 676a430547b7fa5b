"""An attempt is one order at one provider: opened by a task, answered, refused, or unanswered."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.payments.domain.answers import create_answer
from services.payments.domain.follow_up import with_attempt
from services.payments.domain.looks import look_task
from services.payments.domain.opening import open_task
from services.payments.domain.orders import not_found
from services.payments.domain.settle import VERIFY_LOOK, settle
from services.payments.domain.state import Asker, Attempt, Payment, Policy, Waiter
from services.payments.domain.switching import choose, failed_over, with_new_attempt
from shared.decision import Answer, Decision, Task
from shared.errors import Rejected
from shared.messages.facts import AttemptOpened, AttemptRefused, AttemptUnanswered
from shared.messages.payments import CreatePayment

FAIL_OVER_AFTER = 2  # looks for an unanswered create, before another provider is asked
SWEEP_LOOKS = 7  # looks for an abandoned order, about two minutes; a webhook would still be matched later


def create_payment(
    payment: Payment, command: CreatePayment, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Gives the open attempt, joins one that is being opened, or opens the next one."""
    if not payment.registered:
        return Decision(payment, answers=not_found(asker))
    refusal = _refusal(payment)
    if refusal is not None:
        return Decision(payment, answers=(replace(refusal, correlation_id=asker.correlation_id),))
    newest = payment.newest
    if newest is not None and newest.state in ("opening", "unanswered", "open"):
        if command.provider not in (None, newest.provider):
            return _switch(payment, newest, command.provider or "", asker, now, policy)
        after = _waiting(payment, asker, now, policy)
        return settle(payment, after, now, policy)
    try:
        provider, why = choose(payment, command.provider, policy)
    except Rejected as refused:
        return Decision(payment, answers=(Answer(asker.correlation_id, refused.code, detail=refused.detail),))
    after = _waiting(with_new_attempt(payment, provider, why, now), asker, now, policy)
    return settle(payment, after, now, policy, tasks=(open_task(after, after.attempts[-1]),))


def _switch(
    payment: Payment, newest: Attempt, wanted: str, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Another provider than the open one: its attempt is read first, for money may be moving on it."""
    try:
        choose(payment, wanted, policy)
    except Rejected as refused:
        return Decision(payment, answers=(Answer(asker.correlation_id, refused.code, detail=refused.detail),))
    if newest.state != "open" or asker.correlation_id is None:
        detail = f"a payment with {newest.provider} is being opened"
        return Decision(payment, answers=(Answer(asker.correlation_id, "attempt-in-flight", detail=detail),))
    after = _waiting(payment, asker, now, policy, provider=wanted)
    look = replace(
        look_task(payment, newest.id, "switch", 0.0), key=f"switch:{newest.id}", priority=VERIFY_LOOK
    )
    return settle(payment, after, now, policy, tasks=(look,))


def _refusal(payment: Payment) -> Answer | None:
    if payment.standing or payment.closed:
        return create_answer(payment, None)
    if payment.detail in ("authorized", "verifying", "provider_pending"):
        newest = payment.newest
        if newest is None or newest.state != "open":
            return Answer(None, "attempt-in-flight", detail="an earlier payment is still being decided")
    return None


def _waiting(payment: Payment, asker: Asker, now: datetime, policy: Policy, provider: str = "") -> Payment:
    if asker.correlation_id is None:
        return payment
    waiter = Waiter(
        asker.correlation_id, "create", now + timedelta(seconds=policy.answer_within_s), provider=provider
    )
    return replace(payment, waiting=(*payment.waiting, waiter))


def attempt_opened(
    payment: Payment, result: AttemptOpened, now: datetime, policy: Policy
) -> Decision[Payment]:
    """The provider has the order. Heard again, or from a slow worker: it is read when something was heard."""
    attempt = _attempt(payment, result.attempt_id)
    if attempt is None or attempt.provider_order_id is not None:
        same = attempt is not None and attempt.provider_order_id == result.fact.provider_order_id
        return Decision(payment, tasks=_heard_of(payment, result) if same else ())
    swept = attempt.state == "abandoned"
    opened = replace(
        attempt,
        state="superseded" if swept else "expired" if payment.closed else "open",
        provider_order_id=result.fact.provider_order_id,
        opened=dict(result.fact.secrets),
        refusal="",
    )
    after = with_attempt(payment, opened)
    provider = policy.providers.get(attempt.provider)
    tasks: tuple[Task, ...] = ()
    if provider is not None and not payment.closed and not swept:
        tasks = (look_task(after, attempt.id, "schedule", provider.look_while_open_s[0]),)
    return settle(payment, after, now, policy, tasks=(*tasks, *_heard_of(after, result)))


def _heard_of(payment: Payment, result: AttemptOpened) -> tuple[Task, ...]:
    """The read that stands for a webhook which found its order only by asking whose it is."""
    return (look_task(payment, result.attempt_id, "asked", 0.0),) if result.look_now else ()


def attempt_refused(
    payment: Payment, result: AttemptRefused, now: datetime, policy: Policy
) -> Decision[Payment]:
    """The provider will not open this attempt; the buyer may try again."""
    attempt = _attempt(payment, result.attempt_id)
    if attempt is None or attempt.provider_order_id is not None:
        return Decision(payment)
    after = with_attempt(payment, replace(attempt, state="refused", refusal=result.code))
    return settle(payment, after, now, policy)


def attempt_unanswered(
    payment: Payment, result: AttemptUnanswered, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Unknown is not failed: looked up, with a longer pause each time, before anything is tried again."""
    attempt = _attempt(payment, result.attempt_id)
    if attempt is None or attempt.provider_order_id is not None or attempt.state == "refused":
        return Decision(payment)
    tries = result.tries + 1
    if attempt.state == "abandoned" and tries > SWEEP_LOOKS:
        gone = replace(attempt, state="refused", refusal="provider-unavailable")
        return settle(payment, with_attempt(payment, gone), now, policy)
    if attempt.state != "abandoned":
        attempt = replace(attempt, state="unanswered")
    after = with_attempt(payment, attempt)
    tasks: tuple[Task, ...] = (open_task(after, attempt, tries),)
    elsewhere = failed_over(after, attempt, now, policy) if tries >= FAIL_OVER_AFTER else None
    if elsewhere is not None:
        after, newest = elsewhere, elsewhere.attempts[-1]
        tasks = (open_task(after, after.attempts[-2], tries), open_task(after, newest))
    return settle(payment, after, now, policy, tasks=tasks)


def _attempt(payment: Payment, attempt_id: str) -> Attempt | None:
    return next((a for a in payment.attempts if a.id == attempt_id), None)
