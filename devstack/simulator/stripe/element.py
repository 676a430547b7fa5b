"""Serves the stand-in for Stripe.js with its Payment Element, 3-D Secure frame and bank page."""

import hmac
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.pages import page
from devstack.simulator.stripe.acts import serve
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.currencies import decimals
from devstack.simulator.stripe.entities import Intent
from devstack.simulator.stripe.errors import missing
from devstack.simulator.stripe.intents import Intents

_STATIC = Path(__file__).with_name("static")
BASE = "/stripe/v3/"


class Visit(msgspec.Struct, kw_only=True):
    """A browser that knows an intent's secret."""

    client_secret: str


class Ending(Visit, kw_only=True):
    """What the buyer did at their bank."""

    passed: bool


class Element:
    """Routes below /stripe/v3; any shop may frame the form and the 3-D Secure step."""

    def __init__(self, books: Books, intents: Intents, ledger: Ledger) -> None:
        self._books = books
        self._intents = intents
        self._ledger = ledger

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(BASE, page(_STATIC / "stripe.js"))
        app.router.add_get(f"{BASE}element", page(_STATIC / "element.html", framed_by="*"))
        app.router.add_get(f"{BASE}three-d-secure", page(_STATIC / "three-d-secure.html", framed_by="*"))
        app.router.add_get(f"{BASE}bank", page(_STATIC / "bank.html"))
        for name in ("element.js", "element.css", "bank.js"):
            app.router.add_get(f"{BASE}{name}", page(_STATIC / name))
        app.router.add_post(f"{BASE}session", serve(self._ledger, self.session))
        app.router.add_post(f"{BASE}authenticate", serve(self._ledger, self.authenticate))

    def session(self, _request: web.Request, body: bytes) -> object:
        """The payment as the form shows it."""
        intent = self._intent(msgspec.json.decode(body, type=Visit))
        return {
            "id": intent.id,
            "amount": intent.amount,
            "currency": intent.currency,
            "decimals": decimals(intent.currency),
            "status": intent.status,
            "method_types": intent.method_types,
        }

    def authenticate(self, _request: web.Request, body: bytes) -> object:
        """Ends a 3-D Secure step; after the bank's own page the buyer is sent back to the shop."""
        ending = msgspec.json.decode(body, type=Ending)
        intent = self._intent(ending)
        with self._ledger.entry("buyer authenticates") as entry:
            intent = self._intents.authenticate(entry, intent, passed=ending.passed)
        return {"status": intent.status, "return_to": _return_to(intent)}

    def _intent(self, visit: Visit) -> Intent:
        intent_id = visit.client_secret.partition("_secret_")[0]
        intent = self._books.intents.get(intent_id)
        if intent is None or not hmac.compare_digest(
            intent.client_secret.encode(), visit.client_secret.encode()
        ):
            raise missing("payment_intent", intent_id, "client_secret")
        return intent


def _return_to(intent: Intent) -> str | None:
    """The shop's address with what Stripe adds to it; hints only, as nothing signs them."""
    if intent.return_url is None:
        return None
    status = {"succeeded": "succeeded", "requires_capture": "succeeded", "processing": "pending"}
    query = {
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": status.get(intent.status, "failed"),
    }
    return f"{intent.return_url}{'&' if '?' in intent.return_url else '?'}{urlencode(query)}"
