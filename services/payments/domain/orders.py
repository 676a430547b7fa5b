"""Orders come in, change while nothing was tried, and are cancelled."""

import hashlib
import re
import uuid
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from services.payments.domain.answers import status_answer
from services.payments.domain.follow_up import flag
from services.payments.domain.looks import look_task
from services.payments.domain.settle import settle
from services.payments.domain.state import Asker, Attempt, Payment, Policy
from shared.decision import Answer, Decision, Outgoing, Task
from shared.errors import Rejected
from shared.messages.base import IdempotencyKey
from shared.messages.orders import OrderPlaced
from shared.messages.payments import CancelOrder
from shared.money import AMOUNT_MAX, currencies

ORDERS = "orders.events"
ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
EMAIL_LENGTH_MAX = 254  # RFC 5321, 4.5.3.1.3; customers are found by an index of it
_NAMESPACE = uuid.UUID("6f0c7b52-8a52-5d0e-9c0c-2f6d3d1f7a10")  # ours alone; payment ids derive from it


def fingerprint(order: OrderPlaced) -> bytes:
    """Equal for equal content, whatever its revision."""
    content = msgspec.json.encode(replace(order, revision=None), order="sorted")
    return hashlib.blake2b(content, digest_size=16).digest()


def check_order(order: OrderPlaced) -> None:
    """Raises Rejected unless it can be held and the lines add up to the amount.

    Over HTTP the same is refused earlier; a shop's own messages come here as they are.
    """
    if not ORDER_ID.fullmatch(order.order_id):
        raise Rejected("wrong-value", "the order's id is not 1 to 40 letters, digits, hyphens or underscores")
    if not 0 < order.amount <= AMOUNT_MAX:
        raise Rejected("amount-out-of-range", f"the amount {order.amount} is not from 1 to {AMOUNT_MAX}")
    if order.currency not in currencies():
        raise Rejected("currency-not-supported", f"{order.currency!r:.20} is no ISO 4217 code in upper case")
    if len(order.customer.email) > EMAIL_LENGTH_MAX:
        raise Rejected("wrong-value", f"the e-mail address has more than {EMAIL_LENGTH_MAX} characters")
    total = sum(line.quantity * line.unit_amount for line in order.lines)
    if total != order.amount:
        raise Rejected("amount-mismatch", f"the lines add up to {total}, the order says {order.amount}")


def place_order(
    payment: Payment, order: OrderPlaced, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Holds the order, replaces its content while nothing was tried, or refuses. Repeating is harmless."""
    try:
        check_order(order)
    except Rejected as refused:
        return _refused(payment, asker, refused)
    content_fingerprint = fingerprint(order)
    if payment.registered and payment.fingerprint == content_fingerprint:
        return Decision(payment, answers=_answer(payment, asker, "unchanged"))
    if payment.registered and (payment.attempts or payment.closed or payment.standing):
        started = Rejected("order-already-started", "a payment was tried: the order can no longer change")
        return _refused(payment, asker, started)
    after = _held(payment, order, content_fingerprint, now, policy)
    change = "replaced" if payment.registered else "created"
    close = Task("close", f"close:{order.order_id}", order.order_id, delay_s=policy.payment_window_s)
    decision = settle(payment, after, now, policy, created=True, tasks=(close,))
    placed = replace(order, revision=after.revision)
    published = Outgoing(ORDERS, order.order_id, placed, now)
    return replace(
        decision,
        events=(published, *decision.events),
        answers=_answer(decision.state, asker, change),
    )


def _held(
    payment: Payment, order: OrderPlaced, content_fingerprint: bytes, now: datetime, policy: Policy
) -> Payment:
    created_at = payment.created_at or now
    return replace(
        payment,
        id=payment.id or str(uuid.uuid5(_NAMESPACE, f"{order.order_id}|{now.isoformat()}")),
        amount=order.amount,
        currency=order.currency,
        capture=order.capture,
        revision=payment.revision + 1,
        content=order.encode(),
        fingerprint=content_fingerprint,
        erased=payment.erased or order.erased,
        created_at=created_at,
        closes_at=created_at + timedelta(seconds=policy.payment_window_s),
    )


def cancel_order(
    payment: Payment, command: CancelOrder, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Closes an unpaid order. A paid one moves no money: it is flagged for a person."""
    if not payment.registered:
        return Decision(payment, answers=not_found(asker))
    if payment.standing is not None:
        note = f"cancelled after it was paid: {command.reason}"[:300]
        after = flag(payment, "cancel_after_payment", payment.order_id, note, now)
    elif payment.closed is not None:
        after = payment
    else:
        after = replace(payment, closed="cancelled", closed_at=now)
    tasks = late_looks(after, policy) if after.closed and not payment.closed else ()
    decision = settle(payment, after, now, policy, tasks=tasks)
    answer = Answer(asker.correlation_id, "ok", status_answer(decision.state))
    return replace(decision, answers=(*decision.answers, answer))


def late_looks(payment: Payment, policy: Policy) -> tuple[Task, ...]:
    """The first look for a late success at each provider order that a buyer may have paid."""
    return tuple(task for a in payment.attempts for task in late_look(payment, a, policy, 0))


def late_look(payment: Payment, attempt: Attempt, policy: Policy, round_: int) -> tuple[Task, ...]:
    """Look number `round_` after the end, or none when the provider can no longer surprise us."""
    provider = policy.providers.get(attempt.provider)
    delays = provider.look_after_close_s if provider else ()
    if attempt.provider_order_id is None or round_ >= len(delays):
        return ()
    delay_s = delays[round_] - (delays[round_ - 1] if round_ else 0.0)
    return (look_task(payment, attempt.id, "late", delay_s, round_),)


def not_found(asker: Asker, key: IdempotencyKey | None = None) -> tuple[Answer, ...]:
    """The answer to a command about an order that we do not hold; kept under the asker's key, if any."""
    stored = (key.principal, key.key) if key else None
    detail = "no such order is held here"
    return (Answer(asker.correlation_id, "order-not-found", detail=detail, stored_under=stored),)


def _refused(payment: Payment, asker: Asker, refused: Rejected) -> Decision[Payment]:
    if asker.correlation_id is None:
        raise refused  # an order from the topic that cannot be held is parked for a person, never dropped
    return Decision(payment, answers=(Answer(asker.correlation_id, refused.code, detail=refused.detail),))


def _answer(payment: Payment, asker: Asker, change: str) -> tuple[Answer, ...]:
    body = {
        "order_id": payment.order_id,
        "status": payment.status,
        "payment_id": payment.id,
        "revision": payment.revision,
        "change": change,
    }
    return (Answer(asker.correlation_id, "ok", msgspec.json.encode(body)),)
