"""Control calls below /_sim/paypal: approve without a browser, and what a person in the dashboard does."""

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.paypal.acts import named, serve
from devstack.simulator.paypal.books import Books
from devstack.simulator.paypal.checkout import Checkout, Form
from devstack.simulator.paypal.events import Events
from devstack.simulator.paypal.refunds import Refunds
from devstack.simulator.paypal.requests import refund_request
from devstack.simulator.paypal.tokens import Tokens


class RawEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A webhook made by hand: any resource or any body, signed like the others."""

    event: str
    resource_type: str = "capture"
    resource: dict[str, object] = {}
    body: str | None = None
    subject: str = "by hand"


class PayPalControl:
    """What tests and the dashboard may do to the account."""

    def __init__(
        self,
        ledger: Ledger,
        books: Books,
        events: Events,
        checkout: Checkout,
        refunds: Refunds,
        tokens: Tokens,
    ) -> None:
        self._ledger = ledger
        self._books = books
        self._events = events
        self._checkout = checkout
        self._refunds = refunds
        self._tokens = tokens

    def add_routes(self, app: web.Application) -> None:
        base = "/_sim/paypal"
        for path, act in (
            ("/orders/{id}/approve", self.approve),
            ("/orders/{id}/expire", self.expire),
            ("/captures/{id}/refund", self.refund),
            ("/tokens/revoke", self.revoke),
            ("/webhooks", self.send_webhook),
        ):
            app.router.add_post(base + path, serve(self._ledger, act))

    def approve(self, request: web.Request, body: bytes) -> object:
        """Just what the approve page does; the answer is where the browser would go."""
        return self._checkout.approve(named(request), msgspec.json.decode(body or b"{}", type=Form))

    def expire(self, request: web.Request, _body: bytes) -> object:
        return self._checkout.expire(named(request))

    def refund(self, request: web.Request, body: bytes) -> object:
        """A person refunds in the dashboard; no call of the shop's is behind it."""
        capture = self._books.capture(named(request))
        with self._ledger.entry("refund in the dashboard") as entry:
            return self._refunds.refund(entry, capture, refund_request(body))

    def revoke(self, _request: web.Request, _body: bytes) -> object:
        """The next call with a token that was given out before is answered 401."""
        return {"revoked": self._tokens.revoke()}

    def send_webhook(self, _request: web.Request, body: bytes) -> object:
        """Any event, signed: foreign merchants, unknown types, bodies that lie."""
        raw = msgspec.json.decode(body, type=RawEvent)
        text = raw.body
        if text is None:
            text = self._events.envelope(raw.event, raw.resource_type, raw.resource, "by hand")
        with self._ledger.entry("webhook by hand") as entry:
            sent = self._events.post(entry, raw.event, text, raw.subject, raw.subject, plain=True)
        return {"id": sent}
