"""Facts from webhooks and reads. Whatever their order and number, they end in the same money."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.payments.domain.attempts import with_attempt
from services.payments.domain.orders import late_look, late_looks, look_task, not_found
from services.payments.domain.settle import VERIFY_LOOK, flag, settle, status_answer
from services.payments.domain.state import (
    CHARGE_RANK,
    Asker,
    Attempt,
    Charge,
    Payment,
    Policy,
    Waiter,
)
from shared.decision import Answer, Decision, Task
from shared.messages.facts import CaptureEnded, ChargeFact, Looked
from shared.messages.payments import ConfirmCheckout, LookAgain


def charges_seen(
    payment: Payment, provider: str, facts: Iterable[ChargeFact], now: datetime, policy: Policy
) -> Decision[Payment]:
    """Learns what a provider says of charges on this order."""
    return settle(payment, _learned(payment, provider, facts, now), now, policy)


def _learned(payment: Payment, provider: str, facts: Iterable[ChargeFact], now: datetime) -> Payment:
    """The payment with these facts joined in. One that is not for what we asked is flagged, at once."""
    if not payment.registered:
        return payment
    charges = {(c.provider, c.charge_id): c for c in payment.charges}
    accounts = {a.provider: a.account for a in payment.attempts}
    for fact in facts:
        new = _charge(provider, accounts.get(provider, ""), fact)
        known = charges.get((provider, fact.charge_id))
        charges[provider, fact.charge_id] = _joined(payment, known, new) if known else new
        if not payment.fits(new):
            note = f"{new.amount} {new.currency} instead of {payment.amount} {payment.currency}"
            payment = flag(payment, "amount_mismatch", new.charge_id, note, now)
    if tuple(charges.values()) == payment.charges:
        return payment
    return replace(payment, charges=tuple(charges.values()))


def _charge(provider: str, account: str, fact: ChargeFact) -> Charge:
    return Charge(
        charge_id=fact.charge_id,
        provider=provider,
        account=account,
        provider_order_id=fact.provider_order_id,
        state=fact.state,
        amount=fact.amount,
        currency=fact.currency,
        at=fact.at,
        failure=fact.failure,
        failure_text=fact.failure_text,
    )


def _joined(payment: Payment, known: Charge, new: Charge) -> Charge:
    """The higher of what was known and what is said now: order and repetition cannot matter."""

    def height(charge: Charge) -> tuple[int, bool, int, str]:
        return CHARGE_RANK[charge.state], payment.fits(charge), charge.amount, charge.currency

    if height(new) <= height(known):
        return known
    return replace(new, stands=known.stands, capture_asked=known.capture_asked)


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
    asked = replace(attempt, verify_asked=attempt.verify_asked + 1)
    after = with_attempt(payment, asked)
    if asker.correlation_id is not None:
        until = now + timedelta(seconds=policy.answer_within_s)
        waiter = Waiter(asker.correlation_id, "verify", until, asked.verify_asked)
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
    after = _learned(payment, attempt.provider, result.seen.charges, now)
    answered = replace(attempt, verify_answered=max(attempt.verify_answered, result.verify))
    after = with_attempt(after, answered)
    if result.reason in ("verify", "asked") or after.standing is not None:
        return settle(payment, after, now, policy)
    after, tasks = _what_next(after, answered, result, now, policy)
    return settle(payment, after, now, policy, tasks=tasks)


def _what_next(
    payment: Payment, attempt: Attempt, result: Looked, now: datetime, policy: Policy
) -> tuple[Payment, tuple[Task, ...]]:
    """Expires what nobody paid, closes what may no longer be paid, or looks again later."""
    if any(c.state == "captured" and payment.fits(c) for c in payment.charges):
        return payment, ()  # it is about to stand
    in_flight = any(c.state in ("pending", "authorized") for c in payment.charges_of(attempt))
    if attempt.state == "open" and now >= attempt.expires_at and not in_flight:
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
        if a.state == "open" and a.provider_order_id
    )
    again = Task("close", f"close:{payment.order_id}", payment.order_id, delay_s=policy.answer_within_s)
    return settle(payment, payment, now, policy, tasks=(*looks, again))


def close_if_over(payment: Payment, now: datetime) -> Payment:
    """Closed as expired when its time is over and nothing that could be paid is open or under way."""
    over = payment.closes_at is not None and now >= payment.closes_at
    under_way = any(c.state in ("pending", "authorized") for c in payment.charges)
    open_ones = any(a.state in ("opening", "unanswered", "open") for a in payment.attempts)
    if not over or under_way or open_ones or payment.closed or payment.standing:
        return payment
    return replace(payment, closed="expired", closed_at=now)


def capture_ended(payment: Payment, result: CaptureEnded, now: datetime, policy: Policy) -> Decision[Payment]:
    """What the provider says of a charge after we asked for its money."""
    after = _learned(payment, result.provider, (result.charge,), now)
    if result.refused and result.charge.state == "authorized":
        after = flag(after, "capture_refused", result.charge.charge_id, result.refused, now)
    return settle(payment, after, now, policy)
