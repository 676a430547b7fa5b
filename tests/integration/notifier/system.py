"""Notifier processes of a test's own, the events they read, and what they leave behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from devstack.ports import free_ports
from shared.envelope import Envelope, decode, encode
from shared.kafka import NOTIFIER_COMMANDS, NOTIFIER_EVENTS, ORDERS_EVENTS, PAYMENTS_EVENTS, Topic, declare
from shared.messages.base import Catalogue, Message
from shared.messages.notifier import (
    NoticeFailed,
    NoticeSent,
    ReceiptFailed,
    ReceiptIssued,
    ReceiptSent,
    ResendRefused,
)
from shared.publish import Publisher
from shared.settings import KafkaSettings
from tests.integration.notifier.messages import Sent, envelope
from tests.integration.notifier.sink import Sink
from tests.servers import FETCH_WAIT_S, DatabaseUrls

ROOT = Path(__file__).parents[3]
SIGNING_KEY = "for the links of one test alone, long enough"
MERCHANT = "owner@shop.test"
EVENTS = Catalogue(ReceiptIssued, ReceiptSent, ReceiptFailed, NoticeSent, NoticeFailed, ResendRefused)
T = TypeVar("T")


async def eventually(check: Callable[[], Awaitable[T]], timeout_s: float = 20.0) -> T:
    """The first true value of `check`; fails with its last one when the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = await check()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {value!r}"
        await asyncio.sleep(0.05)


@dataclass
class System:
    """A mail server, topics and a database that any number of notifiers may be started on."""

    urls: DatabaseUrls
    bootstrap: str
    prefix: str
    sink: Sink
    more: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    http_port: int = 0  # of the notifier that was started last
    ops_port: int = 0

    def __post_init__(self) -> None:
        self.kafka = KafkaSettings(bootstrap_servers=self.bootstrap, topic_prefix=self.prefix)
        self.publisher = Publisher(self.kafka)

    async def open(self) -> None:
        await declare(self.kafka, "payments")
        await self.publisher.start()
        await self.sink.open()

    async def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        await self.sink.close()
        await self.publisher.stop()

    # --- processes ----------------------------------------------------------------------------------------

    async def start(self, instance: str = "1", **more: str) -> subprocess.Popen[bytes]:
        """One more notifier; returns when it is ready (or dead, when a failpoint was quicker)."""
        self.http_port, self.ops_port = free_ports(2)
        environment = self.environment(self.ops_port, NOTIFIER_INSTANCE=instance) | {
            f"NOTIFIER_{name.upper()}": value for name, value in more.items()
        }
        process = self._spawn(environment)
        port = self.ops_port
        await eventually(lambda: self._ready(process, port), 40)
        return process

    def environment(self, ops_port: int = 0, **more: str) -> dict[str, str]:
        """The settings of a notifier of this system."""
        return {
            "NOTIFIER_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "NOTIFIER_KAFKA__TOPIC_PREFIX": self.prefix,
            "NOTIFIER_KAFKA__FETCH_WAIT_S": FETCH_WAIT_S,
            "NOTIFIER_DATABASE__URL": self.urls.app("notifier"),
            "NOTIFIER_DATABASE__OWNER_URL": self.urls.owner("notifier"),
            "NOTIFIER_DATABASE__ERASER_URL": self.urls.eraser("notifier"),
            "NOTIFIER_HTTP__PORT": str(self.http_port),
            "NOTIFIER_OPS__PORT": str(ops_port),
            "NOTIFIER_SMTP__HOST": "127.0.0.1",
            "NOTIFIER_SMTP__PORT": str(self.sink.port),
            "NOTIFIER_SMTP__SENDER": "Bluebird Books <receipts@shop.test>",
            "NOTIFIER_SHOP__NAME": "Bluebird Books",
            "NOTIFIER_DOCUMENTS__SIGNING_KEYS": f'["{SIGNING_KEY}"]',
            "NOTIFIER_MERCHANT_EMAIL": MERCHANT,
            "NOTIFIER_TIME_SCALE": "20",
            "NOTIFIER_LOG__FORMAT": "console",
            **self.more,
            **more,
        }

    def _spawn(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "services.notifier"]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
        self.running.append(process)
        return process

    async def _ready(self, process: subprocess.Popen[bytes], port: int) -> bool:
        if process.poll() is not None:
            return True
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/health/ready") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def died(self, process: subprocess.Popen[bytes]) -> None:
        """Waits for a SIGKILL to have ended it: the fault must have bitten."""

        async def gone() -> bool:
            return process.poll() is not None

        await eventually(gone)
        assert process.returncode == -signal.SIGKILL

    # --- what goes in -------------------------------------------------------------------------------------

    async def publish(self, *messages: Sent) -> None:
        """Each message under an id of its own, in this order per topic."""
        for message in messages:
            await self.send(envelope(message))

    async def send(self, message: Envelope) -> None:
        topics = {"orders": ORDERS_EVENTS, "payments": PAYMENTS_EVENTS, "notifier": NOTIFIER_COMMANDS}
        topic = topics[message.type.partition(".")[0]]
        await self.publisher.send(topic, message.subject.encode(), encode(message))

    async def send_raw(self, topic: Topic, key: bytes, value: bytes) -> None:
        await self.publisher.send(topic, key, value)

    # --- what comes out -----------------------------------------------------------------------------------

    async def execute(self, statement: str) -> None:
        """A change that no service makes: what time, or an administrator, does."""
        await self.rows(statement)

    async def rows(self, statement: str) -> list[asyncpg.Record]:
        url = self.urls.admin.replace("+asyncpg", "")
        connection = await asyncpg.connect(url, server_settings={"search_path": "notifier"})
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def mails(self, count: int, timeout_s: float = 30.0) -> list[Any]:
        """Waits until so many mails are recorded as sent."""

        async def all_sent() -> list[Any]:
            sent = await self.rows("SELECT * FROM mails WHERE state = 'sent'")
            return sent if len(sent) >= count else []

        return await eventually(all_sent, timeout_s)

    async def events(self) -> dict[str, list[Message]]:
        """Everything on notifier.events once the outbox is empty, by order; a repetition counts once."""

        async def quiet() -> bool:
            return not await self.rows("SELECT 1 FROM outbox_pending")

        await eventually(quiet)
        found: dict[str, list[Message]] = defaultdict(list)
        seen: set[str] = set()
        async with self._reader(NOTIFIER_EVENTS) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            while any([await consumer.position(p) < end for p, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        message = decode(record.value)
                        if message.id not in seen:
                            seen.add(message.id)
                            found[message.subject].append(EVENTS.decode(message))
        return found

    @asynccontextmanager
    async def _reader(self, topic: Topic) -> AsyncIterator[Any]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, isolation_level="read_committed")
        await consumer.start()
        try:
            partitions = [TopicPartition(self.prefix + topic.name, n) for n in range(topic.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            yield consumer
        finally:
            await consumer.stop()
