"""uvicorn inside our own event loop, with the deadlines and limits it lacks.

Measured: uvicorn alone keeps slow headers, slow bodies and idle connections open for more than 75 s. Here
every part of a request has a deadline and a size, and whoever does not read our answer is cut off. What
a route may take is the application's to say (`read_body`); these are the outer bounds.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Literal, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared.errors import Malformed, PaystreamError

HEADERS_S = 10.0  # "stalled input is closed within 15 s", with room to spare
BODY_S = 10.0  # for the application's own answer to a slow body
MESSAGE_S = 12.0  # from the headers to the last byte, whatever the application does
WRITE_S = 15.0  # a client that takes nothing of our answer for this long is gone
LINGER_S = 1.0  # after a refusal we read on a moment, so that the client can read the answer
HEADER_BYTES_MAX = 32_768
HEADERS_MAX = 100
URL_BYTES_MAX = 8_192
MESSAGE_BYTES_MAX = 8_000_000  # what is read and thrown away after an early answer; past it we hang up
KEEP_ALIVE_S = 65  # longer than a proxy's own idle time-out, so that the proxy closes first

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Callable[[Message], Awaitable[None]]], Awaitable[None]]

# Status: (reason phrase, problem code, title, may be repeated)
_REFUSALS: dict[int, tuple[str, str, str, bool]] = {
    400: ("Bad Request", "malformed-http", "The request is not valid HTTP", False),
    408: ("Request Timeout", "request-timeout", "The request did not arrive in time", True),
    414: ("URI Too Long", "uri-too-long", "The address is too long", False),
    431: ("Request Header Fields Too Large", "headers-too-large", "The headers are too large", False),
}


class BodyTooLarge(PaystreamError):
    """The body is longer than this route takes; it was read to its end or cut, so the answer arrives."""


class BodyTooSlow(PaystreamError):
    """The body did not arrive in time."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 that answers stalled, oversized and unreadable requests with a problem, and hangs up."""

    _awaits: Literal["request", "headers", "body", "nothing"] = "request"
    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _received = 0  # bytes of the current headers, or of the current body
    _lines = 0
    _tail = b""  # the last bytes of unfinished headers: their end may be cut in two

    # --- connection ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm(HEADERS_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaits == "request":
            self._awaits = "headers"
            self._arm(HEADERS_S)
        match self._awaits:
            case "headers":
                if (status := self._headers_problem(data)) is not None:
                    self._refuse(status)
                    return
            case "body" | "nothing":
                self._received += len(data)
                if self._received > MESSAGE_BYTES_MAX:
                    self.transport.abort()
                    return
        if self._awaits != "nothing":
            super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_deadline = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None
        super().resume_writing()

    # --- the parser's callbacks ---------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._begin("body")
        self._arm(MESSAGE_S)

    def on_message_complete(self) -> None:
        self._begin("request")
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's words may repeat the input
        self._refuse(400)

    # --- limits -------------------------------------------------------------------------------------------

    def _begin(self, part: Literal["request", "body", "nothing"]) -> None:
        self._awaits = part
        self._received, self._lines, self._tail = 0, 0, b""

    def _headers_problem(self, data: bytes) -> int | None:
        """Counts what of `data` belongs to the headers; the status that refuses it when it is too much."""
        joined = self._tail + data
        end = joined.find(b"\r\n\r\n")
        length = len(data) if end < 0 else max(0, end - len(self._tail))
        self._tail = joined[-3:] if end < 0 else b""
        first_line = data.find(b"\n", 0, length)
        line_length = self._received + (length if first_line < 0 else first_line)
        if self._lines == 0 and line_length > URL_BYTES_MAX:
            return 414
        self._received += length
        self._lines += data.count(b"\n", 0, length)
        too_much = self._received > HEADER_BYTES_MAX or self._lines > HEADERS_MAX
        return 431 if too_much else None

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._stalled)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stalled(self) -> None:
        if self._awaits == "request":  # a connection on which nothing was ever asked
            self.transport.close()
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answers, unless another answer is under way; reads on a moment without listening; hangs up."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        answered = cycle is None or cycle.response_complete
        if cycle is not None and not answered:
            cycle.disconnected = True  # whatever the application says now has no one to hear it
            cycle.message_event.set()
        begun = bool(self.pipeline) or (cycle is not None and cycle.response_started and not answered)
        late = self._awaits == "body" and answered  # its request has had its answer already
        if begun or late or self.transport.is_closing():
            self.transport.close()
            return
        self._begin("nothing")
        self._disarm()
        self.transport.write(_refusal(status))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_S, self.transport.close)


def _refusal(status: int) -> bytes:
    phrase, code, title, retryable = _REFUSALS[status]
    problem = {"type": f"urn:paystream:problem:{code}", "title": title, "status": status, "code": code}
    body = json.dumps({**problem, "retryable": retryable})
    return (
        f"HTTP/1.1 {status} {phrase}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}"
    ).encode()


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the service and says when it is ready to be asked."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def new_server(app: AsgiApp, host: str, port: int) -> Server:
    """Listens on one address; no access log, no server header, no trust in X-Forwarded-For."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a stranger's bad requests are not our news
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=10,
            backlog=2048,
        )
    )


async def serve(server: Server) -> asyncio.Task[None]:
    """Starts listening and returns once it does; a busy port is an OSError that names it."""
    config = server.config
    probe = await asyncio.get_running_loop().create_server(asyncio.Protocol, config.host, config.port)
    probe.close()
    await probe.wait_closed()
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            raise OSError(f"cannot listen on {config.host}:{config.port}")
        await asyncio.sleep(0.01)
    return task


async def stop(server: Server, task: asyncio.Task[None]) -> None:
    """Stops accepting, lets running requests finish, and closes."""
    server.should_exit = True
    await task


async def read_body(receive: Receive, limit: int, deadline_s: float = BODY_S) -> bytes:
    """The whole body; BodyTooLarge past `limit` bytes, BodyTooSlow past the deadline."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Malformed(
                        "client-disconnected", "the client went away before its request was whole"
                    )
                chunk = message.get("body", b"")
                size += len(chunk)
                if size <= limit:
                    chunks.append(chunk)
                if size > 4 * limit:
                    break
                if not message.get("more_body", False):
                    break
    except TimeoutError as error:
        raise BodyTooSlow("body-too-slow", f"the body did not arrive within {deadline_s:g} s") from error
    if size > limit:
        raise BodyTooLarge("body-too-large", f"the body may have {limit} bytes")
    return b"".join(chunks)
