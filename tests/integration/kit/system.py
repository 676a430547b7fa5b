"""One running example: its database, topics, bank and processes, and what a test asks of them."""

import asyncio
import json
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from devstack.database_server import DatabaseServer
from devstack.ports import free_ports
from devstack.process import Process
from shared.envelope import decode, encode, now_utc
from shared.errors import Malformed
from shared.kafka import Topic
from shared.messages.base import Message, wrap
from tests.integration.kit.example.messages import COMMANDS, EVENTS, FACTS
from tests.integration.kit.records import Seen
from tests.servers import FETCH_WAIT_S

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "example"
GROUPS = {topic: f"example.{topic.name}" for topic in (COMMANDS, FACTS, EVENTS)}
T = TypeVar("T")


def new_example_database(server: DatabaseServer) -> str:
    """A database with the example's roles and its empty schema."""
    name = f"kit_{secrets.token_hex(5)}"
    for role in ("example_owner", "example_app"):
        server.sql(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    server.sql(f'CREATE DATABASE "{name}"')
    server.sql("CREATE SCHEMA example AUTHORIZATION example_owner", name)
    server.sql("GRANT USAGE ON SCHEMA example TO example_app", name)
    return name


async def eventually(look: Callable[[], Awaitable[T]], *, timeout_s: float, what: str) -> T:
    """The first true answer; an AssertionError with the last one when time is up."""
    deadline = time.monotonic() + timeout_s
    answer: T | None = None
    while True:
        with suppress(OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            answer = await look()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s; last seen: {answer!r}"
        await asyncio.sleep(0.05)


@dataclass
class System:
    """`async with System(...)`: topics of its own under `prefix`; all its processes end with it."""

    server: DatabaseServer
    database: str
    bootstrap: str
    folder: Path
    prefix: str = field(default_factory=lambda: f"k{secrets.token_hex(4)}.")
    processes: dict[str, Process] = field(default_factory=dict)
    ops_ports: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    deposited: int = 0  # by the tests that share this system
    _producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.thaw()
            process.kill()
        if self._producer is not None:
            await self._producer.stop()

    # --- processes ----------------------------------------------------------------------------------------

    def start(self, instance: str = "1", **settings: str | float) -> Process:
        """Starts one instance; `settings` by their names without the prefix, e.g. FAILPOINT."""
        port = self.ops_ports.setdefault(instance, free_ports(1)[0])
        process = Process(
            f"example-{instance}",
            [sys.executable, "-m", "tests.integration.kit.example"],
            self.log(instance),
            self.environment(instance, port) | {f"EXAMPLE_{k}": str(v) for k, v in settings.items()},
            ROOT,
        )
        process.start()
        self.processes[instance] = process
        return process

    def environment(self, instance: str, port: int) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONUNBUFFERED": "1",
            "EXAMPLE_INSTANCE": instance,
            "EXAMPLE_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "EXAMPLE_KAFKA__TOPIC_PREFIX": self.prefix,
            "EXAMPLE_KAFKA__FETCH_WAIT_S": FETCH_WAIT_S,
            "EXAMPLE_DATABASE__URL": self.url("example_app"),
            "EXAMPLE_DATABASE__OWNER_URL": self.url("example_owner"),
            "EXAMPLE_OPS__PORT": str(port),
            "EXAMPLE_LOG__FORMAT": "console",
            "EXAMPLE_BOOK": str(self.book),
            "EXAMPLE_TIME_SCALE": "2",
        }

    def url(self, role: str) -> str:
        return f"postgresql+asyncpg://{role}:{PASSWORD}@{self.server.host}:{self.server.port}/{self.database}"

    @property
    def book(self) -> Path:
        return self.folder / "bank.jsonl"

    def log(self, instance: str = "1") -> Path:
        return self.folder / f"example-{instance}.log"

    def kill(self, instance: str = "1") -> None:
        """SIGKILL, no matter what it does right now."""
        self.processes[instance].kill()
        self.kills += 1

    async def died(self, instance: str = "1", timeout_s: float = 30) -> None:
        """Waits until a failpoint has killed it; it died by SIGKILL and nothing else."""
        process = self.processes[instance]

        async def gone() -> bool:
            return not process.alive

        await eventually(gone, timeout_s=timeout_s, what=f"{process.name} dies")
        assert process.exit_code == -9, f"exit code {process.exit_code}: {process.last_words(3)}"
        self.kills += 1

    async def ready(self, instance: str = "1", timeout_s: float = 30) -> None:
        async def look() -> bool:
            process = self.processes[instance]
            assert process.alive, f"ended with {process.exit_code}: {process.last_words(5)}"
            return (await self.ops("/health/ready", instance))[0] == 200

        await eventually(look, timeout_s=timeout_s, what=f"instance {instance} is ready")

    async def ops(self, path: str, instance: str = "1") -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.ops_ports[instance]}{path}"

        def get() -> tuple[int, str]:
            try:
                with urlopen(url, timeout=3) as answer:
                    return answer.status, answer.read().decode()
            except HTTPError as refused:
                with refused:
                    return refused.code, refused.read().decode()
            except URLError as unreachable:
                raise OSError(str(unreachable)) from unreachable

        return await asyncio.to_thread(get)

    async def problems(self, instance: str = "1") -> dict[str, str]:
        found: dict[str, str] = json.loads((await self.ops("/health/ready", instance))[1])["problems"]
        return found

    async def metric(self, name: str, *labels: str) -> float:
        """The sum over all live instances of the lines that carry these labels."""
        total = 0.0
        for instance, process in self.processes.items():
            if not process.alive:
                continue
            for line in (await self.ops("/metrics", instance))[1].splitlines():
                if line.startswith(name) and all(label in line for label in labels):
                    total += float(line.rpartition(" ")[2])
        return total

    # --- Kafka --------------------------------------------------------------------------------------------

    async def producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.bootstrap, acks="all", max_request_size=4_000_000
            )
            await producer.start()
            self._producer = producer
        return self._producer

    async def send(self, topic: Topic, records: Iterable[tuple[str | bytes | None, bytes | None]]) -> None:
        """Produces (key, value) pairs as they are, each acknowledged, in their order per key."""
        producer, sent = await self.producer(), []
        for key, value in records:
            raw = key.encode() if isinstance(key, str) else key
            partition = topic.partition_of(raw or b"")
            sent.append(await producer.send(self.prefix + topic.name, value, raw, partition=partition))
        await asyncio.gather(*sent)

    async def dump(self, topic: Topic) -> list[Seen]:
        """Everything readable in the topic from offset 0, partition by partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # seeking instead races with the first look-up of the offsets
        )
        await consumer.start()
        try:
            places = [TopicPartition(self.prefix + topic.name, p) for p in range(topic.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            records: list[Seen] = []
            for place in places:
                while await consumer.position(place) < ends[place]:
                    got = await consumer.getmany(place, timeout_ms=1000)
                    for record in (r for batch in got.values() for r in batch):
                        with suppress(Malformed):  # what a test injected on purpose
                            envelope = decode(record.value)
                            records.append(Seen(record.partition, record.offset, record.key, envelope))
            return records
        finally:
            await consumer.stop()

    async def lag(self, topic: Topic) -> int:
        """How many records the group has not committed yet."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
        await asyncio.gather(admin.start(), consumer.start())
        try:
            places = [TopicPartition(self.prefix + topic.name, p) for p in range(topic.partitions)]
            ends = await consumer.end_offsets(places)
            committed = await admin.list_consumer_group_offsets(self.prefix + GROUPS[topic])
            done = {place: committed[place].offset if place in committed else 0 for place in places}
            return sum(ends[place] - max(0, done[place]) for place in places)
        finally:
            await asyncio.gather(admin.close(), consumer.stop())

    # --- the database and the bank --------------------------------------------------------------------------

    async def sql(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(
            self.server.url("postgres", self.database, driver="postgresql"),
            server_settings={"search_path": "example"},
            timeout=5,
        )
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def value(self, statement: str, *arguments: object) -> Any:
        return (await self.sql(statement, *arguments))[0][0]

    def book_lines(self) -> list[dict[str, Any]]:
        if not self.book.exists():
            return []
        return [json.loads(line) for line in self.book.read_text().splitlines()]

    def moved(self) -> Counter[str]:
        """How often the bank moved money, by operation."""
        return Counter(line["operation"] for line in self.book_lines() if "operation" in line)

    async def quiet(self, *topics: Topic, timeout_s: float = 60) -> None:
        """Nothing waits any more: no record, no outbox row, no task that is due, no start without an end."""

        async def look() -> bool:
            waiting = await self.value(
                "SELECT (SELECT count(*) FROM outbox_pending)"
                " + (SELECT count(*) FROM tasks WHERE closed_at IS NULL) + (SELECT count(*) FROM starts)"
            )
            if waiting:
                return False
            return not any([await self.lag(topic) for topic in topics or (COMMANDS, EVENTS)])

        await eventually(look, timeout_s=timeout_s, what="the system is quiet")


def command(message: Message, subject: str, **envelope: Any) -> tuple[str, bytes]:
    """(key, value) of a message to an account."""
    return subject, encode(wrap(message, source="test", subject=subject, time=now_utc(), **envelope))
