"""Calls through the official SDK's async client, every failure classified.

Facts (SDK `stripe` 16.1.0, read and measured): its own retry repeats POSTs and stays off; it invents an
idempotency key unless one is given; its default time-out is 80 s; a 409 comes as APIError; errors while
the body is read leave it as they are, and a body that is no UTF-8 as UnicodeDecodeError. Raw requests
give the answer's text, so no object is built twice.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import aiohttp
import msgspec
import stripe

from shared.errors import Malformed, NotFound, OutcomeUnknown, PaystreamError, Rejected, Unavailable

T = TypeVar("T")

RETRY_AFTER_S = 2.0  # when a 429 does not say
RETRY_AFTER_MAX_S = 60.0  # whatever it says: the caller has its own schedule
CONNECT_S = 1.0

Parameters = Mapping[str, object]

# No machine's id in a header, no file of it in the home directory.
stripe.enable_telemetry = False


# The last two: the SDK looks into an error body that is no object, such as a proxy's.
_FAILURES = (
    stripe.StripeError, aiohttp.ClientError, TimeoutError, UnicodeDecodeError, AttributeError, TypeError,
)  # fmt: skip


class _HttpClient(stripe.AIOHTTPClient):
    """Never follows a redirect with our credentials."""

    def _get_request_args_kwargs(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any
    ) -> tuple[Any, dict[str, Any]]:
        args, options = super()._get_request_args_kwargs(method, url, headers, post_data)
        options["allow_redirects"] = False
        return args, options


class Calls:
    """Reads and writes with a time-out. An unclear end is OutcomeUnknown of a write, else Unavailable."""

    def __init__(self, secret_key: str, base_url: str, timeout_s: float) -> None:
        # From 5 s on aiohttp rounds a deadline up to a whole second, unless told where to begin.
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=CONNECT_S, ceil_threshold=timeout_s + 1)
        self._http = _HttpClient(timeout=timeout)
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": base_url.rstrip("/")},
            max_network_retries=0,
            http_client=self._http,
        )

    async def read(self, kind: type[T], path: str, **parameters: object) -> T:
        """One GET. Raises NotFound, Unavailable, Malformed."""
        return decoded(kind, await self._run("get", path, parameters, writes=False))

    async def write(self, kind: type[T], path: str, key: str, parameters: Parameters) -> T:
        """One POST under our key."""
        body = await self._run("post", path, {**parameters, "idempotency_key": key}, writes=True)
        return done(lambda: decoded(kind, body))

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it out

    async def _run(self, method: str, path: str, parameters: Parameters, *, writes: bool) -> str:
        try:
            answer = await self._client.raw_request_async(method, path, **parameters)
        except _FAILURES as error:
            raise classified(error, writes=writes) from error
        return str(answer.body)


def done(read: Callable[[], T]) -> T:
    """The answer to a write. One that cannot be read does not say what was done."""
    try:
        return read()
    except Malformed as error:
        raise OutcomeUnknown("provider-outcome-unknown", error.detail) from error


def decoded(kind: type[T], body: str | msgspec.Raw) -> T:
    """The object that an answer holds, or Malformed."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("provider-answer-unreadable", f"Stripe's answer: {error}") from error


def classified(  # noqa: PLR0911 - one line per row of the table
    error: Exception, *, writes: bool
) -> PaystreamError:
    """The one of our errors that a failed call is (Stripe docs, Errors)."""
    text = str(error)[:300]
    if not isinstance(error, stripe.StripeError) or isinstance(error, stripe.APIConnectionError):
        if isinstance(error.__cause__, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            return Unavailable("provider-unavailable", f"no connection to Stripe: {text}")
        return _unclear(f"no whole answer from Stripe: {type(error).__name__}: {text}", writes=writes)
    status, said = error.http_status, _said(error)
    if isinstance(error, stripe.RateLimitError) or status == 429:
        return Unavailable("provider-rate-limited", "Stripe asks us to slow down", _retry_after_s(error))
    if status in (401, 403):
        return Unavailable("provider-misconfigured", f"Stripe refuses our key: {text}", retry_after_s=30.0)
    if status == 404 and said.code == "resource_missing":
        return NotFound("not-found", text)
    # 409: the first request of this key is still running; 424: a bank or network behind Stripe failed;
    # an idempotency_error: the key's first request was another one, and this is not what came of it.
    if status in (400, 402, 404) and said.type in ("invalid_request_error", "card_error"):
        return Rejected("provider-rejected", said.message or f"Stripe answered {status}")
    return _unclear(f"Stripe answered {status}: {text}", writes=writes)


class _Said(msgspec.Struct, frozen=True):
    type: str | None = None
    code: str | None = None
    message: str | None = None


class _SaidBox(msgspec.Struct, frozen=True):
    error: _Said = _Said()


def _said(error: stripe.StripeError) -> _Said:
    """Stripe's own words, empty when a proxy answered in its place."""
    try:
        return msgspec.convert(error.json_body, _SaidBox).error
    except msgspec.ValidationError:
        return _Said()


def _unclear(detail: str, *, writes: bool) -> PaystreamError:
    if writes:
        return OutcomeUnknown("provider-outcome-unknown", detail)
    return Unavailable("provider-unavailable", detail)


def _retry_after_s(error: stripe.StripeError) -> float:
    # Where the body is no JSON, the SDK puts the headers where the body would be.
    headers = error.headers or error.json_body
    if not isinstance(headers, Mapping):
        return RETRY_AFTER_S
    named = {str(name).lower(): str(value) for name, value in headers.items()}
    given = named.get("retry-after", "")
    if given.isascii() and given.isdigit():
        return min(float(given), RETRY_AFTER_MAX_S)
    return RETRY_AFTER_S
