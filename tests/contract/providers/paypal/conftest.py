"""The PayPal adapter under contract: against the simulator, and against answers that no simulator gives."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.providers.paypal import PayPalAdapter
from shared.settings import PayPalSettings
from tests.contract.simulator.paypal.running import (
    CLIENT_ID,
    CLIENT_SECRET,
    MERCHANT_ID,
    WEBHOOK_ID,
    PayPalSimulator,
    Receiver,
    receiving,
)

TOKEN = b'{"access_token":"A21AAtest","token_type":"Bearer","expires_in":32400}'
TOKEN_PATH = "/v1/oauth2/token"


def adapter_at(base_url: str, timeout_s: float = 3.0, **settings: object) -> PayPalAdapter:
    given = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "webhook_id": WEBHOOK_ID,
        "account": MERCHANT_ID,
        "base_url": base_url,
        "return_url": "http://127.0.0.1:9/checkout",
        "cancel_url": "http://127.0.0.1:9/checkout?left=1",
        "timeout_s": timeout_s,
        **settings,
    }
    return PayPalAdapter(PayPalSettings.model_validate(given))


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[PayPalSimulator]:
    """An hour of PayPal's time is 0.36 s: the report lags by one second."""
    simulator = PayPalSimulator(tmp_path_factory.mktemp("paypal"), receiver.port, time_scale=10_000)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
async def adapter(simulator: PayPalSimulator) -> AsyncIterator[PayPalAdapter]:
    adapter = adapter_at(
        simulator.base,
        certificate_hosts=[simulator.base],
        certificate_authorities=str(simulator.authorities),
    )
    yield adapter
    await adapter.close()
    simulator.control("DELETE", "/faults")


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answers:
    """A server that gives every call one raw answer, and tokens as they are asked for."""

    url: str
    say: bytes = b""
    token: bytes = TOKEN
    token_status: int = 200
    requests: list[Asked] = field(default_factory=list)
    tokens: int = 0
    hold: threading.Event = field(default_factory=threading.Event)
    holding: bool = False
    token_delay: threading.Event | None = None


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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Answers(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield told
    told.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def answers() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def raw(status: int, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    """A raw HTTP answer."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}"
    return f"{head}connection: close\r\n\r\n".encode() + body
