"""Razorpay's HTTP API, call by call: who may enter, what is done, what is answered."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from devstack.simulator.gate import Answer, ApiCall, Gate, Handler
from devstack.simulator.ledger import Entry
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.books import NAME, Books
from devstack.simulator.razorpay.checkout import Checkout, Form
from devstack.simulator.razorpay.errors import ApiError
from devstack.simulator.razorpay.requests import json_object
from devstack.simulator.razorpay.views import Json

_ID = re.compile(r"(order|pay|rfnd|disp|setl)_[A-Za-z0-9]+")


@dataclass(frozen=True)
class Done:
    """What a handler made or found, and whom to tell once it is answered."""

    body: Json
    result: str | None = None
    answered: Callable[[], None] | None = None


Act = Callable[[ApiCall, Entry], Done]


class RazorpayApi:
    """Basic authentication, error bodies and stable names for Razorpay's calls."""

    name = NAME
    idempotency_header = "x-refund-idempotency"

    def __init__(self, account: Account, books: Books, checkout: Checkout) -> None:
        self._account = account
        self._books = books
        self._checkout = checkout

    def refuse(self, call: ApiCall) -> Answer | None:
        """The scheme is case-sensitive: exactly `Basic` (docs, Authentication)."""
        expected = f"{self._account.key_id}:{self._account.key_secret}".encode()
        scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            given = b""
        if scheme == "Basic" and hmac.compare_digest(given, expected):
            return None
        return _refusal(ApiError("Authentication failed", status=401))

    def error(self, status: int) -> Answer:
        if status == 429:
            return _refusal(ApiError("Request failed. Please try after sometime.", status=429))
        text = "We are facing some trouble completing your request at the moment. Please try again shortly."
        return _refusal(ApiError(text, status=status, code="SERVER_ERROR"))

    def identity(self, call: ApiCall) -> str:
        """Ids are random, so objects are called by the receipt of their order."""
        path = _ID.sub(lambda match: self._name(match.group()), call.path)
        receipt = ""
        if call.method == "POST" and path == "/v1/orders":
            try:
                receipt = str(json_object(call.body).get("receipt"))
            except ApiError:
                receipt = "unreadable"
        query = call.query.get("receipt", [""])[0]
        return " ".join(part for part in (call.method, path, receipt, query) if part)

    def pay(self, answer: Answer, form: dict[str, object]) -> None:
        """Only what has just made an order can be paid before it is answered."""
        if answer.result is not None and answer.result.startswith("order_"):
            self._checkout.pay(answer.result, msgspec.convert(form, Form))

    def _name(self, row_id: str) -> str:
        order = self._books.orders.get(row_id)
        if order is not None:
            return order.name
        payment = self._books.payments.get(row_id)
        if payment is not None:
            return payment.name
        refund = self._books.refunds.get(row_id)
        if refund is not None:
            return f"refund of {self._name(refund.payment_id)}"
        return row_id


def handler(act: Act) -> Handler:
    """A gate's handler from what a call does; refusals become Razorpay's error bodies."""

    def handle(call: ApiCall, entry: Entry) -> Answer:
        try:
            done = act(call, entry)
        except ApiError as error:
            return _refusal(error)
        return Answer(
            status=200,
            body=msgspec.json.encode(done.body),
            result=done.result,
            answered=done.answered,
        )

    return handle


def add_routes(
    app: web.Application, gate: Gate, api: RazorpayApi, routes: list[tuple[str, str, Act]]
) -> None:
    """All calls, and Razorpay's own 404 for every other path below /v1."""
    for method, path, act in routes:
        app.router.add_route(method, path, gate.route(api, path, handler(act)))
    app.router.add_route("*", "/v1/{unknown:.*}", gate.route(api, "/v1/*", handler(_no_such_url)))


def _no_such_url(_call: ApiCall, _entry: Entry) -> Done:
    raise ApiError("The requested URL was not found on the server.", status=404)


def _refusal(error: ApiError) -> Answer:
    return Answer(status=error.status, body=error.body())
