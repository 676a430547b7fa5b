"""Control calls below /_sim/razorpay: pay without a browser, and what a bank or a person does."""

import json

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.acts import serve
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.checkout import LATE_AFTER_S, Checkout, Form
from devstack.simulator.razorpay.errors import ApiError
from devstack.simulator.razorpay.events import Events
from devstack.simulator.razorpay.payments import Payments
from devstack.simulator.razorpay.refunds import Refunds
from devstack.simulator.razorpay.requests import RefundRequest, json_object


class RawEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A webhook made by hand: any body, signed like the others."""

    event: str
    payload: dict[str, object] = {}
    account_id: str | None = None
    body: str | None = None  # the whole body as it is to be sent, instead of an envelope
    subject: str = "by hand"


class RazorpayControl:
    """What tests and the dashboard may do to the account."""

    def __init__(
        self,
        account: Account,
        ledger: Ledger,
        books: Books,
        events: Events,
        checkout: Checkout,
        payments: Payments,
        refunds: Refunds,
    ) -> None:
        self._account = account
        self._books = books
        self._payments = payments
        self._refunds = refunds
        self._checkout = checkout
        self._events = events
        self._ledger = ledger

    def add_routes(self, app: web.Application) -> None:
        base = "/_sim/razorpay"
        for path, act in (
            ("/orders/{order_id}/pay", self.pay),
            ("/payments/{payment_id}/capture", self.capture),
            ("/payments/{payment_id}/late", self.late),
            ("/payments/{payment_id}/refund", self.refund),
            ("/webhooks", self.send_webhook),
        ):
            app.router.add_post(base + path, serve(self._ledger, act))
        app.router.add_put(f"{base}/webhook-secret", serve(self._ledger, self.set_webhook_secret))

    def pay(self, request: web.Request, body: bytes) -> object:
        """Just what the popup's server side does; the answer is what the handler would get."""
        return self._checkout.pay(
            request.match_info["order_id"], msgspec.json.decode(body or b"{}", type=Form)
        )

    def capture(self, request: web.Request, _body: bytes) -> object:
        """A person captures in the dashboard."""
        payment = self._books.payment(request.match_info["payment_id"])
        if payment.status != "authorized":
            raise ApiError(f"The payment is {payment.status}, not authorized.")
        with self._ledger.entry("capture in the dashboard") as entry:
            return self._payments.capture(entry, payment, by="dashboard")

    def late(self, request: web.Request, body: bytes) -> object:
        """A failed payment will be authorised after `after_s` of the provider's time."""
        after_s = json_object(body).get("after_s", LATE_AFTER_S)
        payment_id = request.match_info["payment_id"]
        self._payments.mark_late(payment_id, float(str(after_s)))
        return self._books.payment(payment_id)

    def refund(self, request: web.Request, body: bytes) -> object:
        """A person refunds in the dashboard; no call of the shop's is behind it."""
        payment = self._books.payment(request.match_info["payment_id"])
        wanted = msgspec.json.decode(body or b"{}", type=RefundRequest)
        with self._ledger.entry("refund in the dashboard") as entry:
            return self._refunds.refund(entry, payment, wanted)

    def send_webhook(self, _request: web.Request, body: bytes) -> object:
        """Any event, signed: foreign accounts, wrong amounts, unknown types, permutations."""
        raw = msgspec.json.decode(body, type=RawEvent)
        text = raw.body
        if text is None:
            text = self._events.envelope(raw.event, raw.payload, raw.account_id)
        with self._ledger.entry("webhook by hand") as entry:
            event_id = self._events.post(entry, raw.event, text, raw.subject, raw.subject, plain=True)
        return {"id": event_id}

    def set_webhook_secret(self, _request: web.Request, body: bytes) -> object:
        """New events use the new secret, retries of older ones keep their signature.

        Not kept over a restart: then the configuration file decides again.
        """
        secret = json.loads(body)["webhook_secret"]
        self._account.old_webhook_secret = self._account.webhook_secret
        self._account.webhook_secret = str(secret)
        return {"changed": True}
