"""Disputes: folded from facts, beside the status. Money that one holds is not ours to give back."""

from collections.abc import Iterable

from msgspec.structs import replace

from services.payments.domain.state import DISPUTE_MONEY_RANK, DISPUTE_RANK, Dispute, Payment
from shared.messages.facts import DisputeFact


def disputes_learned(payment: Payment, provider: str, facts: Iterable[DisputeFact]) -> Payment:
    """The payment with these facts joined in: `created` after `closed` changes nothing."""
    disputes = {(d.provider, d.dispute_id): d for d in payment.disputes}
    for fact in facts:
        known = disputes.get((provider, fact.dispute_id))
        new = _dispute(provider, fact)
        disputes[provider, fact.dispute_id] = _joined(known, new) if known else new
    return replace(payment, disputes=tuple(disputes.values()))


def _joined(known: Dispute, new: Dispute) -> Dispute:
    """The higher state and the higher money, each for itself; the rest from whichever is further on."""
    further, other = (new, known) if DISPUTE_RANK[new.state] > DISPUTE_RANK[known.state] else (known, new)
    money = max(known.money, new.money, key=lambda m: DISPUTE_MONEY_RANK[m])
    kind = "chargeback" if "chargeback" in (known.kind, new.kind) else "inquiry"
    return replace(
        further,
        money=money,
        kind=kind,
        amount=max(known.amount, new.amount),
        reason=further.reason or other.reason,
        respond_by=_later(known, new),
        at=known.at or new.at,
    )


def _later(one: Dispute, two: Dispute) -> object:
    return max(filter(None, (one.respond_by, two.respond_by)), default=None)


def _dispute(provider: str, fact: DisputeFact) -> Dispute:
    return Dispute(
        dispute_id=fact.dispute_id,
        provider=provider,
        charge_id=fact.charge_id,
        kind=fact.kind,
        state=fact.state,
        money=fact.money,
        amount=fact.amount,
        currency=fact.currency,
        reason=fact.reason,
        respond_by=fact.respond_by,
        at=fact.at,
    )
