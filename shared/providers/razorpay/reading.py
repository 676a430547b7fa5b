"""Razorpay's objects, read into facts. Unknown fields are ignored; wrong types are Malformed."""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from shared.envelope import read_json
from shared.errors import Malformed
from shared.messages.facts import (
    ChargeFact,
    ChargeState,
    DisputeFact,
    DisputeMoney,
    ProviderOrderFact,
    RefundFact,
    RefundState,
    Seen,
    SettlementLine,
    WebhookContent,
)


class Payment(msgspec.Struct, frozen=True):
    """A payment entity (Razorpay docs, Payments, Entity). Amounts in minor units."""

    id: str
    amount: int
    currency: str
    status: str
    order_id: str | None = None
    captured: bool | None = None
    created_at: int = 0
    error_code: str | None = None
    error_reason: str | None = None
    error_description: str | None = None
    fee: int | None = None
    amount_refunded: int | None = None


class Refund(msgspec.Struct, frozen=True):
    """A refund entity (Razorpay docs, Refunds, Entity). `receipt` is our reference."""

    id: str
    amount: int
    currency: str
    payment_id: str
    status: str
    receipt: str | None = None
    created_at: int = 0


class Dispute(msgspec.Struct, frozen=True):
    """A dispute entity (Razorpay docs, Disputes, Entity). `amount_deducted` stays 0 until it is lost."""

    id: str
    amount: int
    currency: str
    payment_id: str
    status: Literal["open", "under_review", "won", "lost", "closed"]
    phase: str
    amount_deducted: int = 0
    reason_code: str | None = None
    respond_by: int | None = None
    created_at: int = 0


class ReportLine(msgspec.Struct, frozen=True):
    """A line of the settlement report (Razorpay docs, Settlement Recon). `fee` includes `tax`."""

    entity_id: str
    type: Literal["payment", "refund", "transfer", "adjustment"]
    debit: int
    credit: int
    amount: int
    currency: str
    fee: int = 0
    created_at: int = 0
    settled_at: int | None = None
    settlement_id: str | None = None
    payment_id: str | None = None
    dispute_id: str | None = None


class Order(msgspec.Struct, frozen=True):
    """An order entity (Razorpay docs, Orders, Entity)."""

    id: str
    amount: int
    currency: str
    status: str
    receipt: str | None = None


class _PaymentBox(msgspec.Struct, frozen=True):
    entity: Payment


class _OrderBox(msgspec.Struct, frozen=True):
    entity: Order


class _RefundBox(msgspec.Struct, frozen=True):
    entity: Refund


class _DisputeBox(msgspec.Struct, frozen=True):
    entity: Dispute


class _Payload(msgspec.Struct, frozen=True):
    payment: _PaymentBox | None = None
    order: _OrderBox | None = None
    refund: _RefundBox | None = None
    dispute: _DisputeBox | None = None


class _Event(msgspec.Struct, frozen=True):
    event: str
    account_id: str
    payload: _Payload = _Payload()


class _Ref(msgspec.Struct, frozen=True):
    id: str = ""
    order_id: str | None = None


class _RefBox(msgspec.Struct, frozen=True):
    entity: _Ref = _Ref()


class _RefPayload(msgspec.Struct, frozen=True):
    payment: _RefBox = _RefBox()
    order: _RefBox = _RefBox()
    refund: _RefBox = _RefBox()


class _RefEvent(msgspec.Struct, frozen=True):
    """As little of an event as the gateway needs, so that odd bodies still reach the archive."""

    event: str
    account_id: str = ""
    payload: _RefPayload = _RefPayload()


_event = msgspec.json.Decoder(_Event)
_ref_event = msgspec.json.Decoder(_RefEvent)

# Event types that carry a payment we understand (Razorpay docs, Webhooks, Payloads).
PAYMENT_EVENTS = frozenset({"payment.authorized", "payment.captured", "payment.failed", "order.paid"})
REFUND_EVENTS = frozenset({"refund.created", "refund.processed", "refund.failed", "refund.speed_changed"})
DISPUTE_EVENTS = frozenset(
    f"payment.dispute.{what}"
    for what in ("created", "won", "lost", "closed", "under_review", "action_required")
)
AUTHORIZATION_LIFE_S = 3 * 86_400  # the docs say 3 or 5 days; the earlier one is the safe warning
AMOUNT_MAX = 10**15  # beyond any real amount; keeps nonsense out of the database


def charge(payment: Payment) -> ChargeFact:
    """The fact a payment entity states. A snapshot: the event's `authorized` may be captured by now."""
    if not 0 <= payment.amount < AMOUNT_MAX:
        raise Malformed("amount-out-of-range", f"payment {payment.id} has amount {payment.amount}")
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


def settlement_line(line: ReportLine) -> SettlementLine:
    """One line of the report: `net = credit - debit`; a refund's fee comes on top of its amount."""
    net = line.credit - line.debit
    return SettlementLine(
        line_id=f"{line.type}:{line.entity_id}",
        kind="dispute" if line.dispute_id else "adjustment" if line.type == "transfer" else line.type,
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


def order(entity: Order) -> ProviderOrderFact:
    """The fact an order entity states. An order stays `paid` after refunds."""
    return ProviderOrderFact(
        provider_order_id=entity.id,
        reference=entity.receipt or "",
        amount=entity.amount,
        currency=entity.currency.upper(),
        paid=entity.status == "paid",
    )


def webhook(body: bytes) -> WebhookContent:
    """The facts of a webhook body, or Malformed."""
    event = read_json(body, _event.decode)
    payload = event.payload
    payment = payload.payment.entity if payload.payment else None
    seen = _seen(event.event, payload)
    charge_id = payload.dispute.entity.payment_id if payload.dispute else payment.id if payment else None
    return WebhookContent(
        event_type=event.event,
        account=event.account_id,
        live=None,
        known=seen is not None,
        seen=seen or Seen(),
        provider_order_id=(payment.order_id or None) if payment else None,
        charge_id=charge_id,
    )


def _seen(event_type: str, payload: _Payload) -> Seen | None:
    """The facts, or None for a type that carries nothing for us.

    A refund or dispute event repeats the payment as well, as it is then: that is a fact too.
    """
    payment = payload.payment.entity if payload.payment else None
    charges = (charge(payment),) if payment is not None and payment.order_id else ()
    if event_type in PAYMENT_EVENTS and charges:
        return Seen(charges=charges)
    if event_type in REFUND_EVENTS and payload.refund is not None:
        return Seen(charges=charges, refunds=(refund(payload.refund.entity),))
    if event_type in DISPUTE_EVENTS and payload.dispute is not None:
        return Seen(charges=charges, disputes=(dispute(payload.dispute.entity),))
    return None


def references(body: bytes) -> str:
    """The provider object that an event is about, or Malformed when the body is no event."""
    event = read_json(body, _ref_event.decode)
    payload = event.payload
    return (
        payload.payment.entity.order_id
        or payload.order.entity.id
        or payload.payment.entity.id
        or payload.refund.entity.id
        or event.event
    )
