"""What follows from a state by itself: which capture stands, what is captured, given back and cancelled."""

import uuid
from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.payments.domain.amounts import refundable
from services.payments.domain.state import (
    BY_HAND,
    Attempt,
    Charge,
    Flag,
    Payment,
    Policy,
    ProviderPolicy,
    Refund,
)
from shared.decision import Task

CAPTURE, REFUND, CANCEL = 10, 10, 50  # task priorities: lower goes first
_NAMESPACE = uuid.UUID("b3d1a4f8-0f5e-5f0c-8f55-0d8f6a3f6b21")  # ours alone; refund ids derive from it


def follow_up(
    payment: Payment, now: datetime, policy: Policy
) -> tuple[Payment, tuple[Task, ...], tuple[str, ...]]:
    """(the payment after all that follows, tasks to begin, keys of tasks nobody needs)."""
    payment = _standing(payment, now, policy)
    payment, surplus = _surplus(payment, now, policy)
    payment, captures, over = _captures(payment, policy)
    payment, approvals = _approvals(payment, policy)
    payment, cancels = _cancels(payment, policy)
    return payment, surplus + captures + approvals + cancels, over


def flag(payment: Payment, reason: str, subject: str, note: str, now: datetime) -> Payment:
    """The payment with this flag; the same (reason, subject) is raised once."""
    if any((f.reason, f.subject) == (reason, subject) for f in payment.flags):
        return payment
    return replace(payment, flags=(*payment.flags, Flag(reason, subject, note, now)))


# --- captures that arrived --------------------------------------------------------------------------------


def _standing(payment: Payment, now: datetime, policy: Policy) -> Payment:
    """The first fitting capture stands; one that came after the end too, where policy reopens the order."""
    if payment.standing is not None or (payment.closed is not None and not policy.reopens_late):
        return payment
    first = next((c for c in payment.charges if c.state == "captured" and payment.fits(c)), None)
    if first is None:
        return payment
    payment = replace(with_charge(payment, replace(first, stands=True)), paid_at=now)
    if payment.closed is not None:
        note = f"captured after the order was {payment.closed}"
        payment = flag(payment, "late_success", first.charge_id, note, now)
    return payment


def _surplus(payment: Payment, now: datetime, policy: Policy) -> tuple[Payment, tuple[Task, ...]]:
    """Every other fitting capture is money that is not ours: it goes back by itself, or a person is asked."""
    tasks: list[Task] = []
    for charge in payment.charges:
        if charge.state != "captured" or charge.stands or not payment.fits(charge):
            continue
        if payment.standing is None and payment.closed is None:
            continue
        left = refundable(payment, charge)
        if left == 0:
            continue
        sent = [
            r for r in payment.refunds if r.origin == "policy" and (r.provider, r.charge_id) == charge.ref
        ]
        if failed := next((r for r in sent if r.state == "failed"), None):
            payment = flag(payment, "refund_refused", charge.charge_id, failed.failure, now)
        elif _may_refund(charge, left, policy):
            # More than once when something that had taken of it came back: a refund made elsewhere failed.
            name = f"surplus/{charge.provider}/{charge.charge_id}"
            refund_id = new_refund_id(payment, f"{name}/{len(sent)}" if sent else name)
            reason = "second capture of the order" if payment.standing else f"the order was {payment.closed}"
            payment, task = with_new_refund(payment, charge, refund_id, left, "policy", reason, now)
            tasks.append(task)
        else:
            note = "captured although the order did not need it: the money must go back"
            payment = flag(payment, "duplicate_capture", charge.charge_id, note, now)
    return payment, tuple(tasks)


def _may_refund(charge: Charge, amount: int, policy: Policy) -> bool:
    if not policy.refunds_surplus or charge.provider not in policy.providers:
        return False
    return amount <= policy.refund_max.get(charge.currency, amount)


def new_refund_id(payment: Payment, name: str) -> str:
    """The id of a refund of this payment: the same for the same name."""
    return f"rf-{uuid.uuid5(_NAMESPACE, f'{payment.id}/{name}').hex}"


def with_new_refund(
    payment: Payment, charge: Charge, refund_id: str, amount: int, origin: str, reason: str, now: datetime,
    by: str = "",
) -> tuple[Payment, Task]:  # fmt: skip
    """The payment with this much reserved, and the task that gives it back."""
    refund = Refund(
        id=refund_id,
        provider=charge.provider,
        charge_id=charge.charge_id,
        provider_order_id=charge.provider_order_id,
        state="requested",
        amount=amount,
        currency=charge.currency,
        origin="api" if origin == "api" else "policy",
        created_at=now,
        reason=reason,
        by=by,
    )
    return replace(payment, refunds=(*payment.refunds, refund)), refund_task(payment, refund)


def refund_task(payment: Payment, refund: Refund, tries: int = 0, delay_s: float = 0.0) -> Task:
    """The durable intent: the exact request, under the refund's own id for ever."""
    request = {
        "order_id": payment.order_id,
        "refund_id": refund.id,
        "provider": refund.provider,
        "provider_order_id": refund.provider_order_id,
        "charge_id": refund.charge_id,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason,
        "tries": tries,
    }
    payload = msgspec.json.encode(request)
    return Task("refund", f"refund:{refund.id}", payment.order_id, payload, delay_s, REFUND)


# --- authorisations and approvals to take -----------------------------------------------------------------


def payable(payment: Payment) -> bool:
    """Whether money may still be taken for this order."""
    return payment.standing is None and payment.closed is None


def taking(payment: Payment) -> bool:
    """Whether money is being taken right now; a second capture must not begin meanwhile."""
    asked = any(c.capture_asked and c.state == "authorized" for c in payment.charges)
    return asked or any(a.capturing for a in payment.attempts)


def _captures(payment: Payment, policy: Policy) -> tuple[Payment, tuple[Task, ...], tuple[str, ...]]:
    """Takes at most one authorisation per order, and only while the order can still be paid."""
    asked = [c for c in payment.charges if c.capture_asked]
    over = tuple(capture_key(c) for c in asked if not payable(payment) or c.state != "authorized")
    if not payable(payment) or payment.capture != "automatic" or taking(payment):
        return payment, (), over
    wanted = next(
        (c for c in payment.charges if c.state == "authorized" and payment.fits(c) and not c.capture_asked),
        None,
    )
    if wanted is None:
        return payment, (), over
    payment = with_charge(payment, replace(wanted, capture_asked=True))
    return payment, (capture_task(payment, wanted, wanted.amount, policy.capture_grace_s),), over


def capture_key(charge: Charge) -> str:
    return f"capture:{charge.provider}:{charge.charge_id}"


def capture_task(payment: Payment, charge: Charge, amount: int, delay_s: float = 0.0, tries: int = 0) -> Task:
    """The durable intent to take an authorisation."""
    attempt = next((a for a in payment.attempts if a.provider_order_id == charge.provider_order_id), None)
    request = {
        "order_id": payment.order_id,
        "provider": charge.provider,
        "attempt_id": attempt.id if attempt else "",
        "provider_order_id": charge.provider_order_id,
        "charge_id": charge.charge_id,
        "amount": amount,
        "currency": charge.currency,
        "authorized": charge.amount,
        "key": f"capture-{charge.charge_id}"[:108],
        "tries": tries,
    }
    payload = msgspec.json.encode(request)
    return Task("capture", capture_key(charge), payment.order_id, payload, delay_s, CAPTURE)


def _approvals(payment: Payment, policy: Policy) -> tuple[Payment, tuple[Task, ...]]:
    """One capture per approval: after a decline only once the buyer came back, or approved anew."""
    if not payable(payment) or taking(payment):
        return payment, ()
    for attempt in payment.attempts:
        provider = policy.providers.get(attempt.provider)
        if provider is None or not provider.capture_on_approval or not attempt.approved:
            continue
        if any(c.state in ("pending", "captured") for c in payment.charges_of(attempt)):
            continue
        if attempt.captures_asked and attempt.verify_asked <= attempt.captured_for:
            continue
        asked = replace(attempt, captures_asked=attempt.captures_asked + 1, captured_for=attempt.verify_asked)
        return with_attempt(payment, asked), (approval_task(payment, asked),)
    return payment, ()


def approval_task(payment: Payment, attempt: Attempt, delay_s: float = 0.0, tries: int = 0) -> Task:
    """The durable intent to take what the buyer approved: one provider key per approval."""
    number = attempt.captures_asked
    request = {
        "order_id": payment.order_id,
        "provider": attempt.provider,
        "attempt_id": attempt.id,
        "provider_order_id": attempt.provider_order_id,
        "charge_id": "",
        "amount": attempt.amount,
        "currency": attempt.currency,
        "authorized": attempt.amount,
        "key": f"{attempt.id}-c{number}",
        "number": number,
        "tries": tries,
    }
    payload = msgspec.json.encode(request)
    return Task("capture", approval_key(attempt), payment.order_id, payload, delay_s, CAPTURE)


def approval_key(attempt: Attempt) -> str:
    """The key of the task that takes the newest approval of an attempt."""
    return f"capture:{attempt.id}:{attempt.captures_asked}"


# --- orders at providers that nobody needs any more ---------------------------------------------------------


def _cancels(payment: Payment, policy: Policy) -> tuple[Payment, tuple[Task, ...]]:
    """Closes what a buyer could still pay, and gives authorisations back, where the provider can."""
    tasks: list[Task] = []
    for attempt in payment.attempts:
        provider = policy.providers.get(attempt.provider)
        if provider is None or not _cancellable(payment, attempt, provider):
            continue
        payment = with_attempt(payment, replace(attempt, cancel_asked=True))
        tasks.append(cancel_task(payment, attempt))
    return payment, tuple(tasks)


def _cancellable(payment: Payment, attempt: Attempt, provider: ProviderPolicy) -> bool:
    if attempt.provider_order_id is None or attempt.cancel_asked or attempt.cancelled:
        return False
    if payment.closed is None and payment.standing is None and attempt.state not in ("expired", "superseded"):
        return False
    states = {c.state for c in payment.charges_of(attempt)}
    if "captured" in states:
        return False
    return provider.void if "authorized" in states else provider.cancel_open


def cancel_task(payment: Payment, attempt: Attempt) -> Task:
    request = {
        "order_id": payment.order_id,
        "provider": attempt.provider,
        "attempt_id": attempt.id,
        "provider_order_id": attempt.provider_order_id,
    }
    payload = msgspec.json.encode(request)
    return Task("cancel", f"cancel:{attempt.id}", payment.order_id, payload, priority=CANCEL)


# --- copies -------------------------------------------------------------------------------------------------


def with_attempt(payment: Payment, attempt: Attempt) -> Payment:
    """The payment with this attempt in place of the one with its id."""
    attempts = tuple(attempt if a.id == attempt.id else a for a in payment.attempts)
    return replace(payment, attempts=attempts)


def with_charge(payment: Payment, charge: Charge) -> Payment:
    """The payment with this charge in place of the one with its id."""
    charges = tuple(charge if c.ref == charge.ref else c for c in payment.charges)
    return replace(payment, charges=charges)


def with_refund(payment: Payment, refund: Refund) -> Payment:
    """The payment with this refund in place of the one with its id."""
    refunds = tuple(refund if r.id == refund.id else r for r in payment.refunds)
    return replace(payment, refunds=refunds)


def marked_by_hand(charge: Charge) -> bool:
    """Whether a person, not a provider, says that this was captured."""
    return charge.provider == BY_HAND
