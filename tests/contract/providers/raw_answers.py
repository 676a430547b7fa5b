"""A server that gives every call one raw answer, byte for byte, and keeps what was asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = b'{"access_token":"A21AAtest","token_type":"Bearer","expires_in":32400}'
TOKEN_PATH = "/v1/oauth2/token"  # PayPal's: asked before anything else, and answered by itself


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class Answers:
    """What it says. `holding`: nothing, until the caller has given up."""

    url: str
    say: bytes = b""
    token: bytes = TOKEN
    token_status: int = 200
    requests: list[Asked] = field(default_factory=list)
    tokens: int = 0
    hold: threading.Event = field(default_factory=threading.Event)
    holding: bool = False
    token_delay: threading.Event | None = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64  # callers at once; with fewer a busy machine makes them wait for a second


@contextmanager
def answering() -> Iterator[Answers]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == TOKEN_PATH:
                told.tokens += 1
                if told.token_delay is not None:
                    told.token_delay.wait(5)
                self._write(raw(told.token_status, told.token))
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.requests.append(Asked(self.command, self.path, headers, body))
            if told.holding:
                told.hold.wait(10)
            self._write(told.say)

        def do_GET(self) -> None:
            self.do_POST()

        def _write(self, answer: bytes) -> None:
            self.wfile.write(answer)
            self.close_connection = True

        def log_message(self, *_args: object) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    told = Answers(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield told
    told.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


def raw(status: int, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    """A raw HTTP answer."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}"
    return f"{head}connection: close\r\n\r\n".encode() + body
