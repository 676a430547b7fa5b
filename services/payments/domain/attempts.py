"""An attempt is one order at one provider: opened by a task, answered, refused, or unanswered."""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from services.payments.domain.orders import look_task, not_found
from services.payments.domain.settle import OPEN_ORDER, create_answer, settle
from services.payments.domain.state import Asker, Attempt, Payment, Policy, ProviderPolicy, Waiter
from shared.decision import Answer, Decision, Task
from shared.errors import Rejected
from shared.messages.facts import AttemptOpened, AttemptRefused, AttemptUnanswered
from shared.messages.payments import CreatePayment

UNANSWERED_RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # looks for an order whose create got no answer


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
            detail = f"a payment with {newest.provider} is open"
            return Decision(
                payment, answers=(Answer(asker.correlation_id, "attempt-in-flight", detail=detail),)
            )
        after = _waiting(payment, asker, now, policy)
        return settle(payment, after, now, policy)
    try:
        provider = _choose(payment, command.provider, policy)
    except Rejected as refused:
        return Decision(payment, answers=(Answer(asker.correlation_id, refused.code, detail=refused.detail),))
    after = _waiting(_with_attempt(payment, provider, now), asker, now, policy)
    return settle(payment, after, now, policy, tasks=(_open_task(after, lookup_first=False),))


def _refusal(payment: Payment) -> Answer | None:
    if payment.standing or payment.closed:
        return create_answer(payment, None)
    if payment.detail in ("authorized", "verifying", "provider_pending"):
        newest = payment.newest
        if newest is None or newest.state != "open":
            return Answer(None, "attempt-in-flight", detail="an earlier payment is still being decided")
    return None


def _choose(payment: Payment, wanted: str | None, policy: Policy) -> ProviderPolicy:
    """The wanted provider, or the first that takes this amount. Raises Rejected."""
    if wanted is not None and wanted not in policy.providers:
        raise Rejected("provider-unknown", f"{wanted!r:.40} is not configured here")
    last = Rejected("provider-unknown", "no provider is configured")
    for provider in [policy.providers[wanted]] if wanted else policy.providers.values():
        try:
            provider.check_amount(payment.amount, payment.currency)
        except Rejected as refused:
            last = refused
        else:
            return provider
    raise last


def _with_attempt(payment: Payment, provider: ProviderPolicy, now: datetime) -> Payment:
    number = len(payment.attempts) + 1
    attempt = Attempt(
        id=f"{payment.id.replace('-', '')}-{number}",  # 34 characters and up; Razorpay's receipt takes 40
        number=number,
        provider=provider.name,
        account=provider.account,
        state="opening",
        amount=payment.amount,
        currency=payment.currency,
        created_at=now,
        expires_at=now + timedelta(seconds=provider.attempt_lifetime_s),
    )
    return replace(payment, attempts=(*payment.attempts, attempt))


def _waiting(payment: Payment, asker: Asker, now: datetime, policy: Policy) -> Payment:
    if asker.correlation_id is None:
        return payment
    waiter = Waiter(asker.correlation_id, "create", now + timedelta(seconds=policy.answer_within_s))
    return replace(payment, waiting=(*payment.waiting, waiter))


def _open_task(payment: Payment, *, lookup_first: bool, tries: int = 0) -> Task:
    """The durable intent: the exact request, under a reference from our own row."""
    attempt = payment.attempts[-1]
    request = {
        "order_id": payment.order_id,
        "attempt_id": attempt.id,
        "provider": attempt.provider,
        "amount": attempt.amount,
        "currency": attempt.currency,
        "asked_at": attempt.created_at,
        "capture_automatically": payment.capture == "automatic",
        "lookup_first": lookup_first,
        "tries": tries,
    }
    delay_s = UNANSWERED_RETRY_S[min(tries, len(UNANSWERED_RETRY_S)) - 1] if tries else 0.0
    key = f"open:{attempt.id}"
    return Task("open_order", key, payment.order_id, msgspec.json.encode(request), delay_s, OPEN_ORDER)


def attempt_opened(
    payment: Payment, result: AttemptOpened, now: datetime, policy: Policy
) -> Decision[Payment]:
    """The provider has the order. Heard again, or from a slow worker: nothing more happens."""
    attempt = _attempt(payment, result.attempt_id)
    if attempt is None or attempt.provider_order_id is not None:
        return Decision(payment)
    opened = replace(
        attempt,
        state="expired" if payment.closed else "open",
        provider_order_id=result.fact.provider_order_id,
        opened=dict(result.fact.secrets),
        refusal="",
    )
    after = with_attempt(payment, opened)
    provider = policy.providers.get(attempt.provider)
    tasks: tuple[Task, ...] = ()
    if provider is not None and not payment.closed:
        delay_s = 0.0 if result.look_now else provider.look_while_open_s[0]
        tasks = (look_task(after, attempt.id, "schedule", delay_s),)
    return settle(payment, after, now, policy, tasks=tasks)


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
    after = with_attempt(payment, replace(attempt, state="unanswered"))
    task = _open_task(after, lookup_first=True, tries=result.tries + 1)
    return settle(payment, after, now, policy, tasks=(task,))


def _attempt(payment: Payment, attempt_id: str) -> Attempt | None:
    return next((a for a in payment.attempts if a.id == attempt_id), None)


def with_attempt(payment: Payment, attempt: Attempt) -> Payment:
    """The payment with this attempt in place of the one with its id."""
    attempts = tuple(attempt if a.id == attempt.id else a for a in payment.attempts)
    return replace(payment, attempts=attempts)
