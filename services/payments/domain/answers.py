"""Answers to those who wait: known at once, or with a later result."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.payments.domain.follow_up import payable
from services.payments.domain.state import Asker, Payment, Waiter
from shared.decision import Answer, Decision
from shared.messages.base import IdempotencyKey


def answered(payment: Payment, now: datetime) -> tuple[Payment, tuple[Answer, ...]]:
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
        return _verify_answer(payment, waiter)
    if waiter.provider and payable(payment):
        newest = payment.newest
        if newest is None or newest.state in ("open", "expired"):
            return None  # that attempt is looked at before another provider is asked
    return create_answer(payment, waiter.correlation_id)


def _verify_answer(payment: Payment, waiter: Waiter) -> Answer | None:
    """Known once a read followed this return, and the capture that it led to has ended."""
    attempt = next((a for a in payment.attempts if a.id == waiter.attempt), payment.current)
    if payment.standing is None and payment.closed is None and attempt is not None:
        if attempt.verify_answered < waiter.verify or attempt.capturing:
            return None
        if attempt.captures_declined and payment.detail == "declined":
            detail = "the provider declined this way to pay: let the buyer choose another one"
            return Answer(waiter.correlation_id, "instrument-declined", status_answer(payment), detail)
    return Answer(waiter.correlation_id, "ok", status_answer(payment))


def refusal(
    payment: Payment,
    asker: Asker,
    code: str,
    detail: str,
    key: IdempotencyKey | None = None,
    answer: bytes = b"{}",
) -> Decision[Payment]:
    """A no that changes nothing, kept under the asker's key so that a repetition hears the same."""
    stored = (key.principal, key.key) if key else None
    return Decision(payment, answers=(Answer(asker.correlation_id, code, answer, detail, stored),))


def yes(
    decision: Decision[Payment], asker: Asker, answer: bytes, key: IdempotencyKey | None
) -> Decision[Payment]:
    """The decision with its final answer, kept under the asker's key."""
    stored = (key.principal, key.key) if key else None
    given = Answer(asker.correlation_id, "ok", answer, stored_under=stored)
    return replace(decision, answers=(*decision.answers, given))


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
