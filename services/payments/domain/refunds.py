"""Refunds: reserved under the order's lock, given back by a task, and folded like every other fact."""

import uuid
from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.payments.domain.amounts import disputes_of, refundable
from services.payments.domain.answers import refusal, yes
from services.payments.domain.follow_up import (
    flag,
    marked_by_hand,
    new_refund_id,
    refund_task,
    with_new_refund,
    with_refund,
)
from services.payments.domain.orders import not_found
from services.payments.domain.settle import settle
from services.payments.domain.state import REFUND_RANK, Asker, Charge, Payment, Policy, Refund
from shared.decision import Decision, Task
from shared.errors import Rejected
from shared.messages.facts import RefundEnded, RefundFact, RefundUnanswered
from shared.messages.payments import RefundPayment

# Pauses between looks for a refund whose call got no answer; after the last one a person is asked as well.
UNANSWERED_RETRY_S = (0.5, 2.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0)
PERSON_AFTER = 6  # looks without an answer, about 7 minutes
_NAMESPACE = uuid.UUID("3f6a1c1e-6d43-5c0b-9a4f-2f1f0b7c9d55")  # ours alone; ids of refunds made elsewhere


def refund_payment(
    payment: Payment, command: RefundPayment, asker: Asker, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Reserves what is to go back, and gives it back by a task. Refused above what is left, with what is."""
    key = command.idempotency
    if not payment.registered:
        return Decision(payment, answers=not_found(asker, key))
    name = f"{key.principal}/{key.key}" if key else f"refund/{len(payment.refunds)}"
    refund_id = new_refund_id(payment, name)
    if _known(payment, refund_id) is not None:  # the stored answer is gone by now; the refund is not
        return yes(Decision(payment), asker, refund_answer(payment, refund_id), key)
    charge = _charge_to_refund(payment, command.charge_id)
    if charge is None:
        return refusal(payment, asker, "not-paid", "there is no capture of this order to refund", key)
    try:
        amount = _amount(payment, charge, command.amount, policy)
    except Rejected as refused:
        left = {"refundable": refundable(payment, charge), "currency": payment.currency}
        return refusal(payment, asker, refused.code, refused.detail, key, msgspec.json.encode(left))
    after, task = with_new_refund(payment, charge, refund_id, amount, "api", command.reason, now, command.by)
    decision = settle(payment, after, now, policy, tasks=(task,))
    return yes(decision, asker, refund_answer(decision.state, refund_id), key)


def _charge_to_refund(payment: Payment, charge_id: str | None) -> Charge | None:
    if charge_id is None:
        return payment.standing
    return next((c for c in payment.charges if c.charge_id == charge_id and c.state == "captured"), None)


def _amount(payment: Payment, charge: Charge, wanted: int | None, policy: Policy) -> int:
    """How much goes back. Raises Rejected."""
    left = refundable(payment, charge)
    if any(not d.is_over for d in disputes_of(payment, charge)):
        raise Rejected("dispute-open", "a dispute of this payment is open: its money may be taken back by it")
    if marked_by_hand(charge) or charge.provider not in policy.providers:
        raise Rejected("not-supported-by-provider", f"no provider can give back what {charge.provider} took")
    if any(r.unknown for r in payment.refunds):
        raise Rejected("outcome-unknown", "an earlier refund may or may not have happened: it is looked up")
    if left == 0:
        raise Rejected("nothing-to-refund", "all of this capture was given back, reserved or disputed")
    amount = left if wanted is None else wanted
    if amount > left:
        raise Rejected("refund-exceeds-remaining", f"{left} in minor units of {charge.currency} are left")
    if amount != charge.amount:
        policy.providers[charge.provider].check_refund(amount, charge.currency)
    return amount


def refund_answer(payment: Payment, refund_id: str) -> bytes:
    """What the asker of a refund is told at once; how it ends is told by events and by the status."""
    refund = next(r for r in payment.refunds if r.id == refund_id)
    charge = next(c for c in payment.charges if c.ref == (refund.provider, refund.charge_id))
    body = {
        "refund_id": refund.id,
        "order_id": payment.order_id,
        "charge_id": refund.charge_id,
        "status": refund.state,
        "amount": refund.amount,
        "currency": refund.currency,
        "refundable": refundable(payment, charge),
    }
    return msgspec.json.encode(body)


def refund_ended(payment: Payment, result: RefundEnded, now: datetime, policy: Policy) -> Decision[Payment]:
    """What the provider answered: it has the refund, or it will not do it."""
    refund = _known(payment, result.refund_id)
    if refund is None:
        return Decision(payment)
    after = payment
    if result.fact is not None:
        after = refunds_learned(payment, result.provider, (result.fact,), now)
    elif refund.state == "requested":
        failed = replace(refund, state="failed", failure=result.refused[:300], unknown=False)
        after = with_refund(payment, failed)
    return settle(payment, after, now, policy)


def refund_unanswered(
    payment: Payment, result: RefundUnanswered, now: datetime, policy: Policy
) -> Decision[Payment]:
    """Unknown is not failed: looked up under the same id, with longer pauses; later a person is told."""
    refund = _known(payment, result.refund_id)
    if refund is None or refund.state != "requested":
        return Decision(payment)
    tries = result.tries + 1
    after = payment
    if tries >= PERSON_AFTER:
        after = with_refund(payment, replace(refund, unknown=True))
        note = f"{refund.amount} {refund.currency}: the provider has not said whether it did this refund"
        after = flag(after, "refund_unknown", refund.id, note, now)
    delay_s = UNANSWERED_RETRY_S[min(tries, len(UNANSWERED_RETRY_S)) - 1]
    tasks: tuple[Task, ...] = (refund_task(after, refund, tries, delay_s),)
    return settle(payment, after, now, policy, tasks=tasks)


def refunds_learned(payment: Payment, provider: str, facts: Iterable[RefundFact], now: datetime) -> Payment:
    """The payment with these facts joined in. One that we did not ask for was made at the provider."""
    for fact in facts:
        known = _refund_of(payment, provider, fact)
        if known is None:
            made = _made_elsewhere(payment, provider, fact, now)
            payment = replace(payment, refunds=(*payment.refunds, made))
            if _known(payment, fact.reference) is not None:
                note = f"{fact.amount} {fact.currency}: {provider} made {fact.refund_id} besides or after all"
                payment = flag(payment, "refund_mismatch", fact.reference, note, now)
            continue
        if (known.amount, known.currency) != (fact.amount, fact.currency):
            note = f"{fact.amount} {fact.currency} instead of {known.amount} {known.currency}"
            payment = flag(payment, "refund_mismatch", known.id, note, now)
        payment = with_refund(payment, _joined(known, fact))
    return payment


def _joined(known: Refund, fact: RefundFact) -> Refund:
    higher = REFUND_RANK[fact.state] > REFUND_RANK[known.state]
    return replace(
        known,
        state=fact.state if higher else known.state,
        provider_refund_id=known.provider_refund_id or fact.refund_id,
        failure=(fact.failure_text or fact.failure) if higher and fact.state == "failed" else known.failure,
        succeeded=known.succeeded or fact.state == "succeeded",
        unknown=False,
    )


def _made_elsewhere(payment: Payment, provider: str, fact: RefundFact, now: datetime) -> Refund:
    """A refund that somebody made in the provider's dashboard: money moved, so it is in our books."""
    charge = next((c for c in payment.charges if c.ref == (provider, fact.charge_id)), None)
    return Refund(
        id=f"rf-{uuid.uuid5(_NAMESPACE, f'{provider}/{fact.refund_id}').hex}",
        provider=provider,
        charge_id=fact.charge_id,
        provider_order_id=charge.provider_order_id if charge else "",
        state=fact.state,
        amount=fact.amount,
        currency=fact.currency,
        origin="provider",
        created_at=fact.at or now,
        provider_refund_id=fact.refund_id,
        failure=(fact.failure_text or fact.failure) if fact.state == "failed" else "",
        succeeded=fact.state == "succeeded",
    )


def _refund_of(payment: Payment, provider: str, fact: RefundFact) -> Refund | None:
    """Ours by the provider's id; by our reference only while ours waits to hear that id.

    Another one under the same reference is more money that went back: one that the provider made although
    it had refused, or made twice.
    """
    ours = [r for r in payment.refunds if r.provider == provider]
    if named := next((r for r in ours if r.provider_refund_id == fact.refund_id), None):
        return named
    waiting = (r for r in ours if r.provider_refund_id is None and r.state != "failed")
    return next((r for r in waiting if r.id == fact.reference), None)


def _known(payment: Payment, refund_id: str) -> Refund | None:
    return next((r for r in payment.refunds if r.id == refund_id), None)
