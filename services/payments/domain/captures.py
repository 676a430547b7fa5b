"""Taking money: by hand, and what the provider says after we asked for it."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.payments.domain.answers import refusal, status_answer, yes
from services.payments.domain.charges import charges_learned
from services.payments.domain.follow_up import (
    approval_task,
    capture_task,
    flag,
    payable,
    taking,
    with_attempt,
    with_charge,
)
from services.payments.domain.orders import not_found
from services.payments.domain.settle import settle
from services.payments.domain.state import Asker, Attempt, Charge, Payment, Policy
from shared.decision import Decision, Task
from shared.errors import Rejected
from shared.messages.facts import CaptureEnded, CaptureUnanswered
from shared.messages.payments import CapturePayment

UNANSWERED_RETRY_S = (0.5, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)  # between looks at an unknown capture
PERSON_AFTER = 7  # looks without an answer, about 7 minutes


def capture_payment(
    payment: Payment, command: CapturePayment, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Takes an authorisation, or a part of it where the provider can; the rest is released."""
    if not payment.registered:
        return Decision(payment, answers=not_found(asker, command.idempotency))
    try:
        charge = _charge_to_take(payment)
        amount = _amount(payment, charge, command.amount, policy)
    except Rejected as refused:
        body = status_answer(payment)
        return refusal(payment, asker, refused.code, refused.detail, command.idempotency, body)
    asked = replace(charge, capture_asked=True, capture_amount=amount)
    after = with_charge(payment, asked)
    decision = settle(payment, after, now, policy, tasks=(capture_task(after, asked, amount),))
    answer = msgspec.json.decode(status_answer(decision.state)) | {"amount": amount}
    return yes(decision, asker, msgspec.json.encode(answer), command.idempotency)


def _charge_to_take(payment: Payment) -> Charge:
    """The authorisation that stands open. Raises Rejected."""
    if payment.standing is not None:
        raise Rejected("already-paid", "this order is paid")
    if payment.closed is not None:
        raise Rejected("order-closed", f"this order is {payment.closed}")
    if payment.capture == "manual" and taking(payment):
        raise Rejected("capture-in-progress", "a capture of this order is on its way")
    found = next((c for c in payment.charges if c.state == "authorized" and payment.fits(c)), None)
    if found is None:
        raise Rejected("nothing-to-capture", "nothing is authorised for this order")
    return found


def _amount(payment: Payment, charge: Charge, wanted: int | None, policy: Policy) -> int:
    """How much to take. Raises Rejected."""
    amount = charge.amount if wanted is None else wanted
    if amount > charge.amount:
        detail = f"{charge.amount} in minor units of {payment.currency} are authorised"
        raise Rejected("capture-exceeds-authorized", detail)
    provider = policy.providers.get(charge.provider)
    if amount < charge.amount:
        if provider is None or not provider.partial_capture:
            raise Rejected("not-supported-by-provider", f"{charge.provider} captures all or nothing")
        provider.check_amount(amount, payment.currency)
    return amount


def capture_ended(payment: Payment, result: CaptureEnded, now: datetime, policy: Policy) -> Decision[Payment]:
    """What the provider says after we asked for the money."""
    after = payment
    if result.charge is not None:
        after = charges_learned(payment, result.provider, (result.charge,), now)
    attempt = next((a for a in after.attempts if a.id == result.attempt_id), None)
    news = attempt is not None and result.number > attempt.captures_declined
    if attempt is not None and news and _was_declined(after, result):
        after = with_attempt(after, _declined(attempt, result.number))
    if result.refused and result.charge is not None and result.charge.state == "authorized":
        after = flag(after, "capture_refused", result.charge.charge_id, result.refused, now)
        after = _may_be_asked_again(after, result.provider, result.charge.charge_id)
    return settle(payment, after, now, policy)


def _may_be_asked_again(payment: Payment, provider: str, charge_id: str) -> Payment:
    """Of a manual order: nothing is under way any more, and whoever asked for it may ask once more."""
    if payment.capture == "manual":
        for charge in payment.charges:
            if charge.ref == (provider, charge_id) and charge.state == "authorized":
                payment = with_charge(payment, replace(charge, capture_asked=False))
    return payment


def _was_declined(payment: Payment, result: CaptureEnded) -> bool:
    """Whether this capture of an approval is over without money, as this says or as is known by now."""
    if result.refused or result.charge is None:
        return bool(result.refused)
    ref = result.provider, result.charge.charge_id
    return any(c.ref == ref and c.state == "failed" for c in payment.charges)


def _declined(attempt: Attempt, number: int) -> Attempt:
    """Then the buyer may approve again; every approval and return until now belongs to that capture."""
    return replace(
        attempt,
        captures_declined=max(attempt.captures_declined, number),
        captured_for=attempt.verify_asked,
        approved=False,
    )


def pending_captures_declined(before: Payment, after: Payment) -> Payment:
    """The payment after captures of approvals that the provider held for a while, and then declined."""
    held = {c.ref for c in before.charges if c.state == "pending"}
    for charge in after.charges:
        if charge.state != "failed" or charge.ref not in held:
            continue
        for attempt in after.attempts:
            of_this = attempt.provider == charge.provider
            of_this = of_this and attempt.provider_order_id == charge.provider_order_id
            if of_this and attempt.capturing:
                after = with_attempt(after, _declined(attempt, attempt.captures_asked))
    return after


def capture_unanswered(
    payment: Payment, result: CaptureUnanswered, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Unknown is not failed: read again, with longer pauses, and a person is told; nothing else begins."""
    tries = result.tries + 1
    delay_s = UNANSWERED_RETRY_S[min(tries, len(UNANSWERED_RETRY_S)) - 1]
    task = _same_again(payment, result, delay_s, tries)
    if task is None:
        return Decision(payment)
    after = payment
    if tries >= PERSON_AFTER:
        note = f"{payment.amount} {payment.currency}: the provider has not said whether it took this money"
        after = flag(payment, "capture_unknown", result.charge_id or result.attempt_id, note, now)
    return settle(payment, after, now, policy, tasks=(task,))


def _same_again(payment: Payment, result: CaptureUnanswered, delay_s: float, tries: int) -> Task | None:
    """The same capture under the same key; none when its end is known, or nothing may be taken any more."""
    if not payable(payment):
        return None  # what the call did is read (`captures_cut_off`)
    if result.number:
        attempt = next((a for a in payment.attempts if a.id == result.attempt_id), None)
        known = attempt is None or attempt.captures_declined >= result.number
        if attempt is None or known or any(c.state == "captured" for c in payment.charges_of(attempt)):
            return None
        return approval_task(payment, attempt, delay_s, tries)
    charge = next((c for c in payment.charges if c.charge_id == result.charge_id), None)
    if charge is None or charge.state != "authorized" or not charge.capture_asked:
        return None
    return capture_task(payment, charge, charge.capture_amount or charge.amount, delay_s, tries)
