"""Stripe's objects, read into facts. An amount leaves here in our own minor units."""

from datetime import UTC, datetime
from typing import Literal

from shared.errors import Malformed
from shared.messages.facts import (
    ChargeFact,
    ChargeState,
    DisputeFact,
    DisputeMoney,
    DisputeState,
    ProviderOrderFact,
    RefundFact,
    RefundState,
    Seen,
    SettlementLine,
)
from shared.providers.stripe.amounts import from_stripe
from shared.providers.stripe.objects import BalanceLine, Charge, Dispute, Intent, Refund, Source

REFERENCE = "reference"  # in the metadata of intents and refunds: our attempt's, our refund's id
ORDER = "order_id"  # beside it

LineKind = Literal["payment", "refund", "dispute", "fee", "payout", "adjustment"]

_INTENT_STATES = frozenset(
    "requires_payment_method requires_confirmation requires_action processing requires_capture canceled "
    "succeeded".split()
)
_REFUND_STATES: dict[str | None, RefundState] = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
_DISPUTE_STATES: dict[str, DisputeState] = {
    "warning_needs_response": "open",
    "warning_under_review": "under_review",
    "warning_closed": "closed",
    "needs_response": "open",
    "under_review": "under_review",
    "appeal_needs_response": "open",
    "appeal_under_review": "under_review",
    "prevented": "closed",
    "charge_refunded": "closed",
    "won": "won",
    "lost": "lost",
}
_LINE_KINDS: dict[str, LineKind] = {
    "charge": "payment",
    "payment": "payment",
    "payment_reversal": "payment",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund",
    "payment_failure_refund": "refund",
    "stripe_fee": "fee",
    "stripe_fx_fee": "fee",
    "tax_fee": "fee",
    "application_fee": "fee",
    "payout": "payout",
    "payout_cancel": "payout",
    "payout_failure": "payout",
}


def order(intent: Intent) -> ProviderOrderFact:
    """The fact that our order exists. The browser needs the client secret; its order comes back with it."""
    secrets = {ORDER: intent.metadata[ORDER]} if ORDER in intent.metadata else {}
    if intent.client_secret is not None:
        secrets["client_secret"] = intent.client_secret
    return ProviderOrderFact(
        provider_order_id=intent.id,
        reference=intent.metadata.get(REFERENCE, ""),
        amount=from_stripe(intent.amount, intent.currency.upper()),
        currency=intent.currency.upper(),
        paid=intent.status == "succeeded",
        secrets=secrets,
    )


def seen(
    intent: Intent,
    charges: tuple[Charge, ...] = (),
    refunds: tuple[RefundFact, ...] = (),
    disputes: tuple[DisputeFact, ...] = (),
) -> Seen:
    """All that a read of an intent and its charges says."""
    over = intent.status == "canceled"
    facts = tuple(charge(each, over=over) for each in charges)
    known = {fact.charge_id for fact in facts}
    return Seen(
        charges=(*facts, *(fact for fact in of_intent(intent) if fact.charge_id not in known)),
        refunds=refunds,
        disputes=disputes,
        cancelled=over,
    )


def of_intent(intent: Intent) -> tuple[ChargeFact, ...]:
    """What an intent alone says of its charge: who only has the intent knows the charge by its id.

    Nothing about the latest charge of a cancelled one: it may have been declined or given back.
    """
    if intent.status not in _INTENT_STATES:
        raise Malformed("unknown-status", f"intent {intent.id} has status {intent.status!r:.40}")
    latest = intent.latest_charge if isinstance(intent.latest_charge, str) else None
    if isinstance(intent.latest_charge, Charge):
        return (charge(intent.latest_charge, over=intent.status == "canceled"),)
    if intent.status == "succeeded" and latest:
        return (_of_intent(intent, latest, "captured", intent.amount_received),)
    if intent.status == "requires_capture" and latest:
        return (_of_intent(intent, latest, "authorized", intent.amount_capturable or intent.amount),)
    if intent.status == "processing" and latest:
        return (_of_intent(intent, latest, "pending", intent.amount),)
    if intent.status in ("requires_payment_method", "canceled") and intent.last_payment_error:
        return (declined(intent),)
    return ()


def declined(intent: Intent) -> ChargeFact:
    """The last decline of an intent: of its charge, or of the intent itself where none was made."""
    error = intent.last_payment_error
    charge_id = (error.charge if error else None) or intent.id
    fact = _of_intent(intent, charge_id, "failed", intent.amount)
    if error is None:
        return fact
    return _with_failure(fact, error.decline_code or error.code, error.message)


def _of_intent(intent: Intent, charge_id: str, state: ChargeState, amount: int) -> ChargeFact:
    currency = intent.currency.upper()
    return ChargeFact(
        charge_id=charge_id,
        provider_order_id=intent.id,
        state=state,
        amount=from_stripe(amount, currency),
        currency=currency,
        at=at(intent.created),
    )


def _with_failure(fact: ChargeFact, code: str | None, text: str | None) -> ChargeFact:
    return ChargeFact(
        charge_id=fact.charge_id,
        provider_order_id=fact.provider_order_id,
        state=fact.state,
        amount=fact.amount,
        currency=fact.currency,
        at=fact.at,
        failure=code or "",
        failure_text=text or "",
    )


def charge(entity: Charge, *, over: bool = False) -> ChargeFact:
    """The fact a charge states; `over`: its intent is cancelled, or the authorisation has expired."""
    state = _charge_state(entity, over=over)
    currency = entity.currency.upper()
    card = entity.payment_method_details.card if entity.payment_method_details else None
    reason = entity.outcome.reason if entity.outcome and entity.failure_code == "card_declined" else None
    failed = state == "failed"
    return ChargeFact(
        charge_id=entity.id,
        provider_order_id=entity.payment_intent or "",
        state=state,
        amount=from_stripe(entity.amount_captured if state == "captured" else entity.amount, currency),
        currency=currency,
        at=at(entity.created),
        failure=reason or entity.failure_code or "" if failed else "",
        failure_text=entity.failure_message or "" if failed else "",
        fee=_fee(entity.balance_transaction, currency),
        capture_before=at(card.capture_before or 0) if card and state == "authorized" else None,
    )


def _fee(line: object, currency: str) -> int | None:
    """In the charge's own currency, else None. A fee in parts of a unit never hides the charge itself."""
    if not isinstance(line, BalanceLine) or line.currency.upper() != currency:
        return None
    try:
        return from_stripe(line.fee, currency)
    except Malformed:
        return None


def _charge_state(entity: Charge, *, over: bool) -> ChargeState:
    match entity.status:
        case "pending":
            return "pending"
        case "failed":
            return "failed"
        case "succeeded" if entity.captured:
            return "captured"
        case "succeeded":
            # An authorisation that is given back reads as refunded; it never was ours.
            return "lapsed" if over or entity.refunded else "authorized"
        case unknown:
            raise Malformed("unknown-status", f"charge {entity.id} has status {unknown!r:.40}")


def refund(entity: Refund) -> RefundFact:
    """The fact a refund states."""
    state = _REFUND_STATES.get(entity.status)
    if state is None:
        raise Malformed("unknown-status", f"refund {entity.id} has status {entity.status!r:.40}")
    currency = entity.currency.upper()
    return RefundFact(
        refund_id=entity.id,
        charge_id=entity.charge or "",
        state=state,
        amount=from_stripe(entity.amount, currency),
        currency=currency,
        reference=(entity.metadata or {}).get(REFERENCE, ""),
        at=at(entity.created),
        failure=entity.failure_reason or entity.status or "" if state == "failed" else "",
    )


def dispute(entity: Dispute, money: DisputeMoney = "none") -> DisputeFact:
    """The fact a dispute states. `money`: what the event says, when it says more than the object."""
    state = _DISPUTE_STATES.get(entity.status)
    if state is None:
        raise Malformed("unknown-status", f"dispute {entity.id} has status {entity.status!r:.40}")
    currency = entity.currency.upper()
    moves = {money}
    moves |= {"reinstated" if moved.amount > 0 else "withdrawn" for moved in entity.balance_transactions}
    return DisputeFact(
        dispute_id=entity.id,
        charge_id=entity.charge,
        kind="inquiry" if entity.status.startswith("warning_") else "chargeback",
        state=state,
        money="reinstated" if "reinstated" in moves else "withdrawn" if "withdrawn" in moves else "none",
        amount=from_stripe(entity.amount, currency),
        currency=currency,
        reason=entity.reason or "",
        respond_by=at(entity.evidence_details.due_by or 0) if entity.evidence_details else None,
        at=at(entity.created),
        moved_at=at(max((moved.created for moved in entity.balance_transactions), default=0)),
    )


def settlement_line(line: BalanceLine, settlement_id: str = "") -> SettlementLine:
    """One balance transaction, in the currency of the balance: `net = amount - fee`."""
    currency = line.currency.upper()
    source = line.source if isinstance(line.source, Source) else None
    kind = _LINE_KINDS.get(line.type, "adjustment")
    if source and source.object == "dispute":
        kind = "dispute"
    of_charge = source.id if source and source.object == "charge" else source.charge if source else None
    return SettlementLine(
        line_id=line.id,
        kind=kind,
        amount=from_stripe(line.amount, currency),
        fee=from_stripe(line.fee, currency),
        net=from_stripe(line.net, currency),
        currency=currency,
        at=at(line.created) or datetime.fromtimestamp(0, UTC),
        charge_id=of_charge or "",
        refund_id=source.id if source and source.object == "refund" else "",
        dispute_id=source.id if source and source.object == "dispute" else "",
        settlement_id=source.id if source and source.object == "payout" else settlement_id,
        rate=str(line.exchange_rate) if line.exchange_rate is not None else "",
    )


def at(unix_s: int) -> datetime | None:
    return datetime.fromtimestamp(unix_s, UTC) if unix_s > 0 else None
