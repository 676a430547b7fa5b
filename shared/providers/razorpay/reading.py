"""Razorpay's objects, read into facts. Unknown fields are ignored; wrong types are Malformed."""

from datetime import UTC, datetime

import msgspec

from shared.envelope import read_json
from shared.errors import Malformed
from shared.messages.facts import ChargeFact, ChargeState, ProviderOrderFact, WebhookContent


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


class _Payload(msgspec.Struct, frozen=True):
    payment: _PaymentBox | None = None
    order: _OrderBox | None = None


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
AMOUNT_MAX = 10**15  # beyond any real amount; keeps nonsense out of the database


def charge(payment: Payment) -> ChargeFact:
    """The fact a payment entity states. A snapshot: the event's `authorized` may be captured by now."""
    if not 0 <= payment.amount < AMOUNT_MAX:
        raise Malformed("amount-out-of-range", f"payment {payment.id} has amount {payment.amount}")
    return ChargeFact(
        charge_id=payment.id,
        provider_order_id=payment.order_id or "",
        state=_state(payment),
        amount=payment.amount,
        currency=payment.currency.upper(),
        at=datetime.fromtimestamp(payment.created_at, UTC) if payment.created_at else None,
        failure=payment.error_reason or payment.error_code or "" if payment.status == "failed" else "",
        failure_text=payment.error_description or "" if payment.status == "failed" else "",
        fee=payment.fee,
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
    payment = event.payload.payment
    known = event.event in PAYMENT_EVENTS and payment is not None and bool(payment.entity.order_id)
    return WebhookContent(
        event_type=event.event,
        account=event.account_id,
        live=None,
        known=known,
        charges=(charge(payment.entity),) if known and payment else (),
        provider_order_id=payment.entity.order_id if payment else None,
    )


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
