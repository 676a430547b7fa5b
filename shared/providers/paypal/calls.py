"""PayPal's HTTP calls, each with its deadline, every failure classified.

A client of our own: the official SDK is blocking, asks for no second token after a 401, and has neither
disputes nor webhooks.
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from shared.errors import Malformed, NotFound, OutcomeUnknown, PaystreamError, Rejected, Unavailable
from shared.providers.paypal.tokens import TokenAnswer, Tokens

CONNECT_S = 1.0
CONNECTIONS = 16  # calls at once; more would only queue at the provider
ANSWER_BYTES_MAX = 8_000_000  # a page of 500 transactions is about 1 MB

T = TypeVar("T")

# PayPal is still at it, so nobody can say yet what comes of it.
_UNDER_WAY = frozenset({"ORDER_COMPLETION_IN_PROGRESS", "PREVIOUS_REQUEST_IN_PROGRESS"})


class Refused(Rejected):
    """PayPal says no. `issue` is the reason that its documents name, empty when it gives none."""

    def __init__(self, detail: str, issue: str) -> None:
        super().__init__("provider-rejected", detail)
        self.issue = issue


class _Detail(msgspec.Struct, frozen=True):
    issue: str = ""
    description: str = ""


class _Error(msgspec.Struct, frozen=True):
    """An error body (PayPal docs, API responses). Its texts may change, its names do not."""

    name: str = ""
    message: str = ""
    debug_id: str = ""
    details: list[_Detail] = []


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, complete."""

    status: int
    body: bytes
    debug_id: str
    retry_after_s: float | None


class Calls:
    """One REST app's calls. `writes`: an unclear end is OutcomeUnknown, else Unavailable."""

    def __init__(self, client_id: str, client_secret: str, base_url: str, timeout_s: float) -> None:
        credentials = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._basic = f"Basic {credentials}"
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._tokens = Tokens(self._ask_token)
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, kind: type[T], query: Mapping[str, str] | None = None) -> T:
        """A read. Malformed when the answer is JSON of another shape."""
        answer = await self._call("GET", path, writes=False, query=query or {})
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.ValidationError as error:
            raise Malformed("provider-answer-unreadable", f"PayPal's answer: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable("provider-unavailable", f"PayPal's answer is no JSON: {error}") from error

    async def post(self, path: str, kind: type[T], body: object, key: str) -> T:
        """A write under our key. An answer that cannot be read does not say what was done."""
        answer = await self._call(
            "POST",
            path,
            writes=True,
            data=msgspec.json.encode(body),
            headers={
                "Content-Type": "application/json",
                "Prefer": "return=representation",
                "PayPal-Request-Id": key,
            },
        )
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OutcomeUnknown("provider-outcome-unknown", f"PayPal's answer: {error}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        writes: bool,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """The answer to a call that PayPal took. A token that it refuses is renewed, once."""
        deadline = time.monotonic() + self._timeout_s
        token = await self._tokens.current(deadline)
        answer = await self._ask(method, path, token, deadline, writes, headers, options)
        if answer.status == 401:
            self._tokens.drop(token)
            token = await self._tokens.current(deadline)
            answer = await self._ask(method, path, token, deadline, writes, headers, options)
        if answer.status not in (200, 201):
            raise classified(answer, writes=writes)
        return answer

    async def _ask(
        self,
        method: str,
        path: str,
        token: str,
        deadline: float,
        writes: bool,
        headers: Mapping[str, str] | None,
        options: dict[str, Any],
    ) -> Answer:
        carried = {"Authorization": f"Bearer {token}", **(headers or {})}
        try:
            return await self._request(method, path, deadline, headers=carried, **options)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = f"{type(error).__name__}: {error}"[:300]
            if writes and not _never_sent(error):
                raise OutcomeUnknown("provider-outcome-unknown", f"no answer of PayPal: {text}") from error
            raise Unavailable("provider-unavailable", f"no answer of PayPal: {text}") from error

    async def _ask_token(self, deadline: float) -> TokenAnswer:
        """Nothing has happened yet when this fails: always Unavailable."""
        try:
            answer = await self._request(
                "POST",
                "/v1/oauth2/token",
                deadline,
                headers={"Authorization": self._basic},
                data={"grant_type": "client_credentials"},
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable("provider-unavailable", f"no token of PayPal: {error}"[:300]) from error
        if answer.status == 429:
            raise classified(answer, writes=False)
        if 400 <= answer.status < 500:
            raise Unavailable("provider-misconfigured", "PayPal refuses our client id or secret", 30.0)
        try:
            if answer.status == 200:
                return msgspec.json.decode(answer.body, type=TokenAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable("provider-unavailable", f"PayPal's token: {error}") from error
        raise Unavailable("provider-unavailable", f"PayPal answered {answer.status} instead of a token")

    async def _request(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        query: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise aiohttp.ConnectionTimeoutError("no time was left to send it")
        # From 5 s on aiohttp rounds a deadline up to a whole second, unless told where to begin.
        timeout = aiohttp.ClientTimeout(total=left_s, sock_connect=CONNECT_S, ceil_threshold=left_s + 1)
        url = URL(self._base_url + path, encoded=True).with_query(query or None)
        async with self._opened().request(
            method, url, timeout=timeout, allow_redirects=False, **options
        ) as response:
            body = await _bounded(response.content)
            return Answer(
                response.status,
                body,
                response.headers.get("PayPal-Debug-Id", ""),
                _seconds(response.headers.get("Retry-After", "")),
            )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json"},
            )
        return self._session


def classified(answer: Answer, *, writes: bool) -> PaystreamError:
    """The one of our errors that an answer other than 200 and 201 is (PayPal docs, API responses)."""
    error = _error(answer.body)
    issue = error.details[0].issue if error is not None and error.details else ""
    text = _words(answer, error)
    if answer.status == 429:
        return Unavailable(
            "provider-rate-limited", "PayPal asks us to slow down", answer.retry_after_s or 5.0
        )
    if answer.status in (401, 403):
        return Unavailable("provider-misconfigured", f"PayPal refuses us: {text}", retry_after_s=30.0)
    under_way = answer.status == 409 or issue in _UNDER_WAY
    if error is not None and error.name and 400 <= answer.status < 500 and not under_way:
        if answer.status == 404:
            return NotFound("not-found", text)
        return Refused(text, issue)
    if writes:
        return OutcomeUnknown("provider-outcome-unknown", text)
    return Unavailable("provider-unavailable", text)


def _error(body: bytes) -> _Error | None:
    """The error body; None for what a proxy says, which knows nothing of what PayPal did."""
    try:
        return msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _words(answer: Answer, error: _Error | None) -> str:
    """A sentence for a person, with the id by which PayPal's support finds the call."""
    if error is None:
        return f"PayPal answered {answer.status} (debug id {answer.debug_id or 'none'})"
    details = "; ".join(f"{each.issue} {each.description}".strip() for each in error.details)
    debug_id = error.debug_id or answer.debug_id or "none"
    return f"{error.name}: {details or error.message} (debug id {debug_id})"[:400]


def _never_sent(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise aiohttp.ClientPayloadError(f"the answer has more than {ANSWER_BYTES_MAX} bytes")
    return bytes(body)


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
