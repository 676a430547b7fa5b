"""Charges: folded from facts, whatever their order and number."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from services.payments.domain.follow_up import flag
from services.payments.domain.state import CHARGE_RANK, Charge, Payment
from shared.messages.facts import ChargeFact


def charges_learned(payment: Payment, provider: str, facts: Iterable[ChargeFact], now: datetime) -> Payment:
    """The payment with these facts joined in. One that is not for what we asked is flagged, at once."""
    charges = {(c.provider, c.charge_id): c for c in payment.charges}
    accounts = {a.provider: a.account for a in payment.attempts}
    for fact in facts:
        known = charges.get((provider, fact.charge_id))
        new = _charge(provider, accounts.get(provider, ""), fact, known)
        charges[provider, fact.charge_id] = _joined(payment, known, new) if known else new
        if not payment.fits(new):
            note = f"{new.amount} {new.currency} instead of {payment.amount} {payment.currency}"
            payment = flag(payment, "amount_mismatch", new.charge_id, note, now)
    if tuple(charges.values()) == payment.charges:
        return payment
    return replace(payment, charges=tuple(charges.values()))


def _charge(provider: str, account: str, fact: ChargeFact, known: Charge | None) -> Charge:
    """The charge as this fact has it, with what we decided about it."""
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
        capture_before=fact.capture_before,
        stands=known.stands if known else False,
        capture_asked=known.capture_asked if known else False,
        capture_amount=known.capture_amount if known else 0,
    )


def _joined(payment: Payment, known: Charge, new: Charge) -> Charge:
    """The higher of what was known and what is said now: order and repetition cannot matter."""

    def height(charge: Charge) -> tuple[int, bool, int, str]:
        return CHARGE_RANK[charge.state], payment.fits(charge), charge.amount, charge.currency

    if height(new) <= height(known):
        if known.state == "authorized":  # not every message of one says when it lapses
            return replace(known, capture_before=known.capture_before or new.capture_before)
        return known
    return replace(new, capture_before=new.capture_before or known.capture_before)
