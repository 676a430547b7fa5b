"""Stripe's webhooks, read from the raw bytes. An event is a snapshot of one object."""

import msgspec

from shared.envelope import read_json
from shared.messages.facts import DisputeMoney, Seen, WebhookContent
from shared.providers.stripe import reading
from shared.providers.stripe.objects import Charge, Dispute, Id, Intent, Refund

# The types that carry a fact (Stripe docs, Types of events); those before any payment carry none.
INTENT_EVENTS = frozenset(
    f"payment_intent.{what}"
    for what in ("amount_capturable_updated", "canceled", "payment_failed", "processing", "succeeded")
)
CHARGE_EVENTS = frozenset(
    f"charge.{what}"
    for what in ("captured", "expired", "failed", "pending", "refunded", "succeeded", "updated")
)
REFUND_EVENTS = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
DISPUTE_EVENTS: dict[str, DisputeMoney] = {
    "charge.dispute.created": "none",
    "charge.dispute.updated": "none",
    "charge.dispute.closed": "none",
    "charge.dispute.funds_withdrawn": "withdrawn",
    "charge.dispute.funds_reinstated": "reinstated",
}


class _Head(msgspec.Struct, frozen=True):
    id: Id
    type: str
    livemode: bool | None = None
    account: str | None = None  # only of other accounts than the one that the endpoint belongs to


class _IntentBox(msgspec.Struct, frozen=True):
    object: Intent


class _IntentEvent(msgspec.Struct, frozen=True):
    data: _IntentBox


class _ChargeBox(msgspec.Struct, frozen=True):
    object: Charge


class _ChargeEvent(msgspec.Struct, frozen=True):
    data: _ChargeBox


class _RefundBox(msgspec.Struct, frozen=True):
    object: Refund


class _RefundEvent(msgspec.Struct, frozen=True):
    data: _RefundBox


class _DisputeBox(msgspec.Struct, frozen=True):
    object: Dispute


class _DisputeEvent(msgspec.Struct, frozen=True):
    data: _DisputeBox


class _Ref(msgspec.Struct, frozen=True):
    id: object = None
    payment_intent: object = None


class _RefBox(msgspec.Struct, frozen=True):
    object: _Ref = _Ref()


class _RefEvent(msgspec.Struct, frozen=True):
    """As little of an event as the gateway needs, so that odd bodies still reach the archive."""

    id: Id
    type: str
    data: _RefBox = _RefBox()


_head = msgspec.json.Decoder(_Head)
_intent = msgspec.json.Decoder(_IntentEvent)
_charge = msgspec.json.Decoder(_ChargeEvent)
_refund = msgspec.json.Decoder(_RefundEvent)
_dispute = msgspec.json.Decoder(_DisputeEvent)
_ref_event = msgspec.json.Decoder(_RefEvent)


def identity(body: bytes) -> tuple[str, str]:
    """(the event's id, the intent that its object belongs to, else the object), or Malformed."""
    event = read_json(body, _ref_event.decode)
    subject = event.data.object.payment_intent or event.data.object.id
    return event.id, subject if isinstance(subject, str) and len(subject) <= 255 else event.type


def webhook(body: bytes, own_account: str) -> WebhookContent:
    """The facts of a webhook body, or Malformed."""
    head = read_json(body, _head.decode)
    seen: Seen | None = None
    provider_order_id: str | None = None
    charge_id: str | None = None
    if head.type in INTENT_EVENTS:
        intent = read_json(body, _intent.decode).data.object
        provider_order_id, seen = intent.id, _seen_of_intent(head.type, intent)
        charge_id = seen.charges[0].charge_id if seen.charges else None
    elif head.type in CHARGE_EVENTS:
        charge = read_json(body, _charge.decode).data.object
        provider_order_id, charge_id = charge.payment_intent, charge.id
        if charge.payment_intent:
            seen = Seen(charges=(reading.charge(charge, over=head.type == "charge.expired"),))
    elif head.type in REFUND_EVENTS:
        refund = read_json(body, _refund.decode).data.object
        provider_order_id, charge_id = refund.payment_intent, refund.charge
        if refund.charge:
            seen = Seen(refunds=(reading.refund(refund),))
    elif head.type in DISPUTE_EVENTS:
        dispute = read_json(body, _dispute.decode).data.object
        provider_order_id, charge_id = dispute.payment_intent, dispute.charge
        seen = Seen(disputes=(reading.dispute(dispute, DISPUTE_EVENTS[head.type]),))
    return WebhookContent(
        event_type=head.type,
        account=head.account or own_account,
        live=head.livemode,
        known=seen is not None,
        seen=seen or Seen(),
        provider_order_id=provider_order_id,
        charge_id=charge_id,
    )


def _seen_of_intent(event_type: str, intent: Intent) -> Seen:
    """A decline is in its own event even if the object has moved on when it was rendered."""
    if event_type == "payment_intent.payment_failed" and intent.last_payment_error:
        return Seen(charges=(reading.declined(intent),))
    return reading.seen(intent)
