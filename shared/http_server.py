"""uvicorn inside our own event loop, with the deadlines and limits it lacks.

Measured: uvicorn alone keeps slow headers and idle connections open for more than 75 s. Here a request
line with headers must arrive within HEADERS_S and at most HEADER_BYTES_MAX. Body deadlines belong to the
application, which knows what each route may take (`read_body`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import Malformed, PaystreamError

HEADERS_S = 10.0  # "stalled input is closed within 15 s", with room to spare
BODY_S = 10.0
HEADER_BYTES_MAX = 32_768
URL_BYTES_MAX = 8_192
KEEP_ALIVE_S = 65  # longer than a proxy's own idle time-out, so that the proxy closes first

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Callable[[Message], Awaitable[None]]], Awaitable[None]]


class BodyTooLarge(PaystreamError):
    """The body is longer than this route takes; it was read to its end or cut, so the answer arrives."""


class BodyTooSlow(PaystreamError):
    """The body did not arrive in time."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 that closes stalled, oversized and unreadable requests with an answer."""

    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._header_bytes += len(data)
            if self._deadline is None:
                self._arm()
            line, _, _ = data.partition(b"\r\n")
            if self._header_bytes == len(data) and len(line) > URL_BYTES_MAX:
                return self._refuse(b"414 URI Too Long")
            if self._header_bytes > HEADER_BYTES_MAX and b"\r\n\r\n" not in data[:HEADER_BYTES_MAX]:
                return self._refuse(b"431 Request Header Fields Too Large")
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._disarm()
        self._in_headers, self._header_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_headers = True
        super().on_message_complete()

    def _arm(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(HEADERS_S, self._stalled)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stalled(self) -> None:
        self._deadline = None
        if self._in_headers and self._header_bytes:
            self._refuse(b"408 Request Timeout")
        elif self._in_headers and self.cycle is None:
            self.transport.close()

    def _refuse(self, status: bytes) -> None:
        self._disarm()
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the service and says when it is ready to be asked."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def new_server(app: AsgiApp, host: str, port: int) -> Server:
    """Listens on one address; no access log, no server header, no trust in X-Forwarded-For."""
    return Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
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
