"""The page to which the shop sends its buyer: shows the order, takes the choice, sends the browser back."""

from pathlib import Path

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.pages import page
from devstack.simulator.paypal.acts import serve
from devstack.simulator.paypal.amounts import text
from devstack.simulator.paypal.checkout import Checkout, Form
from devstack.simulator.paypal.entities import Outcome

_STATIC = Path(__file__).with_name("static")


class Choice(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the buyer pressed."""

    token: str
    outcome: Outcome = "success"


class ApprovePage:
    """/checkoutnow, which knows an order by its token alone, as the real one does."""

    def __init__(self, checkout: Checkout, ledger: Ledger) -> None:
        self._checkout = checkout
        self._ledger = ledger

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/checkoutnow", page(_STATIC / "approve.html"))
        app.router.add_get("/checkoutnow/static/approve.js", page(_STATIC / "approve.js"))
        app.router.add_get("/checkoutnow/static/approve.css", page(_STATIC / "approve.css"))
        for path, act in (("order", self.order), ("approve", self.approve), ("cancel", self.cancel)):
            app.router.add_post(f"/checkoutnow/{path}", serve(self._ledger, act))

    def order(self, _request: web.Request, body: bytes) -> object:
        """The order as the page shows it; refused when it takes no approval any more."""
        order = self._checkout.payable(msgspec.json.decode(body, type=Choice).token)
        return {
            "value": text(order.amount, order.currency),
            "currency": order.currency,
            "shop": order.brand_name or "the shop",
            "invoice_id": order.invoice_id,
            "description": order.description,
        }

    def approve(self, _request: web.Request, body: bytes) -> object:
        choice = msgspec.json.decode(body, type=Choice)
        return self._checkout.approve(choice.token, Form(outcome=choice.outcome))

    def cancel(self, _request: web.Request, body: bytes) -> object:
        return {"redirect": self._checkout.cancelled(msgspec.json.decode(body, type=Choice).token)}
