"""ASGI in a few words: headers as a map, whole answers, problems."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from services.gateway.problems import headers_of, problem
from shared.errors import PaystreamError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")


def header_map(headers: Iterable[Header]) -> dict[str, str]:
    """Names in lower case. One that comes twice is joined, so that it matches nothing by accident."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


async def respond(send: Send, status: int, body: bytes, headers: Iterable[Header] = (JSON,)) -> None:
    """One whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def answer_problem(send: Send, error: PaystreamError, allow: bytes = b"") -> None:
    """The RFC 9457 answer to an error; `allow` names the methods that a 405 would have taken."""
    answer = problem(error)
    extra = [(b"allow", allow)] if answer.status == 405 and allow else []
    await respond(send, answer.status, msgspec.json.encode(answer), [*headers_of(answer), *extra])
