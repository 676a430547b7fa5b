"""The durable intent to open an order at a provider."""

import msgspec

from services.payments.domain.settle import OPEN_ORDER
from services.payments.domain.state import Attempt, Payment
from shared.decision import Task

UNANSWERED_RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # looks for an order whose create got no answer


def open_task(payment: Payment, attempt: Attempt, tries: int = 0) -> Task:
    """The exact request, under a reference from our own row. After a try without answer it looks first.

    An abandoned attempt is only looked for: its order is never made any more.
    """
    request = {
        "order_id": payment.order_id,
        "attempt_id": attempt.id,
        "provider": attempt.provider,
        "amount": attempt.amount,
        "currency": attempt.currency,
        "asked_at": attempt.created_at,
        "capture_automatically": payment.capture == "automatic",
        "lookup_first": tries > 0,
        "only_look": attempt.state == "abandoned",
        "tries": tries,
    }
    delay_s = UNANSWERED_RETRY_S[min(tries, len(UNANSWERED_RETRY_S)) - 1] if tries else 0.0
    key = f"open:{attempt.id}"
    return Task("open_order", key, payment.order_id, msgspec.json.encode(request), delay_s, OPEN_ORDER)
