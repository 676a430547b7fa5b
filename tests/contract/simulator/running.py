"""A running simulator process, a webhook receiver, and the official SDK between them."""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import razorpay
import requests

ROOT = Path(__file__).parents[3]
KEY_ID = "rzp_test_Contract000001"
KEY_SECRET = "contract key secret"
WEBHOOK_SECRET = "contract webhook secret"
OLD_WEBHOOK_SECRET = "the secret before"
ACCOUNT_ID = "acc_Contract000001"
FIRST_PORT = 19700

T = TypeVar("T")
Json = dict[str, Any]
PORTS_PER_WORKER = 12
# Test processes beside each other (gw0, gw1, …) keep to their own ports.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_first = FIRST_PORT + _worker * PORTS_PER_WORKER
_ports = itertools.cycle(range(_first, _first + PORTS_PER_WORKER))


def free_port() -> int:
    """A port that nothing listens on, from the hundred that these tests keep to."""
    for port in _ports:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError


def eventually(check: Callable[[], T | None], timeout_s: float = 10.0) -> T:
    """The first true value of `check`; fails with its last one when the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {value!r}"
        time.sleep(0.01)


@dataclass
class Arrival:
    """One webhook request as it came."""

    at: float
    event_id: str
    signature: str
    raw: bytes
    status: int
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case

    @property
    def body(self) -> Json:
        return json.loads(self.raw)  # type: ignore[no-any-return]

    @property
    def event(self) -> str:
        return str(self.body["event"])

    @property
    def order_id(self) -> str:
        """Empty for events that are about no payment, or that are no JSON."""
        try:
            return str(self.body["payload"]["payment"]["entity"]["order_id"])
        except (KeyError, json.JSONDecodeError):
            return ""


@dataclass
class Receiver:
    """A shop's webhook address; answers 200, or what `answer` says."""

    port: int
    arrivals: list[Arrival] = field(default_factory=list)
    answer: Callable[[Arrival], int] = lambda _arrival: 200
    hold_s: float = 0.0

    def of(self, order_id: str) -> list[Arrival]:
        return [arrival for arrival in self.arrivals if arrival.order_id == order_id]

    def events(self, order_id: str) -> list[str]:
        return [arrival.event for arrival in self.of(order_id)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver(free_port())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            arrival = Arrival(
                time.time(),
                self.headers.get("x-razorpay-event-id", ""),
                self.headers.get("X-Razorpay-Signature", ""),
                raw,
                0,
                {name.lower(): value for name, value in self.headers.items()},
            )
            arrival.status = receiver.answer(arrival)
            hold_s = receiver.hold_s
            receiver.arrivals.append(arrival)
            if hold_s:
                threading.Event().wait(hold_s)
            self.send_response(arrival.status)
            self.send_header("Content-Length", "0")
            if arrival.status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Quiet: the arrivals are the log."""

    server = ThreadingHTTPServer(("127.0.0.1", receiver.port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Simulator:
    """`python -m devstack.simulator` as its own process."""

    def __init__(
        self,
        folder: Path,
        webhook_port: int,
        *,
        time_scale: float,
        seed: int = 0,
        account: Json | None = None,
    ) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.data_dir = folder / "simulator"
        self._time_scale = time_scale
        self._seed = seed
        self._config = folder / "simulator.json"
        self._process: subprocess.Popen[bytes] | None = None
        self.http = requests.Session()
        settings = {
            "key_id": KEY_ID,
            "key_secret": KEY_SECRET,
            "webhook_secret": WEBHOOK_SECRET,
            "old_webhook_secret": OLD_WEBHOOK_SECRET,
            "account_id": ACCOUNT_ID,
            "webhook_url": f"http://127.0.0.1:{webhook_port}/webhooks",
            **(account or {}),
        }
        self._config.write_text(json.dumps({"razorpay": settings}))

    @property
    def command(self) -> list[str]:
        return [
            sys.executable,
            "-m",
            "devstack.simulator",
            *("--host", "127.0.0.1"),
            *("--port", str(self.port)),
            *("--data-dir", str(self.data_dir)),
            *("--time-scale", str(self._time_scale)),
            *("--seed", str(self._seed)),
            *("--config", str(self._config)),
        ]

    def start(self) -> None:
        self._process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.DEVNULL)
        eventually(self._healthy, 20)

    def _healthy(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the simulator ended"
        try:
            return requests.get(f"{self.base}/_sim/health", timeout=1).status_code == 200
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.http.close()

    def stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)
        self.http.close()

    def client(self) -> razorpay.Client:
        """The unmodified official SDK."""
        return razorpay.Client(auth=(KEY_ID, KEY_SECRET), base_url=self.base)

    def control(self, method: str, path: str, body: object = None) -> Json:
        answer = self.http.request(method, f"{self.base}/_sim{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def pay(self, order_id: str, **form: object) -> Json:
        return self.control("POST", f"/razorpay/orders/{order_id}/pay", form)

    def faults(self, **spec: object) -> None:
        self.control("PUT", "/faults", spec)

    def bites(self) -> list[Json]:
        return self.control("GET", "/faults/log")["faults"]  # type: ignore[no-any-return]

    def ledger(self) -> Json:
        return self.control("GET", "/ledger")

    def payment(self, payment_id: str) -> Json:
        rows = self.ledger()["razorpay"]["payments"]
        return next(row for row in rows if row["id"] == payment_id)

    def webhooks(self, order_id: str) -> list[Json]:
        rows = self.ledger()["webhooks"]
        return [row for row in rows if row["subject"] == order_id]
