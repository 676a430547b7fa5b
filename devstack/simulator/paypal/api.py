"""PayPal's HTTP API, call by call: who may enter, what is done, what is answered."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from devstack.simulator.clock import Clock
from devstack.simulator.gate import Answer, ApiCall, Gate, Handler
from devstack.simulator.ledger import Entry
from devstack.simulator.paypal.account import Account
from devstack.simulator.paypal.books import NAME, Books
from devstack.simulator.paypal.checkout import Checkout, Form
from devstack.simulator.paypal.entities import RequestKey
from devstack.simulator.paypal.errors import ApiError, in_progress, not_found, unprocessable
from devstack.simulator.paypal.ids import debug_id
from devstack.simulator.paypal.requests import json_object
from devstack.simulator.paypal.tokens import Tokens
from devstack.simulator.paypal.views import Json

_ID = re.compile(r"\b[A-Z0-9]{17}\b|\bPP-R-[A-Z0-9]+-[0-9]+\b")
_OPEN = ("/v1/oauth2/token", "/v1/notifications/certs/")


@dataclass(frozen=True)
class Done:
    """What a handler made or found."""

    body: Json
    result: str | None = None
    status: int = 200
    answered: Callable[[], None] | None = None


Act = Callable[[ApiCall, Entry], Done]


class PayPalApi:
    """Bearer tokens, error bodies and stable names for PayPal's calls."""

    name = NAME
    idempotency_header = "paypal-request-id"

    def __init__(self, tokens: Tokens, books: Books, checkout: Checkout) -> None:
        self._tokens = tokens
        self._books = books
        self._checkout = checkout

    def refuse(self, call: ApiCall) -> Answer | None:
        if call.path.startswith(_OPEN):
            return None
        return self._tokens.refusal(call.headers.get("authorization", ""))

    def error(self, status: int) -> Answer:
        return _refusal(ApiError(status))

    def identity(self, call: ApiCall) -> str:
        """Ids are random, so objects are called by the invoice id of their order."""
        path = _ID.sub(lambda match: self._name(match.group()), call.path)
        invoice_id = ""
        if call.method == "POST" and path == "/v2/checkout/orders":
            invoice_id = _invoice_id(call.body)
        transactions = [self._name(each) for each in call.query.get("disputed_transaction_id", [])]
        return " ".join(part for part in (call.method, path, invoice_id, *transactions) if part)

    def pay(self, answer: Answer, form: dict[str, object]) -> None:
        """Only what has just made an order can be approved before it is answered."""
        if answer.result is not None and self._books.orders.get(answer.result) is not None:
            self._checkout.approve(answer.result, msgspec.convert(form, Form))

    def _name(self, row_id: str) -> str:
        books = self._books
        if (order := books.orders.get(row_id)) is not None:
            return order.name
        if (capture := books.captures.get(row_id)) is not None:
            return capture.name
        if (refund := books.refunds.get(row_id)) is not None:
            return f"refund of {books.captures[refund.capture_id].name}"
        if (dispute := books.disputes.get(row_id)) is not None:
            return f"dispute of {books.captures[dispute.capture_id].name}"
        return row_id


class Keys:
    """`PayPal-Request-Id`: the same one again gives what the first call made, as it is now."""

    def __init__(self, account: Account, books: Books, clock: Clock) -> None:
        self._lives_s = clock.real(account.order_keys_s)
        self._books = books
        self._clock = clock
        self._in_progress: set[str] = set()

    def once(self, call: ApiCall, entry: Entry, operation: str, make: Callable[[], str]) -> tuple[str, int]:
        """(object id, status): 201 from `make` the first time, 200 after it. A refusal uses no key up."""
        key = call.headers.get("paypal-request-id")
        if key is None:
            return make(), 201
        if not 1 <= len(key) <= 108:
            raise unprocessable("INVALID_STRING_LENGTH", "PayPal-Request-Id")
        name = f"{operation} {key}"
        if name in self._in_progress:
            raise in_progress()
        known = self._books.keys.get(name)
        if known is not None and (operation == "refund" or self._clock.now() < known.at + self._lives_s):
            return known.result, 200
        made = make()
        entry.put(self._books.keys, RequestKey(id=name, result=made, at=self._clock.now()))
        self._in_progress.add(name)
        return made, 201

    def answered(self, call: ApiCall, operation: str) -> Callable[[], None]:
        """To be told when the answer has left or was lost: then the key may come again."""
        name = f"{operation} {call.headers.get('paypal-request-id')}"
        return lambda: self._in_progress.discard(name)


def handler(act: Act) -> Handler:
    """A gate's handler from what a call does; refusals become PayPal's error bodies."""

    def handle(call: ApiCall, entry: Entry) -> Answer:
        try:
            _mocked(call)
            done = act(call, entry)
        except ApiError as error:
            return _refusal(error)
        return Answer(
            status=done.status,
            body=msgspec.json.encode(done.body),
            result=done.result,
            answered=done.answered,
            headers={"PayPal-Debug-Id": debug_id()},
        )

    return handle


def add_routes(app: web.Application, gate: Gate, api: PayPalApi, routes: list[tuple[str, str, Act]]) -> None:
    """All calls, and PayPal's own 404 for every other path below /v2."""
    for method, path, act in routes:
        app.router.add_route(method, path, gate.route(api, path, handler(act)))
    for path in ("/v2/checkout/{unknown:.*}", "/v2/payments/{unknown:.*}"):
        app.router.add_route("*", path, gate.route(api, path, handler(_no_such_url)))


def _no_such_url(_call: ApiCall, _entry: Entry) -> Done:
    raise not_found()


def _mocked(call: ApiCall) -> None:
    """Negative testing as in the sandbox: the header names the issue (PayPal docs, Negative testing)."""
    asked = call.headers.get("paypal-mock-response")
    if asked is not None:
        raise unprocessable(str(json_object(asked.encode()).get("mock_application_codes")))


def _invoice_id(body: bytes) -> str:
    try:
        units = json_object(body).get("purchase_units")
    except ApiError:
        return "unreadable"
    unit = units[0] if isinstance(units, list) and units else None
    return str(unit.get("invoice_id")) if isinstance(unit, dict) else "unreadable"


def _refusal(error: ApiError) -> Answer:
    id_ = debug_id()
    headers = {"PayPal-Debug-Id": id_} | ({"Retry-After": "1"} if error.status == 429 else {})
    return Answer(status=error.status, body=error.body(id_), headers=headers)
