"""A reconciler process of its own, the events it reads, and what it publishes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from devstack.ports import free_ports
from services.reconciler.app import build
from services.reconciler.settings import ReconcilerSettings
from shared.envelope import Envelope, decode, encode
from shared.kafka import PAYMENTS_EVENTS, TOPICS, declare
from shared.messages.base import Catalogue, Message, wrap
from shared.messages.facts import ChargeState
from shared.messages.payments import Amounts, ChargeView, LedgerCheckpoint, PaymentPaid, PaymentSnapshot
from shared.messages.reconciler import MismatchDetected, MismatchResolved, ReconciliationCompleted
from shared.publish import Publisher
from shared.service import Kit
from shared.settings import KafkaSettings
from tests.contract.simulator.running import ACCOUNT_ID, KEY_ID, KEY_SECRET, WEBHOOK_SECRET
from tests.servers import FETCH_WAIT_S, DatabaseUrls

ROOT = Path(__file__).parents[3]
API_KEY = "a key for tests, long enough"
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


def charge(
    charge_id: str, provider_order_id: str, state: ChargeState = "captured", amount: int = 50_000, **more: Any
) -> ChargeView:
    """A charge of the simulator's account, unless `more` says otherwise."""
    where = {"provider": "razorpay", "account": ACCOUNT_ID} | more
    return ChargeView(
        charge_id=charge_id,
        provider_order_id=provider_order_id,
        state=state,
        amount=amount,
        currency="INR",
        **where,
    )


def paid(
    order_id: str, version: int, *charges: ChargeView, provider_order_id: str | None = None
) -> PaymentPaid:
    """What payments would publish; the status does not matter to the book."""
    now = datetime.now(UTC)
    return PaymentPaid(
        payment=PaymentSnapshot(
            order_id=order_id,
            payment_id=f"p-{order_id}",
            version=version,
            status="paid",
            detail="",
            amount=50_000,
            currency="INR",
            amounts=Amounts(),
            revision=1,
            created_at=now,
            updated_at=now,
            provider="razorpay",
            account=ACCOUNT_ID,
            provider_order_id=provider_order_id or (charges[0].provider_order_id if charges else None),
            charges=charges,
        )
    )


@dataclass
class System:
    """One reconciler with its own database and topics; `provider_url` is where its provider answers."""

    urls: DatabaseUrls
    bootstrap: str
    prefix: str
    provider_url: str = "http://127.0.0.1:9"
    more: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    publisher: Publisher | None = None

    def __post_init__(self) -> None:
        self.http_port, self.ops_port = free_ports(2)
        self.kafka = KafkaSettings(bootstrap_servers=self.bootstrap, topic_prefix=self.prefix)

    @property
    def environment(self) -> dict[str, str]:
        provider = "RECONCILER_PROVIDERS__RAZORPAY"
        return {
            "RECONCILER_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap,
            "RECONCILER_KAFKA__TOPIC_PREFIX": self.prefix,
            "RECONCILER_KAFKA__FETCH_WAIT_S": FETCH_WAIT_S,
            "RECONCILER_DATABASE__URL": self.urls.app("reconciler"),
            "RECONCILER_DATABASE__OWNER_URL": self.urls.owner("reconciler"),
            "RECONCILER_DATABASE__ERASER_URL": self.urls.eraser("reconciler"),
            "RECONCILER_HTTP__PORT": str(self.http_port),
            "RECONCILER_OPS__PORT": str(self.ops_port),
            "RECONCILER_TIME_SCALE": "100",  # a provider that did not answer is asked again after 0.1 s
            "RECONCILER_SETTLEMENT_DUE_S": str(100 * 7 * 86_400),  # a week, whatever the scale
            "RECONCILER_DAILY_TICK_S": "1000000",
            "RECONCILER_LEASE_S": "8",  # a killed run stays with the dead for so long
            "RECONCILER_LOG__FORMAT": "console",
            f"{provider}__KEY_ID": KEY_ID,
            f"{provider}__KEY_SECRET": KEY_SECRET,
            f"{provider}__WEBHOOK_SECRETS": f'["{WEBHOOK_SECRET}"]',
            f"{provider}__ACCOUNT": ACCOUNT_ID,
            f"{provider}__BASE_URL": self.provider_url,
            **self.more,
        }

    async def open(self) -> None:
        """The topics of payments exist and may be written to."""
        await declare(self.kafka, "payments")
        self.publisher = Publisher(self.kafka)
        await self.publisher.start()

    async def start(self, failpoint: str = "") -> None:
        self._spawn(failpoint)
        await eventually(self._ready, 40)

    def _spawn(self, failpoint: str) -> None:
        environment = os.environ | self.environment | {"RECONCILER_FAILPOINT": failpoint}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.reconciler"], cwd=ROOT, env=environment
        )

    async def _ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            return True  # a failpoint was quicker
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{self.ops_port}/health/ready") as answer,
            ):
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def died(self) -> None:
        """The armed failpoint has killed the process."""

        async def dead() -> bool:
            return self.process is not None and self.process.poll() is not None

        await eventually(dead, 40)
        assert self.process is not None
        assert self.process.returncode == -signal.SIGKILL

    async def leases_end(self) -> None:
        """What the dead held is free, as it would be when their leases have run out."""
        await self.rows("UPDATE tasks SET lease_until = now() WHERE lease_until IS NOT NULL")
        await self.rows("UPDATE leases SET until = now()")

    async def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            await asyncio.to_thread(self.process.wait, 20)
        if self.publisher is not None:
            await self.publisher.stop()

    def command(self, *arguments: str) -> str:
        """What `python -m services.reconciler …` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "services.reconciler", *arguments],
            cwd=ROOT,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def kit(self) -> Kit:
        """The service's parts, for a look inside without running it."""
        previous = dict(os.environ)
        os.environ.update(self.environment)
        try:
            return build(ReconcilerSettings())
        finally:
            os.environ.clear()
            os.environ.update(previous)

    # --- what payments would say ----------------------------------------------------------------------

    async def publish(self, *events: PaymentPaid) -> None:
        """In this order, each under a new id."""
        assert self.publisher is not None
        keyed = [(e.payment.order_id, e) for e in events]
        messages = [(order_id.encode(), encode(_envelope(e, order_id))) for order_id, e in keyed]
        await self.publisher.send_all(PAYMENTS_EVENTS, messages)

    async def complete_until(self, until: datetime) -> None:
        assert self.publisher is not None
        for partition in range(PAYMENTS_EVENTS.partitions):
            key = str(partition)
            envelope = _envelope(LedgerCheckpoint(until=until), key)
            await self.publisher.post(PAYMENTS_EVENTS, partition, key.encode(), encode(envelope))

    # --- what came out ----------------------------------------------------------------------------------

    async def sent(self, topic: str) -> list[Envelope]:
        """Every message of a topic, from offset 0."""
        partitions = [TopicPartition(self.prefix + topic, n) for n in range(TOPICS[topic].partitions)]
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, group_id=None)
        await consumer.start()
        try:
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[Envelope] = []
            while [p for p in partitions if await consumer.position(p) < ends[p]]:
                read = await consumer.getmany(timeout_ms=200)
                found += [decode(r.value) for p in read.values() for r in p]
            return found
        finally:
            await consumer.stop()

    async def detected(self) -> list[MismatchDetected]:
        return [m for m in await self._events() if isinstance(m, MismatchDetected)]

    async def resolved(self) -> list[MismatchResolved]:
        return [m for m in await self._events() if isinstance(m, MismatchResolved)]

    async def completed(self, day: date) -> list[ReconciliationCompleted]:
        """The ended runs of this day, the last one last; the service by itself runs yesterday's."""
        events = await self._events()
        found = [m for m in events if isinstance(m, ReconciliationCompleted) and m.day == day]
        return sorted(found, key=lambda m: m.completed_at)

    async def _events(self) -> list[Message]:
        """Each event once: a relay that died may have sent one twice, under the same id."""
        catalogue = Catalogue(MismatchDetected, MismatchResolved, ReconciliationCompleted)
        once = {e.id: e for e in await self.sent("reconciler.events")}
        return [catalogue.decode(e) for e in once.values() if e.type in catalogue]

    async def runs_completed(self, day: date, count: int) -> None:
        """So many runs of this day have ended, and every event of theirs is out."""

        async def ended() -> bool:
            return len(await self.completed(day)) >= count

        await eventually(ended, 70)

    async def get(self, path: str, key: str | None = None, method: str = "GET") -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"http://127.0.0.1:{self.http_port}{path}", headers=headers) as answer,
        ):
            page = answer.content_type in ("text/html", "text/csv")
            return answer.status, await (answer.text() if page else answer.json(content_type=None))

    async def rows(self, statement: str) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.urls.admin.replace("+asyncpg", ""))
        try:
            await connection.execute("SET search_path = reconciler")
            return [dict(r) for r in await connection.fetch(statement)]
        finally:
            await connection.close()


def _envelope(message: Message, subject: str) -> Envelope:
    return wrap(message, source="payments", subject=subject, time=datetime.now(UTC))


def day_of(created_at: int) -> date:
    return datetime.fromtimestamp(created_at, UTC).date()


def after(day: date) -> datetime:
    """An instant past the end of this day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, seconds=1)
