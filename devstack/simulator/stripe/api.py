"""Stripe's HTTP API, call by call: who may enter, what an idempotency key stands for, what is answered."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from devstack.simulator.clock import Clock
from devstack.simulator.gate import Answer, ApiCall, Gate
from devstack.simulator.ledger import Entry
from devstack.simulator.stripe.account import Account
from devstack.simulator.stripe.books import NAME, Books
from devstack.simulator.stripe.entities import StoredAnswer
from devstack.simulator.stripe.errors import ApiError
from devstack.simulator.stripe.forms import Fields, nested, pairs, texts
from devstack.simulator.stripe.ids import new_id
from devstack.simulator.stripe.views import Json, expand

BASE = "/stripe/v1"
REPLAYED = "Idempotent-Replayed"
_ID = re.compile(r"(pi|ch|py|re|pyr|du|txn|po)_[A-Za-z0-9]{24}")


@dataclass(frozen=True)
class Asked:
    """One call, read: its path's ids, its parameters, and whether a browser's key sent it."""

    params: dict[str, str]
    fields: Fields
    key: str | None
    public: bool = False


@dataclass(frozen=True)
class Done:
    """What a handler made or found."""

    body: Json
    result: str | None = None


Act = Callable[[Asked, Entry], Done]
Pay = Callable[[str, dict[str, object]], None]


class StripeApi:
    """Keys, error bodies, idempotency and stable names for Stripe's calls."""

    name = NAME
    idempotency_header = "idempotency-key"

    def __init__(self, account: Account, books: Books, clock: Clock, pay: Pay) -> None:
        self._account = account
        self._books = books
        self._clock = clock
        self._pay = pay
        self._in_progress: set[str] = set()

    def refuse(self, call: ApiCall) -> Answer | None:
        """`Bearer sk_…`, or Basic with the key as the user; a browser shows its public key."""
        try:
            given = _credential(call)
        except ApiError as error:
            return _refusal(error)
        if not given:
            text = "You did not provide an API key."
            return _refusal(ApiError(text, status=401))
        for known in (self._account.secret_key, self._account.publishable_key):
            if hmac.compare_digest(given.encode(errors="replace"), known.encode()):
                return None
        return _refusal(ApiError(f"Invalid API Key provided: {given[:7]}***", status=401))

    def error(self, status: int) -> Answer:
        if status == 429:
            text = "Request rate limit exceeded. You can learn more about rate limits here."
            return _refusal(ApiError(text, status=429, code="rate_limit"))
        text = "An unknown error occurred while processing your request."
        return _refusal(ApiError(text, status=status, type="api_error"))

    def identity(self, call: ApiCall) -> str:
        """Ids are random, so intents are called by the key of their create."""
        path = _ID.sub(lambda match: self._name(match.group()), call.path)
        key = call.headers.get(self.idempotency_header, "")
        return " ".join(part for part in (call.method, path, key) if part)

    def pay(self, answer: Answer, form: dict[str, object]) -> None:
        """Only what has just made an intent can be paid before it is answered."""
        if answer.result is not None and answer.result.startswith("pi_"):
            self._pay(answer.result, form)

    def act(self, call: ApiCall, entry: Entry, act: Act, *, public: bool) -> Answer:
        """The answer to a call, once for each idempotency key (Stripe docs, Idempotent requests)."""
        key = call.headers.get(self.idempotency_header) if call.method == "POST" else None
        if key is None:
            return self._run(call, entry, act, None, public=public)[0]
        if len(key) > 255:
            return _refusal(ApiError("Idempotency keys must be at most 255 characters long."))
        if key in self._in_progress:
            text = (
                "There is currently another in-progress request using this Idempotent Key "
                "(that probably means you submitted twice, and the other request is still going through)."
            )
            conflict = ApiError(text, status=409, type="idempotency_error", code="idempotency_key_in_use")
            return _refusal(conflict)
        stored = self._stored(key)
        if stored is not None and stored.request_sha256 != _digest(call):
            text = (
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{key}' if you meant to execute a "
                "different request."
            )
            return _refusal(ApiError(text, type="idempotency_error"))
        self._in_progress.add(key)
        if stored is not None:
            answer = Answer(
                status=stored.status,
                body=stored.body.encode(),
                result=stored.result,
                headers={**_request_id(), REPLAYED: "true"},
            )
        else:
            answer, executed = self._run(call, entry, act, key, public=public)
            if executed:
                self._store(call, entry, key, answer)
        return msgspec.structs.replace(answer, answered=lambda: self._in_progress.discard(key))

    def struck(self, call: ApiCall, entry: Entry, hidden: Answer | None) -> None:
        """A 500 is what the key stands for from now on, whether the work was done or not."""
        key = call.headers.get(self.idempotency_header)
        if call.method != "POST" or key is None:
            return
        known = self._stored(key)
        first = known is None if hidden is None else known is not None and REPLAYED not in hidden.headers
        if first:
            self._store(call, entry, key, self.error(500))

    def _run(
        self, call: ApiCall, entry: Entry, act: Act, key: str | None, *, public: bool
    ) -> tuple[Answer, bool]:
        """The answer, and whether the endpoint had begun its work."""
        try:
            given = pairs(call.body)
            if call.method == "GET":
                given = [(name, value) for name, values in call.query.items() for value in values]
            fields = nested(given)
            wanted = texts(fields.pop("expand", None))
            asked = Asked(call.params, fields, key, public=self._is_public(call))
            fields.pop("key", None)
            _check_key(asked, public=public)
            done = act(asked, entry)
            body = msgspec.json.encode(expand(done.body, wanted, self._books))
        except ApiError as error:
            executed = error.executed or error.status == 402
            return _refusal(error), executed
        return Answer(status=200, body=body, result=done.result, headers=_request_id()), True

    def _is_public(self, call: ApiCall) -> bool:
        return _credential(call) == self._account.publishable_key

    def _stored(self, key: str) -> StoredAnswer | None:
        stored = self._books.answers.get(key)
        if stored is None or self._clock.now() > stored.at + self._clock.real(self._account.key_life_s):
            return None
        return stored

    def _store(self, call: ApiCall, entry: Entry, key: str, answer: Answer) -> None:
        row = StoredAnswer(
            id=key,
            request_sha256=_digest(call),
            status=answer.status,
            body=answer.body.decode(),
            result=answer.result,
            at=self._clock.now(),
        )
        entry.put(self._books.answers, row)

    def _name(self, row_id: str) -> str:
        intent = self._books.intents.get(row_id)
        if intent is not None:
            return intent.name
        charge = self._books.charges.get(row_id)
        return row_id if charge is None else charge.name


def add_routes(app: web.Application, gate: Gate, api: StripeApi, routes: list[tuple[str, str, Act]]) -> None:
    """All calls, and Stripe's own 404 for every other path. Those for browsers are named here."""
    public = {
        ("GET", "/payment_intents/{id}"),
        ("POST", "/payment_intents/{id}/confirm"),
    }

    def add(method: str, path: str, act: Act, *, open_to_browsers: bool) -> None:
        def handle(call: ApiCall, entry: Entry) -> Answer:
            return api.act(call, entry, act, public=open_to_browsers)

        app.router.add_route(method, BASE + path, gate.route(api, BASE + path, handle, api.struck))

    for method, path, act in routes:
        add(method, path, act, open_to_browsers=(method, path) in public)
    add("*", "/{unknown:.*}", _no_such_url, open_to_browsers=True)


def _check_key(asked: Asked, *, public: bool) -> None:
    if asked.public and not public:
        raise ApiError("This API call cannot be made with a publishable API key.", status=403)


def _no_such_url(_asked: Asked, _entry: Entry) -> Done:
    raise ApiError("Unrecognized request URL. Please see https://stripe.com/docs.", status=404)


def _credential(call: ApiCall) -> str:
    """The key that a call shows; raises for a body that is no form."""
    given = pairs(call.body)
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, ValueError):
            return ""
    if "key" in call.query:
        return call.query["key"][-1]
    return next((value for name, value in given if name == "key"), "")


def _digest(call: ApiCall) -> str:
    """Path and parameters, in whatever order they were sent."""
    text = msgspec.json.encode([call.method, call.path, sorted(pairs(call.body))])
    return hashlib.sha256(text).hexdigest()


def _refusal(error: ApiError) -> Answer:
    return Answer(status=error.status, body=error.body(), headers=_request_id())


def _request_id() -> dict[str, str]:
    return {"request-id": new_id("req", 14)}
