"""Reads of an attempt at its provider: what it shows are facts like all others."""

import msgspec

from services.payments.domain.follow_up import approval_key, payable
from services.payments.domain.state import Attempt, Payment
from shared.decision import Task

LOOK = 60  # task priority: lower goes first
CALLS_ENDED_S = 60.0  # whatever call was on its way has had its effect by then, or never will


def look_task(payment: Payment, attempt_id: str, reason: str, delay_s: float, round_: int = 0) -> Task:
    """A read of one attempt. At most one that is scheduled waits per attempt, and one that was asked for.

    The second has a key of its own: an order that is paid meanwhile needs no schedule any more, yet what
    somebody asked for, or a webhook only hinted at, may be a refund.
    """
    attempt = next(a for a in payment.attempts if a.id == attempt_id)
    request = {
        "order_id": payment.order_id,
        "attempt_id": attempt.id,
        "provider": attempt.provider,
        "provider_order_id": attempt.provider_order_id,
        "reason": reason,
        "round": round_,
    }
    key = f"{'asked' if reason == 'asked' else 'look'}:{attempt.id}"
    return Task("look", key, payment.order_id, msgspec.json.encode(request), delay_s, LOOK)


def captures_cut_off(before: Payment, after: Payment) -> tuple[tuple[str, ...], tuple[Task, ...]]:
    """(tasks to drop, looks to begin) when an order's end comes while money is being taken for it.

    None is taken any more; what a call that is on its way still does is read when it has ended.
    """
    if not payable(before) or payable(after):
        return (), ()
    in_doubt = [a for a in after.attempts if a.provider_order_id is not None and _in_doubt(after, a)]
    dropped = tuple(approval_key(a) for a in in_doubt if a.capturing)
    return dropped, tuple(look_task(after, a.id, "asked", CALLS_ENDED_S) for a in in_doubt)


def _in_doubt(payment: Payment, attempt: Attempt) -> bool:
    charges = payment.charges_of(attempt)
    if any(c.state == "captured" for c in charges):
        return False
    return attempt.capturing or any(c.capture_asked and c.state == "authorized" for c in charges)
