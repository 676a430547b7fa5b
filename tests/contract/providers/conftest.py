"""The adapter under contract: against the simulator, and against answers that no simulator gives."""

import socketserver
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from shared.providers.razorpay import RazorpayAdapter
from shared.providers.stripe import StripeAdapter
from shared.settings import RazorpaySettings
from tests.contract.providers.stripe_driver import StripeDriver, stripe_adapter_at
from tests.contract.simulator.running import (
    ACCOUNT_ID,
    KEY_ID,
    KEY_SECRET,
    OLD_WEBHOOK_SECRET,
    WEBHOOK_SECRET,
    Receiver,
    Simulator,
    receiving,
)
from tests.contract.simulator.stripe_running import StripeSimulator, running


def adapter_at(base_url: str, timeout_s: float = 2.0) -> RazorpayAdapter:
    return RazorpayAdapter(
        RazorpaySettings.model_validate(
            {
                "key_id": KEY_ID,
                "key_secret": KEY_SECRET,
                "webhook_secrets": [WEBHOOK_SECRET, OLD_WEBHOOK_SECRET],
                "account": ACCOUNT_ID,
                "base_url": base_url,
                "timeout_s": timeout_s,
            }
        )
    )


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), receiver.port, time_scale=600, seed=7)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
async def razorpay_adapter(simulator: Simulator) -> AsyncIterator[RazorpayAdapter]:
    adapter = adapter_at(simulator.base)
    yield adapter
    await adapter.close()
    simulator.control("DELETE", "/faults")


@dataclass
class Answers:
    """A server that says one thing to every request, byte for byte, and counts them."""

    url: str
    say: bytes = b""
    requests: list[bytes] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    holding: bool = False


@contextmanager
def answering() -> Iterator[Answers]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                head += line
            told.requests.append(head)
            if told.holding:
                told.hold.wait(10)
            self.wfile.write(told.say)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        told = Answers(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield told
        told.hold.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def answers() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture
def http() -> Callable[[int, bytes, str], bytes]:
    """Builds a raw HTTP answer."""

    def build(status: int, body: bytes, kind: str = "application/json") -> bytes:
        head = (
            f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close"
        )
        return f"{head}\r\n\r\n".encode() + body

    return build


@pytest.fixture(scope="module")
def stripe_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StripeSimulator, Receiver]]:
    with running(tmp_path_factory.mktemp("stripe")) as world:
        yield world


@pytest.fixture
async def stripe_adapter(
    stripe_world: tuple[StripeSimulator, Receiver],
) -> AsyncIterator[StripeAdapter]:
    simulator, _ = stripe_world
    adapter = stripe_adapter_at(simulator.api)
    yield adapter
    await adapter.close()
    simulator.control("DELETE", "/faults")


@pytest.fixture
def stripe_driver(stripe_world: tuple[StripeSimulator, Receiver]) -> StripeDriver:
    return StripeDriver(stripe_world[0])
