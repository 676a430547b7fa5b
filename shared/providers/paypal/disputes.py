"""PayPal's disputes, read into facts."""

from shared.errors import Malformed
from shared.messages.facts import DisputeFact, DisputeMoney, DisputeState
from shared.providers.paypal.amounts import minor_units
from shared.providers.paypal.entities import Dispute, Movement

_OPEN: dict[str, DisputeState] = {
    "OPEN": "open",
    "WAITING_FOR_SELLER_RESPONSE": "open",
    "OTHER": "open",
    "WAITING_FOR_BUYER_RESPONSE": "under_review",
    "UNDER_REVIEW": "under_review",
}
# PayPal docs, Disputes v1, Dispute outcome. With a payout PayPal pays the buyer itself: we keep ours.
_RESOLVED: dict[str, DisputeState] = {
    "RESOLVED_BUYER_FAVOUR": "lost",
    "ACCEPTED": "lost",
    "RESOLVED_SELLER_FAVOUR": "won",
    "RESOLVED_WITH_PAYOUT": "won",
    "DENIED": "won",
    "CANCELED_BY_BUYER": "closed",
    "NONE": "closed",
}


def dispute(entity: Dispute) -> DisputeFact:
    """The fact a dispute states. An inquiry is between buyer and seller; later PayPal or a bank decides."""
    charge_id = next((t.seller_transaction_id for t in entity.disputed_transactions), "")
    if not charge_id:
        raise Malformed("provider-answer-unreadable", f"dispute {entity.dispute_id} names no transaction")
    state = _state(entity)
    currency = entity.dispute_amount.currency_code.upper()
    return DisputeFact(
        dispute_id=entity.dispute_id,
        charge_id=charge_id,
        kind="inquiry" if entity.dispute_life_cycle_stage == "INQUIRY" else "chargeback",
        state=state,
        money=_money(entity, state),
        amount=minor_units(entity.dispute_amount.value, currency),
        currency=currency,
        reason=entity.reason.lower(),
        respond_by=entity.seller_response_due_date,
        at=entity.create_time,
        moved_at=max((m.initiated_time for m in _movements(entity) if m.initiated_time), default=None),
    )


def _state(entity: Dispute) -> DisputeState:
    if entity.status != "RESOLVED":
        return _OPEN.get(entity.status, "open")
    code = entity.dispute_outcome.outcome_code if entity.dispute_outcome is not None else "NONE"
    return _RESOLVED.get(code, "closed")


def _money(entity: Dispute, state: DisputeState) -> DisputeMoney:
    """By what moved on our side of it; a dispute that lists no movements has taken money when it was lost."""
    ours = _movements(entity)
    if not ours:
        return "withdrawn" if state == "lost" else "none"
    taken = sum(_signed(each.type, each.amount.value, each.amount.currency_code) for each in ours)
    return "withdrawn" if taken > 0 else "reinstated"


def _movements(entity: Dispute) -> list[Movement]:
    return [each for each in (*entity.fund_movements, *entity.money_movements) if each.ours]


def _signed(kind: str, value: str, currency: str) -> int:
    amount = minor_units(value, currency.upper())
    return -amount if kind == "CREDIT" else amount
