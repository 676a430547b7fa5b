"""PayPal's webhooks: which order they hint at. Nothing else in them is believed."""

import msgspec

from shared.envelope import read_json
from shared.errors import Malformed
from shared.messages.facts import WebhookContent
from shared.providers.paypal.entities import DisputedTransaction, Link, Supplementary

# What changes something for an order of ours (PayPal docs, Webhook event names).
APPROVAL_EVENT = "CHECKOUT.ORDER.APPROVED"
ORDER_EVENTS = frozenset({APPROVAL_EVENT, "CHECKOUT.ORDER.COMPLETED", "CHECKOUT.ORDER.VOIDED"})
REVERSAL_EVENT = "CHECKOUT.PAYMENT-APPROVAL.REVERSED"
CAPTURE_EVENTS = frozenset(
    f"PAYMENT.CAPTURE.{what}" for what in ("COMPLETED", "PENDING", "DENIED", "DECLINED")
)
REFUND_EVENTS = frozenset(
    {
        "PAYMENT.CAPTURE.REFUNDED",
        "PAYMENT.CAPTURE.REVERSED",
        "PAYMENT.REFUND.PENDING",
        "PAYMENT.REFUND.COMPLETED",
        "PAYMENT.REFUND.FAILED",
    }
)
DISPUTE_EVENTS = frozenset(f"CUSTOMER.DISPUTE.{what}" for what in ("CREATED", "UPDATED", "RESOLVED"))
ID_LENGTH_MAX = 128


class _Payee(msgspec.Struct, frozen=True):
    merchant_id: str = ""


class _Unit(msgspec.Struct, frozen=True):
    payee: _Payee = _Payee()


class _Resource(msgspec.Struct, frozen=True):
    """As much of an order, a capture, a refund or a dispute as says whose it is."""

    id: str = ""
    order_id: str = ""
    payee: _Payee = _Payee()
    purchase_units: list[_Unit] = []
    supplementary_data: Supplementary = Supplementary()
    disputed_transactions: list[DisputedTransaction] = []
    links: list[Link] = []


class _Event(msgspec.Struct, frozen=True):
    """The envelope (PayPal docs, Webhooks, Event)."""

    id: str
    event_type: str
    resource: _Resource = _Resource()


class _RefEvent(msgspec.Struct, frozen=True):
    """As little of an event as makes it one, so that odd bodies still reach the archive."""

    id: str
    event_type: str
    resource: msgspec.Raw = msgspec.Raw(b"{}")


_event = msgspec.json.Decoder(_Event)
_ref_event = msgspec.json.Decoder(_RefEvent)
_resource = msgspec.json.Decoder(_Resource)


def identity(body: bytes) -> tuple[str, str]:
    """(the event's id, the order or capture that it is about), or Malformed when the body is no event."""
    event = read_json(body, _ref_event.decode)
    if not 0 < len(event.id) <= ID_LENGTH_MAX:
        raise Malformed("not-an-event", "the event's id is missing or too long")
    try:
        order_id, charge_id = _about(event.event_type, _resource.decode(event.resource))
    except msgspec.DecodeError:
        return event.id, event.id
    return event.id, order_id or charge_id or event.id


def webhook(body: bytes, account: str) -> WebhookContent:
    """What to look at. `account` stands where the event names no merchant: it came to our webhook id."""
    event = read_json(body, _event.decode)
    order_id, charge_id = _about(event.event_type, event.resource)
    return WebhookContent(
        event_type=event.event_type,
        account=_merchant(event.resource) or account,
        live=None,
        known=bool(order_id or charge_id),
        provider_order_id=order_id or None,
        charge_id=charge_id or None,
        hint=True,
        approval=event.event_type == APPROVAL_EVENT,
    )


def _about(event_type: str, resource: _Resource) -> tuple[str, str]:
    """(order id, capture id), each empty when the event does not say it or is nothing to us."""
    related = resource.supplementary_data.related_ids
    if event_type in ORDER_EVENTS:
        return resource.id, ""
    if event_type == REVERSAL_EVENT:
        return resource.order_id or resource.id, ""
    if event_type in CAPTURE_EVENTS:
        return related.order_id or _up(resource.links), resource.id
    if event_type in REFUND_EVENTS:
        return related.order_id, related.capture_id or _up(resource.links)
    if event_type in DISPUTE_EVENTS:
        return "", next((t.seller_transaction_id for t in resource.disputed_transactions), "")
    return "", ""


def _merchant(resource: _Resource) -> str:
    units = resource.purchase_units
    return resource.payee.merchant_id or (units[0].payee.merchant_id if units else "")


def _up(links: list[Link]) -> str:
    return next((link.last for link in links if link.rel == "up"), "")
