"""The facts that Razorpay's objects state."""

from datetime import UTC, datetime
from typing import Literal

from shared.errors import Malformed
from shared.messages.facts import (
    ChargeFact,
    ChargeState,
    DisputeFact,
    DisputeMoney,
    ProviderOrderFact,
    RefundFact,
    RefundState,
    SettlementLine,
)
from shared.providers.razorpay.entities import Dispute, Order, Payment, Refund, ReportLine, Settlement

AUTHORIZATION_LIFE_S = 3 * 86_400  # the docs say 3 or 5 days; the earlier one is the safe warning


def charge(payment: Payment) -> ChargeFact:
    """The fact a payment entity states. A snapshot: the event's `authorized` may be captured by now."""
    state = _state(payment)
    return ChargeFact(
        charge_id=payment.id,
        provider_order_id=payment.order_id or "",
        state=state,
        amount=payment.amount,
        currency=payment.currency.upper(),
        at=_at(payment.created_at),
        failure=payment.error_reason or payment.error_code or "" if payment.status == "failed" else "",
        failure_text=payment.error_description or "" if payment.status == "failed" else "",
        fee=payment.fee,
        capture_before=_at(payment.created_at + AUTHORIZATION_LIFE_S) if state == "authorized" else None,
    )


def _state(payment: Payment) -> ChargeState:
    match payment.status:
        case "created":
            return "pending"
        case "authorized":
            return "authorized"
        case "captured":
            return "captured"
        case "failed":
            return "failed"
        case "refunded":
            # An authorisation that nobody captured is refunded by Razorpay itself: it never was ours.
            return "captured" if payment.captured is not False else "lapsed"
        case unknown:
            raise Malformed("unknown-status", f"payment {payment.id} has status {unknown!r:.40}")


def _at(unix_s: int) -> datetime | None:
    return datetime.fromtimestamp(unix_s, UTC) if unix_s > 0 else None


_REFUND_STATES: dict[str, RefundState] = {"pending": "pending", "processed": "succeeded", "failed": "failed"}


def refund(entity: Refund) -> RefundFact:
    """The fact a refund entity states."""
    state = _REFUND_STATES.get(entity.status)
    if state is None:
        raise Malformed("unknown-status", f"refund {entity.id} has status {entity.status!r:.40}")
    return RefundFact(
        refund_id=entity.id,
        charge_id=entity.payment_id,
        state=state,
        amount=entity.amount,
        currency=entity.currency.upper(),
        reference=entity.receipt or "",
        at=_at(entity.created_at),
    )


def dispute(entity: Dispute) -> DisputeFact:
    """The fact a dispute entity states. A retrieval is an inquiry: no money moves in it."""
    money: DisputeMoney = "withdrawn" if entity.amount_deducted > 0 else "none"
    return DisputeFact(
        dispute_id=entity.id,
        charge_id=entity.payment_id,
        kind="inquiry" if entity.phase in ("retrieval", "fraud") else "chargeback",
        state=entity.status,
        money=money,
        amount=entity.amount,
        currency=entity.currency.upper(),
        reason=entity.reason_code or "",
        respond_by=_at(entity.respond_by or 0),
        at=_at(entity.created_at),
    )


def _kind(line: ReportLine) -> Literal["payment", "refund", "dispute", "adjustment"]:
    """A disputed payment's own line may name its dispute as well; what the dispute moved is an adjustment."""
    match line.type:
        case "payment" | "refund" as money:
            return money
    return "dispute" if line.dispute_id else "adjustment"


def settlement_line(line: ReportLine) -> SettlementLine:
    """One line of the report: `net = credit - debit`; a refund's fee comes on top of its amount."""
    net = line.credit - line.debit
    return SettlementLine(
        line_id=f"{line.type}:{line.entity_id}",
        kind=_kind(line),
        amount=net + line.fee,
        fee=line.fee,
        net=net,
        currency=line.currency.upper(),
        at=_at(line.settled_at or line.created_at) or datetime.fromtimestamp(0, UTC),
        charge_id=(line.entity_id if line.type == "payment" else line.payment_id) or "",
        refund_id=line.entity_id if line.type == "refund" else "",
        dispute_id=line.dispute_id or "",
        settlement_id=line.settlement_id or "",
    )


def payout(entity: Settlement) -> SettlementLine:
    """What a settlement sent to our bank; Razorpay settles in rupees alone (International payments)."""
    return SettlementLine(
        line_id=f"payout:{entity.id}",
        kind="payout",
        amount=-entity.amount,
        fee=0,
        net=-entity.amount,
        currency="INR",
        at=datetime.fromtimestamp(entity.created_at, UTC),
        settlement_id=entity.id,
    )


def order(entity: Order) -> ProviderOrderFact:
    """The fact an order entity states. An order stays `paid` after refunds."""
    return ProviderOrderFact(
        provider_order_id=entity.id,
        reference=entity.receipt or "",
        amount=entity.amount,
        currency=entity.currency.upper(),
        paid=entity.status == "paid",
    )
