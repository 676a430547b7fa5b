"""The payments service as its own process, the simulator, and a hand on the topics."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.error import URLError
from urllib.request import urlopen

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from devstack.ports import free_ports
from devstack.process import Process
from shared.database import plain_url
from shared.envelope import Envelope, decode, encode, new_id, now_utc
from shared.kafka import PAYMENTS_COMMANDS, PAYMENTS_EVENTS, PAYMENTS_REPLIES, PAYMENTS_WEBHOOKS, Topic
from shared.messages.base import Message, wrap
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from shared.messages.payments import (
    CancelOrder,
    ConfirmCheckout,
    CreatePayment,
    ProviderEventReceived,
    RegisterOrder,
    Reply,
)
from tests.contract.simulator.running import ACCOUNT_ID, KEY_ID, KEY_SECRET, Arrival, Receiver, Simulator
from tests.servers import FETCH_WAIT_S, DatabaseUrls

ROOT = Path(__file__).resolve().parents[3]
TIME_SCALE = 60.0  # minutes become seconds, in the service and in the simulator alike
AMOUNT = 49_900
T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], *, what: str, timeout_s: float = 30.0) -> T:
    """The first true answer, or an AssertionError with the last one."""
    deadline = time.monotonic() + timeout_s
    while not (answer := await look()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s; last seen {answer!r}"
        await asyncio.sleep(0.05)
    return answer


@dataclass
class Payments:
    """One running payments service; webhooks are carried from the simulator by `carry`."""

    urls: DatabaseUrls
    bootstrap: str
    prefix: str
    simulator: Simulator
    receiver: Receiver
    logs: Path
    processes: dict[str, Process] = field(default_factory=dict)
    ops_ports: dict[str, int] = field(default_factory=dict)
    producer: AIOKafkaProducer | None = None
    replies: dict[str, Reply] = field(default_factory=dict)
    events: list[Envelope] = field(default_factory=list)
    _reading: list[asyncio.Task[None]] = field(default_factory=list)
    _database: asyncpg.Connection | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        self.producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await self.producer.start()
        self._database = await asyncpg.connect(plain_url(self.urls.owner("payments")))
        await self._database.execute("SET search_path TO payments")
        for topic, take in ((PAYMENTS_REPLIES, self._take_reply), (PAYMENTS_EVENTS, self._take_event)):
            self._reading.append(asyncio.create_task(self._read(topic, take)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        if self.producer:
            await self.producer.stop()
        if self._database:
            await self._database.close()
        for process in self.processes.values():
            process.thaw()
            process.kill()

    async def start(self, instance: str = "1", **settings: str) -> Process:
        """Starts one instance and waits until it is ready (or dead, when a failpoint wants that)."""
        port = free_ports(1)[0]
        env = self.environment(instance, port) | {f"PAYMENTS_{n}": value for n, value in settings.items()}
        command = [sys.executable, "-m", "services.payments"]
        process = Process(f"payments-{instance}", command, self.logs / f"{instance}.log", env, ROOT)
        process.start()
        self.processes[instance] = process
        self.ops_ports[instance] = port

        async def ready() -> bool:
            assert process.alive, (self.logs / f"{instance}.log").read_text()[-3000:]
            return await asyncio.to_thread(_answers, f"http://127.0.0.1:{port}/health/ready")

        await eventually(ready, what="payments is ready", timeout_s=90)
        return process

    def environment(self, instance: str = "1", ops_port: int = 1) -> dict[str, str]:
        """The settings of one instance; also what an operator's command is run with."""
        return {
            "PATH": os.environ["PATH"],
            "PAYMENTS_INSTANCE": instance,
            "PAYMENTS_TIME_SCALE": str(TIME_SCALE),
            "PAYMENTS_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "PAYMENTS_KAFKA__TOPIC_PREFIX": self.prefix,
            "PAYMENTS_KAFKA__FETCH_WAIT_S": FETCH_WAIT_S,
            "PAYMENTS_DATABASE__URL": self.urls.app("payments"),
            "PAYMENTS_DATABASE__OWNER_URL": self.urls.owner("payments"),
            "PAYMENTS_DATABASE__ERASER_URL": self.urls.eraser("payments"),
            "PAYMENTS_OPS__PORT": str(ops_port),
            "PAYMENTS_PROVIDERS__RAZORPAY__KEY_ID": KEY_ID,
            "PAYMENTS_PROVIDERS__RAZORPAY__KEY_SECRET": KEY_SECRET,
            "PAYMENTS_PROVIDERS__RAZORPAY__ACCOUNT": ACCOUNT_ID,
            "PAYMENTS_PROVIDERS__RAZORPAY__BASE_URL": self.simulator.base,
            "PAYMENTS_PROVIDERS__RAZORPAY__TIMEOUT_S": "3",
        }

    # --- what others say to it --------------------------------------------------------------------

    async def ask(self, command: Message, order_id: str, *, expired: bool = False) -> Reply:
        """Sends a command and waits for its reply."""
        correlation = new_id()
        await self.send(command, order_id, correlation, expired=expired)

        async def answered() -> Reply | None:
            return self.replies.get(correlation)

        reply = await eventually(answered, what=f"a reply to {command.TYPE}")
        assert reply is not None
        return reply

    async def send(
        self, command: Message, order_id: str, correlation: str | None = None, *, expired: bool = False
    ) -> None:
        age = timedelta(seconds=-5 if expired else 30)
        envelope = wrap(
            command,
            source="test",
            subject=order_id,
            time=now_utc(),
            correlationid=correlation,
            expiresat=now_utc() + age,
        )
        await self.produce(PAYMENTS_COMMANDS, order_id.encode(), encode(envelope))

    async def produce(self, topic: Topic, key: bytes, value: bytes) -> None:
        assert self.producer is not None
        name = self.prefix + topic.name
        await self.producer.send_and_wait(name, value, key=key, partition=topic.partition_of(key))

    async def webhook(self, body: bytes, *, key: bytes = b"k", times: int = 1) -> None:
        """A webhook whose signature held, as the gateway hands it over."""
        for _ in range(times):
            event = ProviderEventReceived(
                provider="razorpay", account=ACCOUNT_ID, body=body, headers={}, received_at=now_utc()
            )
            identity = sha256(body).hexdigest()
            envelope = wrap(event, source="gateway", subject="razorpay", time=now_utc(), id=identity)
            await self.produce(PAYMENTS_WEBHOOKS, key, encode(envelope))

    def arrivals(self, provider_order_id: str) -> list[Arrival]:
        return self.receiver.of(provider_order_id)

    # --- whole steps ------------------------------------------------------------------------------

    async def placed(self, amount: int = AMOUNT) -> str:
        order_id = f"o-{new_id()[-12:]}"
        reply = await self.ask(RegisterOrder(order=order(order_id, amount)), order_id)
        assert reply.code == "ok", reply
        return order_id

    async def opened(self) -> tuple[str, str]:
        """(order id, provider order id) of an order that waits for its buyer."""
        order_id = await self.placed()
        reply = await self.ask(CreatePayment(order_id=order_id), order_id)
        assert reply.code == "ok", reply
        return order_id, msgspec.json.decode(reply.answer)["provider_order_id"]

    async def verify(self, order_id: str, provider_order_id: str) -> Reply:
        command = ConfirmCheckout(order_id=order_id, provider="razorpay", provider_order_id=provider_order_id)
        return await self.ask(command, order_id)

    async def cancel(self, order_id: str) -> Reply:
        return await self.ask(CancelOrder(order_id=order_id, reason="test"), order_id)

    # --- what it says -----------------------------------------------------------------------------

    async def row(self, order_id: str) -> dict[str, Any]:
        """The payment's row, as the database has it."""
        assert self._database is not None
        found = await self._database.fetchrow("SELECT * FROM payments WHERE order_id = $1", order_id)
        return dict(found) if found else {}

    async def fetch(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        assert self._database is not None
        return [dict(row) for row in await self._database.fetch(query, *arguments)]

    async def execute(self, statement: str, *arguments: object) -> None:
        assert self._database is not None
        await self._database.execute(statement, *arguments)

    async def ops(self, path: str, instance: str = "1") -> tuple[int, str]:
        """(status, body) of an instance's internal listener."""
        return await asyncio.to_thread(_got, f"http://127.0.0.1:{self.ops_ports[instance]}{path}")

    async def becomes(self, order_id: str, status: str, timeout_s: float = 30.0) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            row = await self.row(order_id)
            return row if row.get("status") == status else None

        row = await eventually(there, what=f"{order_id} becomes {status}", timeout_s=timeout_s)
        assert row is not None
        return row

    def said(self, order_id: str) -> list[str]:
        """The types of the order's events, by version, each once."""
        unique = {e.version: e.type for e in self.events if e.subject == order_id}
        return [unique[v].split(".")[1] for v in sorted(v for v in unique if v is not None)]

    async def _read(self, topic: Topic, take: Callable[[Envelope], None]) -> None:
        consumer = AIOKafkaConsumer(
            self.prefix + topic.name, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            async for record in consumer:
                take(decode(record.value))
        finally:
            await consumer.stop()

    def _take_reply(self, envelope: Envelope) -> None:
        self.replies[envelope.subject] = msgspec.json.decode(bytes(envelope.data), type=Reply)

    def _take_event(self, envelope: Envelope) -> None:
        self.events.append(envelope)


def order(order_id: str, amount: int = AMOUNT) -> OrderPlaced:
    return OrderPlaced(
        order_id=order_id,
        amount=amount,
        currency="INR",
        lines=(OrderLine(name="Teapot", quantity=1, unit_amount=amount),),
        customer=Customer(name="Asha", email="asha@shop.test"),
    )


def captured(provider_order_id: str, charge_id: str, amount: int = AMOUNT, **other: object) -> bytes:
    """A `payment.captured` webhook body."""
    entity = {
        "id": charge_id,
        "order_id": provider_order_id,
        "status": "captured",
        "amount": amount,
        "currency": "INR",
        "captured": True,
        "notes": [],
    }
    event = {
        "entity": "event",
        "account_id": ACCOUNT_ID,
        "event": "payment.captured",
        "payload": {"payment": {"entity": entity | other}},
    }
    return msgspec.json.encode(event)


def _got(url: str) -> tuple[int, str]:
    with urlopen(url, timeout=5) as answer:
        return int(answer.status), str(answer.read().decode())


def _answers(url: str) -> bool:
    with suppress(URLError, OSError), urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False
