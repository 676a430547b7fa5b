"""Which provider is asked: routing, the buyer's change of mind, and failing over."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.payments.domain.follow_up import taking, with_attempt
from services.payments.domain.opening import open_task
from services.payments.domain.settle import settle
from services.payments.domain.state import Attempt, Payment, Policy, ProviderPolicy
from shared.decision import Answer, Decision
from shared.errors import Rejected


def choose(
    payment: Payment, wanted: str | None, policy: Policy, avoid: frozenset[str] = frozenset()
) -> tuple[ProviderPolicy, str]:
    """(the wanted provider, or the first that takes this order, and why). Raises Rejected."""
    if wanted is not None and wanted not in policy.providers:
        raise Rejected("provider-unknown", f"{wanted!r:.40} is not configured here")
    last = Rejected("provider-unknown", "no provider is configured")
    skipped: list[str] = []
    for name in _preferred(payment, wanted, policy):
        provider = policy.providers[name]
        if wanted is None and name in (avoid | policy.unhealthy):
            skipped.append(f"{name} is {'unanswered' if name in avoid else 'not healthy'}")
            continue
        try:
            _check(payment, provider)
        except Rejected as refused:
            last = refused
            skipped.append(f"{name}: {refused.code}")
        else:
            return provider, "the buyer chose it" if wanted else "; ".join(["preferred", *skipped])[:200]
    if wanted is None and not avoid and policy.unhealthy & set(policy.providers):
        return choose(payment, None, replace(policy, unhealthy=frozenset()))  # better than none at all
    raise last


def _preferred(payment: Payment, wanted: str | None, policy: Policy) -> tuple[str, ...]:
    if wanted is not None:
        return (wanted,)
    order = policy.order_by_currency.get(payment.currency, ())
    return (*(n for n in order if n in policy.providers), *(n for n in policy.providers if n not in order))


def _check(payment: Payment, provider: ProviderPolicy) -> None:
    """Raises Rejected when this provider cannot take this order as it is."""
    provider.check_amount(payment.amount, payment.currency)
    if payment.capture == "manual" and not provider.manual_capture:
        raise Rejected("not-supported-by-provider", f"{provider.name} cannot capture by hand")


def with_new_attempt(payment: Payment, provider: ProviderPolicy, why: str, now: datetime) -> Payment:
    """The payment with the next attempt, about to be opened."""
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
        why=why,
    )
    return replace(payment, attempts=(*payment.attempts, attempt))


def switched(payment: Payment, now: datetime, policy: Policy) -> Decision[Payment]:
    """The open attempt was read for a buyer who wants another provider: given up, unless money is moving."""
    waiter = next((w for w in payment.waiting if w.provider), None)
    newest = payment.newest
    if waiter is None or newest is None or newest.state not in ("open", "expired"):
        return Decision(payment)
    moving = taking(payment) or any(c.state in ("pending", "authorized") for c in payment.charges)
    still = tuple(w for w in payment.waiting if not w.provider)
    if moving or payment.standing is not None:
        detail = f"a payment with {newest.provider} is under way"
        told = tuple(
            Answer(w.correlation_id, "attempt-in-flight", detail=detail)
            for w in payment.waiting
            if w.provider
        )
        return settle(payment, replace(payment, waiting=still), now, policy, answers=told)
    after = with_attempt(payment, replace(newest, state="superseded")) if newest.state == "open" else payment
    waiting = tuple(replace(w, provider="") for w in payment.waiting)
    after = replace(after, waiting=waiting)
    after = with_new_attempt(after, policy.providers[waiter.provider], "the buyer chose it instead", now)
    return settle(payment, after, now, policy, tasks=(open_task(after, after.attempts[-1]),))


def failed_over(payment: Payment, attempt: Attempt, now: datetime, policy: Policy) -> Payment | None:
    """The payment with an attempt elsewhere, when this one's create stays unanswered and nobody chose it.

    Nobody can have paid what nobody was shown: the order that may exist is looked for and swept later.
    """
    if attempt.state != "unanswered" or attempt is not payment.newest or attempt.why == "the buyer chose it":
        return None
    if len({a.provider for a in payment.attempts}) > 1:
        return None  # once is enough: two providers without an answer are trouble of our own
    try:
        provider, _ = choose(payment, None, policy, avoid=frozenset({attempt.provider}))
    except Rejected:
        return None
    after = with_attempt(payment, replace(attempt, state="abandoned"))
    return with_new_attempt(after, provider, f"{attempt.provider} did not answer", now)
