"""Razorpay's webhooks, read from the raw bytes. An event repeats its objects as they are by then."""

import msgspec

from shared.envelope import read_json
from shared.messages.facts import Seen, WebhookContent
from shared.providers.razorpay import reading
from shared.providers.razorpay.entities import Dispute, Order, Payment, Refund


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
    charges = (reading.charge(payment),) if payment is not None and payment.order_id else ()
    if event_type in PAYMENT_EVENTS and charges:
        return Seen(charges=charges)
    if event_type in REFUND_EVENTS and payload.refund is not None:
        return Seen(charges=charges, refunds=(reading.refund(payload.refund.entity),))
    if event_type in DISPUTE_EVENTS and payload.dispute is not None:
        return Seen(charges=charges, disputes=(reading.dispute(payload.dispute.entity),))
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
