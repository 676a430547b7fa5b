"""Serves the checkout script and the popup, and takes the popup's form."""

from pathlib import Path
from typing import TypeVar

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.pages import page
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.checkout import Checkout, Form, Result
from devstack.simulator.razorpay.currencies import decimals
from devstack.simulator.razorpay.entities import Order
from devstack.simulator.razorpay.errors import ApiError
from devstack.simulator.razorpay.payments import Payments

_STATIC = Path(__file__).with_name("static")
T = TypeVar("T")


class Session(msgspec.Struct, kw_only=True):
    """What the shop's page says it wants paid."""

    key: str
    order_id: str | None = None
    amount: int | str | None = None
    currency: str | None = None


class Submission(msgspec.Struct, kw_only=True):
    """The filled form."""

    key: str
    order_id: str
    form: Form


class Popup:
    """Routes below /v1/checkout; callers show only the public key."""

    def __init__(
        self, account: Account, books: Books, payments: Payments, checkout: Checkout, ledger: Ledger
    ) -> None:
        self._account = account
        self._books = books
        self._payments = payments
        self._checkout = checkout
        self._ledger = ledger

    def add_routes(self, app: web.Application) -> None:
        """Any shop may frame the popup, as with the real one."""
        app.router.add_get("/v1/checkout.js", page(_STATIC / "checkout.js"))
        app.router.add_get("/v1/checkout/popup", page(_STATIC / "popup.html", framed_by="*"))
        app.router.add_get("/v1/checkout/static/popup.js", page(_STATIC / "popup.js"))
        app.router.add_get("/v1/checkout/static/popup.css", page(_STATIC / "popup.css"))
        app.router.add_post("/v1/checkout/session", self.session)
        app.router.add_post("/v1/checkout/payments", self.pay)

    async def session(self, request: web.Request) -> web.Response:
        """The order as the popup shows it; refused when it takes no payment."""
        try:
            order = self._payable(_decode(await request.read(), Session))
        except ApiError as error:
            return _json(error.body(), error.status)
        view = {
            "amount": order.amount,
            "currency": order.currency,
            "decimals": decimals(order.currency),
        }
        return _json(msgspec.json.encode(view))

    def _payable(self, asked: Session) -> Order:
        self._check_key(asked.key)
        if not asked.order_id:
            raise ApiError("The order id field is required.", field="order_id")
        order = self._books.order(asked.order_id)
        self._payments.check_payable(order)
        if asked.amount is not None and str(asked.amount) != str(order.amount):
            raise ApiError(
                "Your payment amount is different from your order amount. "
                "To pay successfully, please try using right amount."
            )
        return order

    async def pay(self, request: web.Request) -> web.Response:
        try:
            submission = _decode(await request.read(), Submission)
            self._check_key(submission.key)
            result = self._pay(submission)
        except ApiError as error:
            return _json(error.body(), error.status)
        await self._ledger.durable()
        return _json(msgspec.json.encode(result))

    def _pay(self, submission: Submission) -> Result:
        """A browser may choose what its bank says, but not force a second payment."""
        form = submission.form
        form.force = False
        return self._checkout.pay(submission.order_id, form)

    def _check_key(self, key: str) -> None:
        if key != self._account.key_id:
            raise ApiError("The api key provided is invalid", status=401)


def _decode(body: bytes, wanted: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.DecodeError as error:
        raise ApiError(str(error)) from error


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")
