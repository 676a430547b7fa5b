"""The outermost layer: one host, exact origins, bounded bodies, the headers that every answer carries.

Webhooks branch off here before any framework; everything else reaches Litestar with its body read.
"""

import time
from collections.abc import Collection

import structlog
from prometheus_client import Histogram

from services.gateway.http import Header, Message, Receive, Scope, Send, answer_problem, respond
from services.gateway.webhooks import PATH as WEBHOOK_PATH
from shared.errors import Malformed, NotFound, PaystreamError, Rejected
from shared.http_server import AsgiApp, read_body

log = structlog.get_logger()

REQUEST_SECONDS = Histogram(
    "gateway_request_seconds", "Requests but for webhooks and streams", ["method", "route", "status"]
)

BODY_MAX = 64 * 1024  # 200 order lines with long names fit
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})

SECURITY_HEADERS: list[Header] = [
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_VARY: Header = (b"vary", b"origin")
_PREFLIGHT: list[Header] = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, content-type, last-event-id, idempotency-key"),
    (b"access-control-max-age", b"600"),
]


class Edge:
    """Nothing leaves without the security headers, and nothing unexpected is told to anyone."""

    def __init__(
        self, api: AsgiApp, webhooks: AsgiApp, hosts: Collection[str], origins: Collection[str]
    ) -> None:
        self._api = api
        self._webhooks = webhooks
        self._hosts = frozenset(h.lower().encode() for h in hosts)
        self._origins = frozenset(o.encode() for o in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        try:
            await self._answer(scope, receive, answer)
        except PaystreamError as error:
            await self._refuse(answer, error)
        except Exception:
            log.exception("a request failed", path=scope["path"])
            await self._refuse(answer, PaystreamError("internal"))

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        _check_host(scope, self._hosts)
        path: str = scope["path"]
        if "//" in path:
            raise NotFound("not-found")  # one address for one thing: Litestar would fold the slashes
        if path == WEBHOOK_PATH or path.startswith(WEBHOOK_PATH + "/"):
            await self._webhooks(scope, receive, answer.send)
            return
        allowed = self._allow_origin(scope, answer)
        method = scope["method"]
        if method == "OPTIONS":
            await _preflight(scope, answer, allowed)
            return
        if method in WITH_BODY:
            if any(n == b"content-encoding" and v.lower() != b"identity" for n, v in scope["headers"]):
                raise Rejected("encoded-body", "send the body as it is")
            receive = _already(await read_body(receive, BODY_MAX), receive)
        began = time.perf_counter()
        await self._api(scope, receive, answer.send)
        if not answer.streamed:  # a stream lasts as long as its reader likes
            route = scope.get("path_template") or "none"
            REQUEST_SECONDS.labels(method, route, answer.status).observe(time.perf_counter() - began)

    async def _refuse(self, answer: "_Answer", error: PaystreamError) -> None:
        if not answer.status:
            await answer_problem(answer.send, error, allow=b"GET, POST")

    def _allow_origin(self, scope: Scope, answer: "_Answer") -> bool:
        """Says to an allowed origin, exactly as configured, that it may read; to others nothing."""
        if not self._origins:
            return False
        answer.headers.append(_VARY)
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if len(origins) != 1 or origins[0] not in self._origins:
            return False
        answer.headers.append((b"access-control-allow-origin", origins[0]))
        answer.headers.append((b"access-control-expose-headers", b"retry-after"))
        return True


def _check_host(scope: Scope, served: frozenset[bytes]) -> None:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        raise Malformed("bad-host", "send exactly one Host header")
    host = hosts[0].lower()
    name, colon, port = host.rpartition(b":")
    if not colon or not port.isdigit():
        name = host  # no port; or an IPv6 literal, whose last colon is inside its brackets
    if name not in served:
        raise Rejected("misdirected", "this host is not served here")


async def _preflight(scope: Scope, answer: "_Answer", allowed: bool) -> None:
    """The answer to a browser that asks first (WHATWG Fetch, CORS protocol)."""
    if not any(name == b"access-control-request-method" for name, _ in scope["headers"]):
        raise Rejected("method-not-allowed")
    await respond(answer.send, 204, b"", _PREFLIGHT if allowed else [])


class _Answer:
    """`send` with the headers that every answer carries. The status is 0 before the answer begins."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.headers: list[Header] = []
        self.status = 0
        self.streamed = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.streamed = (b"content-type", b"text/event-stream") in message.get("headers", ())
            message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS, *self.headers]
        await self._send(message)


def _already(body: bytes, receive: Receive) -> Receive:
    """Hands over a body that was read, then whatever comes: the end of the connection."""
    pending = [body]

    async def read() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return read
