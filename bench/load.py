"""The load generator, a process of its own: signed requests over raw sockets, times of each.

It reads a specification as JSON from its first argument, prints `ready` once every request is built,
connects and starts at a line on its standard input, and ends with one line of JSON. Written for
little work per request (about 20 µs), because it shares the machine with what it measures.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from array import array
from collections import Counter, deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

from bench.workload import Account, plan, request

ANSWER_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Spec:
    """`rate` 0: each connection sends its next request when it has its answer. Else so many per second."""

    port: int
    account: str
    webhook_secret: str
    first: int
    count: int
    seconds: float
    out: str
    connections: int = 64
    rate: float = 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.transport: asyncio.Transport | None = None
        self.index = -1
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, index: int) -> None:
        self.index = index
        if self.transport is not None:
            self.transport.write(self.load.requests[index])

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = self._buffer.find(b"content-length: ", 0, head)
        end = self._buffer.find(b"\r\n", length)
        if length < 0 or len(self._buffer) < head + 4 + int(self._buffer[length + 16 : end]):
            return
        status = int(self._buffer[9:12])
        self._buffer = b""
        self.load.answered(self, status)

    def connection_lost(self, _error: Exception | None) -> None:
        self.load.lost(self)


class Load:
    """Sends the plan and notes for each request: its order, when it was due, when answered, and how."""

    def __init__(self, spec: Spec) -> None:
        account = Account(spec.account, spec.webhook_secret)
        self.spec = spec
        self.orders = plan(spec.first, spec.count)
        built = {n: request(n, account, spec.port) for n in range(spec.first, spec.first + spec.count)}
        self.requests = [built[n] for n in self.orders]
        self.due = array("d", bytes(8 * len(self.orders)))
        self.answers = array("d", bytes(8 * len(self.orders)))
        self.statuses = array("i", bytes(4 * len(self.orders)))
        self.next = 0
        self.open = 0
        self.errors = 0
        self.refused = 0
        self.stop_at = 0.0
        self.waiting: deque[int] = deque()  # due, while no connection is free; or to be sent again
        self.free: list[Connection] = []
        self.ended = asyncio.Event()

    async def connect(self) -> list[Connection]:
        loop = asyncio.get_running_loop()
        pairs = [
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.spec.port)
            for _ in range(self.spec.connections)
        ]
        return [protocol for _, protocol in pairs]

    async def run(self, connections: list[Connection]) -> None:
        """Until the time is over or the plan is through, and every request has its answer."""
        self.stop_at = time.monotonic() + self.spec.seconds
        if self.spec.rate:
            self.free = connections
            await self._pace()
        else:
            for connection in connections:
                self._send_next(connection)
        async with asyncio.timeout(self.spec.seconds + ANSWER_MAX_S):
            while self.open or self.waiting:
                self.ended.clear()
                await self.ended.wait()

    async def _pace(self) -> None:
        """Requests become due evenly; one that finds no free connection waits, and its time runs."""
        started = time.monotonic()
        total = min(len(self.orders), int(self.spec.rate * self.spec.seconds))
        while self.next < total:
            now = time.monotonic()
            while self.next < total and started + self.next / self.spec.rate <= now:
                self.due[self.next] = started + self.next / self.spec.rate
                self.waiting.append(self.next)
                self.next += 1
            while self.waiting and self.free:
                self._send(self.free.pop(), self.waiting.popleft())
            await asyncio.sleep(0.001)

    def _send_next(self, connection: Connection) -> None:
        if self.waiting:
            self._send(connection, self.waiting.popleft())
            return
        if self.next >= len(self.orders) or time.monotonic() >= self.stop_at:
            return
        self.due[self.next] = time.monotonic()
        self._send(connection, self.next)
        self.next += 1

    def _send(self, connection: Connection, index: int) -> None:
        self.open += 1
        connection.send(index)

    def answered(self, connection: Connection, status: int) -> None:
        self.answers[connection.index] = time.monotonic()
        self.statuses[connection.index] = status
        if status == 503:  # "repeat this": it may be stored or not, and a provider would send it again
            self.refused += 1
            self.waiting.append(connection.index)
        connection.index = -1
        self.open -= 1
        if not self.spec.rate:
            self._send_next(connection)
        elif self.waiting:
            self._send(connection, self.waiting.popleft())
        else:
            self.free.append(connection)
        if not self.open:
            self.ended.set()

    def lost(self, connection: Connection) -> None:
        if connection.index >= 0:
            self.errors += 1
            self.open -= 1
            self.ended.set()

    def keep(self) -> None:
        """The times of every request that was sent, for whoever joins them with what came out."""
        sent = self.next
        with Path(self.spec.out).open("wb") as out:
            array("q", self.orders[:sent]).tofile(out)
            for column in (self.due, self.answers, self.statuses):
                column[:sent].tofile(out)

    def summary(self) -> dict[str, object]:
        sent = self.next
        statuses = Counter(self.statuses[:sent])
        return {
            "sent": sent,
            "statuses": {str(k): v for k, v in statuses.items()},
            "errors": self.errors,
            "refused": self.refused,
            "first": min(self.due[:sent], default=0.0),
            "last": max(self.answers[:sent], default=0.0),
            "cpu_s": sum(resource.getrusage(resource.RUSAGE_SELF)[:2]),
        }


async def main(spec: Spec) -> None:
    load = Load(spec)
    gc.collect()
    gc.disable()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    connections = await load.connect()
    before = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    await load.run(connections)
    load.keep()
    summary = load.summary()
    summary["cpu_s"] = float(cast("float", summary["cpu_s"])) - before
    print(json.dumps(summary), flush=True)


def command(spec: Spec) -> list[str]:
    return [sys.executable, "-m", "bench.load", json.dumps(asdict(spec))]


if __name__ == "__main__":
    uvloop.run(main(Spec(**json.loads(sys.argv[1]))))
