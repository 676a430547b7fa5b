"""PayPal's webhooks: bodies as in the published samples, signed over the transmission and a checksum."""

import json
import uuid
import zlib
from collections.abc import Mapping

from devstack.simulator.clock import Clock
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.ledger import Entry
from devstack.simulator.misbehaviour import Secret
from devstack.simulator.paypal.account import Account
from devstack.simulator.paypal.books import NAME, Books
from devstack.simulator.paypal.certificates import Certificates
from devstack.simulator.paypal.entities import Capture, Dispute, Order, Refund
from devstack.simulator.paypal.ids import debug_id, event_id
from devstack.simulator.paypal.views import Json, Views, stamp, stamp_ms
from devstack.simulator.webhooks import Letter


def signed_text(transmission_id: str, time: str, webhook_id: str, body: bytes) -> bytes:
    """What is signed (PayPal docs, Webhooks, Verify): the checksum is unsigned and decimal."""
    return f"{transmission_id}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()


class Events:
    """Turns what happened into webhooks on their way."""

    def __init__(
        self,
        account: Account,
        books: Books,
        views: Views,
        certificates: Certificates,
        clock: Clock,
        deliveries: Deliveries,
    ) -> None:
        self._account = account
        self._books = books
        self._views = views
        self._certificates = certificates
        self._clock = clock
        self._deliveries = deliveries

    def approved(self, entry: Entry, order: Order) -> None:
        view = self._views.order(order, (), ())
        self._emit(
            entry, "CHECKOUT.ORDER.APPROVED", "checkout-order", view, order, "An order has been approved"
        )

    def approval_reversed(self, entry: Entry, order: Order) -> None:
        view: Json = {"order_id": order.id, "purchase_units": [self._views.unit(order, (), ())]}
        text = "A payment has been reversed after approval"
        self._emit(entry, "CHECKOUT.PAYMENT-APPROVAL.REVERSED", "checkout-order", view, order, text)

    def capture(self, entry: Entry, what: str, capture: Capture) -> None:
        order = self._books.orders[capture.order_id]
        view = self._views.capture(capture)
        self._emit(entry, f"PAYMENT.CAPTURE.{what}", "capture", view, order, f"Payment {what.lower()}")

    def refund(self, entry: Entry, event: str, refund: Refund, capture: Capture) -> None:
        order = self._books.orders[refund.order_id]
        view = self._views.refund(refund, capture.refunded)
        self._emit(entry, event, "refund", view, order, f"Refund {refund.status.lower()}")

    def dispute(self, entry: Entry, what: str, dispute: Dispute, capture: Capture) -> None:
        order = self._books.orders[capture.order_id]
        view = self._views.dispute(dispute, capture)
        text = f"Dispute {what.lower()}"
        self._emit(entry, f"CUSTOMER.DISPUTE.{what}", "dispute", view, order, text)

    def envelope(self, event: str, kind: str, resource: Mapping[str, object], summary: str) -> str:
        """The body as text: what was decoded and encoded again has another checksum."""
        id_ = event_id()
        envelope = {
            "id": id_,
            "event_version": "1.0",
            "create_time": stamp_ms(self._clock.now()),
            "resource_type": kind,
            "resource_version": "2.0",
            "event_type": event,
            "summary": summary,
            "resource": resource,
            "links": [
                {
                    "href": f"{self._views.base}/v1/notifications/webhooks-events/{id_}",
                    "rel": "self",
                    "method": "GET",
                }
            ],
        }
        return json.dumps(envelope, separators=(",", ":"))

    def post(
        self, entry: Entry, event: str, body: str, subject: str, identity: str, *, plain: bool = False
    ) -> str:
        """Signs and sends any body as an event; its id for the delivery log."""
        transmission_id = str(uuid.uuid4())
        letter = Letter(
            id=transmission_id,
            provider=NAME,
            event=event,
            url=self._account.webhook_url,
            body=body,
            subject=subject,
            identity=identity,
            sign=lambda which: self._headers(transmission_id, body, which),
        )
        self._deliveries.send(entry, letter, plain=plain)
        return transmission_id

    def _emit(self, entry: Entry, event: str, kind: str, resource: Json, order: Order, summary: str) -> None:
        self.post(entry, event, self.envelope(event, kind, resource, summary), order.id, order.name)

    def _headers(self, transmission_id: str, body: str, which: Secret) -> dict[str, str]:
        """No secret rotates here: the old one is the current one, a wrong one another webhook's."""
        time = stamp(self._clock.now())
        webhook_id = self._account.webhook_id if which != "wrong" else f"not-{self._account.webhook_id}"
        return {
            "Content-Type": "application/json",
            "User-Agent": "PayPal/AUHR-214.0-58163120",
            "Correlation-Id": debug_id(),
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
            "PAYPAL-AUTH-VERSION": "v2",
            "PAYPAL-CERT-URL": self._views.base + self._certificates.path,
            "PAYPAL-TRANSMISSION-ID": transmission_id,
            "PAYPAL-TRANSMISSION-TIME": time,
            "PAYPAL-TRANSMISSION-SIG": self._certificates.sign(
                signed_text(transmission_id, time, webhook_id, body.encode())
            ),
        }
