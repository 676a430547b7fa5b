"""Razorpay's webhooks: snapshot bodies as in the published samples, signed over the exact bytes."""

import hashlib
import hmac
import json
from collections.abc import Mapping

from devstack.simulator.clock import Clock
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.ledger import Entry
from devstack.simulator.misbehaviour import Secret
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.books import NAME
from devstack.simulator.razorpay.entities import Dispute, Order, Payment, Refund, Settlement
from devstack.simulator.razorpay.ids import new_id
from devstack.simulator.razorpay.views import (
    Json,
    dispute_json,
    order_json,
    payment_json,
    refund_json,
    settlement_json,
)
from devstack.simulator.webhooks import Letter


def webhook_signature(secret: str, body: bytes) -> str:
    """Lower-case hex HMAC-SHA256 over the raw body (Razorpay docs, Validate webhooks)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def checkout_signature(key_secret: str, order_id: str, payment_id: str) -> str:
    """What checkout hands to the browser; the key is the API key's secret (docs, step 1.5)."""
    text = f"{order_id}|{payment_id}"
    return hmac.new(key_secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Events:
    """Turns what happened into webhooks on their way."""

    def __init__(self, account: Account, clock: Clock, deliveries: Deliveries) -> None:
        self._account = account
        self._clock = clock
        self._deliveries = deliveries

    def payment(self, entry: Entry, event: str, payment: Payment) -> None:
        view = {"payment": _payment_in_event(event, payment)}
        self._emit(entry, event, view, payment, ordered=payment.method == "card")

    def order_paid(self, entry: Entry, payment: Payment, order: Order) -> None:
        view = {
            "payment": _payment_in_event("order.paid", payment),
            "order": order_json(order),
        }
        self._emit(entry, "order.paid", view, payment)

    def refund(self, entry: Entry, event: str, refund: Refund, payment: Payment) -> None:
        view = {"refund": refund_json(refund), "payment": _payment_in_event(event, payment)}
        self._emit(entry, event, view, payment)

    def dispute(self, entry: Entry, event: str, dispute: Dispute, payment: Payment) -> None:
        view = {"payment": _payment_in_event(event, payment), "dispute": dispute_json(dispute)}
        self._emit(entry, event, view, payment)

    def settlement(self, entry: Entry, settlement: Settlement) -> None:
        body = self.envelope("settlement.processed", {"settlement": {"entity": settlement_json(settlement)}})
        self.post(entry, "settlement.processed", body, settlement.id, settlement.utr)

    def post(
        self, entry: Entry, event: str, body: str, subject: str, identity: str, *, plain: bool = False
    ) -> str:
        """Signs and sends any body as an event; its id for the delivery log."""
        event_id = new_id("evt")[4:]
        letter = Letter(
            id=event_id,
            provider=NAME,
            event=event,
            url=self._account.webhook_url,
            body=body,
            subject=subject,
            identity=identity,
            sign=lambda which: self._headers(event_id, body, which),
        )
        self._deliveries.send(entry, letter, plain=plain)
        return event_id

    def _emit(
        self, entry: Entry, event: str, view: dict[str, Json], payment: Payment, *, ordered: bool = False
    ) -> None:
        payload = {name: {"entity": entity} for name, entity in view.items()}
        body = self.envelope(event, payload, ordered=ordered)
        self.post(entry, event, body, payment.order_id, payment.name)

    def envelope(
        self,
        event: str,
        payload: Mapping[str, object],
        account_id: str | None = None,
        *,
        ordered: bool = False,
    ) -> str:
        """ASCII with escaped slashes: a body that was decoded and encoded again no longer verifies.

        Card samples have their keys in alphabetical order, the others have not.
        """
        envelope = {
            "entity": "event",
            "account_id": account_id or self._account.account_id,
            "event": event,
            "contains": list(payload),
            "payload": payload,
            "created_at": int(self._clock.now()),
        }
        text = json.dumps(envelope, sort_keys=ordered, separators=(",", ":"))
        return text.replace("/", "\\/")

    def _headers(self, event_id: str, body: str, which: Secret) -> dict[str, str]:
        account = self._account
        secret = account.webhook_secret
        if which == "old":
            secret = account.old_webhook_secret or secret
        elif which == "wrong":
            secret = f"not {secret}"
        return {
            "Content-Type": "application/json",
            "User-Agent": "Razorpay-Webhook/v1",
            "X-Razorpay-Event-Id": event_id,
            "X-Razorpay-Signature": webhook_signature(secret, body.encode()),
        }


def _payment_in_event(event: str, payment: Payment) -> Json:
    """The payment as it is now, with the oddities of the published samples."""
    view = payment_json(payment, with_card=True)
    if payment.method == "card":
        view["amount_transferred"] = 0
        if payment.error is None:
            view["error_code"] = view["error_description"] = ""
        if event == "payment.authorized":
            view["captured"] = True  # yes: the sample says so beside status "authorized"
    elif payment.captured and payment.currency == "INR":
        view["base_amount"] = payment.amount
        view["amount_transferred"] = 0
    return view
