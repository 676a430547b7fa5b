"""What only a person may decide: that an order was paid elsewhere, and that a flag is dealt with."""

import uuid
from datetime import datetime

from msgspec.structs import replace

from services.payments.domain.answers import refusal, status_answer, yes
from services.payments.domain.follow_up import taking
from services.payments.domain.orders import not_found
from services.payments.domain.settle import settle
from services.payments.domain.state import BY_HAND, Asker, Charge, Payment, Policy
from shared.decision import Decision
from shared.messages.payments import MarkPayment, ResolveFlag

_NAMESPACE = uuid.UUID("9b1f6a53-4a3c-5f8e-8a0d-5c7a4f1e2d33")  # ours alone; ids of charges marked by hand


def mark_payment(
    payment: Payment, command: MarkPayment, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Paid, because a person says so: a line of its own in the books, with source, person and reason."""
    key = command.idempotency
    if not payment.registered:
        return Decision(payment, answers=not_found(asker, key))
    if not (command.source and command.person and command.reason):
        return refusal(payment, asker, "invalid-field", "source, person and reason must be given", key)
    if payment.standing is not None:
        return refusal(payment, asker, "already-paid", "this order is paid", key)
    if payment.closed is not None and not policy.reopens_late:
        return refusal(payment, asker, "order-closed", f"this order is {payment.closed}", key)
    if taking(payment) or any(c.state in ("pending", "authorized") for c in payment.charges):
        detail = "a payment of this order is under way: wait for its end, or cancel it"
        return refusal(payment, asker, "attempt-in-flight", detail, key)
    marked = Charge(
        charge_id=f"hand-{uuid.uuid5(_NAMESPACE, payment.id).hex}",
        provider=BY_HAND,
        account=command.source[:100],
        provider_order_id="",
        state="captured",
        amount=payment.amount,
        currency=payment.currency,
        at=now,
        by=f"{command.person}: {command.reason}"[:300],
    )
    after = replace(payment, charges=(*payment.charges, marked))
    decision = settle(payment, after, now, policy)
    return yes(decision, asker, status_answer(decision.state), key)


def resolve_flag(
    payment: Payment, command: ResolveFlag, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """The flag stays on record with who dealt with it and why; it no longer asks for attention."""
    key = command.idempotency
    if not payment.registered:
        return Decision(payment, answers=not_found(asker, key))
    if not (command.person and command.reason):
        return refusal(payment, asker, "invalid-field", "person and reason must be given", key)
    wanted = (command.flag, command.subject)
    if all((f.reason, f.subject) != wanted or f.resolved_at is not None for f in payment.flags):
        return refusal(payment, asker, "flag-not-found", "no such flag waits for a person", key)
    resolved = tuple(
        replace(f, resolved_at=now, resolved_by=command.person[:100], resolution=command.reason[:300])
        if (f.reason, f.subject) == wanted and f.resolved_at is None
        else f
        for f in payment.flags
    )
    decision = settle(payment, replace(payment, flags=resolved), now, policy)
    return yes(decision, asker, status_answer(decision.state), key)
