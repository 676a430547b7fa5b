"""Events leave through the outbox: written with the decision, published in order, never lost.

`outbox` is the archive, `outbox_pending` what Kafka has not acknowledged. Rows of one key are inserted
under that key's lock, so position order is commit order per key, and one relay publishes in that order.
Why the relay reads the table instead of taking rows from memory: docs/decisions/0003.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import AWAY
from shared.errors import OutcomeUnknown, Unavailable
from shared.failpoints import passing
from shared.kafka import TOPICS
from shared.leases import Lease
from shared.observability import PUBLISHED
from shared.publish import Publisher

log = structlog.get_logger()

WAKE_CHANNEL = "outbox"
POLL_S = 0.5  # the guarantee behind the wake-ups
READ_MAX = 1000  # rows per round
READ_BYTES_MAX = 8_000_000  # … and their payload, so that a backlog of large rows fits in memory
SETTLED_S = 60.0  # twice transaction_timeout: a position drawn before this has committed or never will
SAMPLE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class OutboxRow:
    topic: str
    key: str
    message_id: str
    payload: bytes


_APPEND = text("""
    WITH archived AS (
        INSERT INTO outbox (topic, record_key, message_id, payload)
        SELECT topic, record_key, message_id, payload
        FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:ids AS text[]),
                    CAST(:payloads AS bytea[]))
             WITH ORDINALITY AS new (topic, record_key, message_id, payload, n) ORDER BY n
        RETURNING position)
    INSERT INTO outbox_pending SELECT position FROM archived""")


async def append(connection: AsyncConnection, rows: Sequence[OutboxRow]) -> None:
    """Adds messages in this order; they leave once the transaction has committed."""
    if rows:
        await connection.execute(
            _APPEND,
            {
                "topics": [r.topic for r in rows],
                "keys": [r.key for r in rows],
                "ids": [r.message_id for r in rows],
                "payloads": [r.payload for r in rows],
            },
        )


async def notify(connection: AsyncConnection) -> None:
    """Wakes the relay of another process when this transaction commits."""
    statement = text("SELECT pg_notify(current_schema() || '.' || :channel, '')")
    await connection.execute(statement, {"channel": WAKE_CHANNEL})


@dataclass(slots=True)
class Floor:
    """Below it nothing is pending and nothing can appear any more; reads start above it.

    Without it each read walks over the dead entries of everything published since the last vacuum.
    """

    position: int = 0
    _samples: list[tuple[float, int]] = field(default_factory=list)  # (when read, last value then)

    def settled(self, now: float) -> int:
        """The identity's last value as it was SETTLED_S ago; 0 while nobody looked that long ago."""
        while len(self._samples) > 1 and now - self._samples[1][0] >= SETTLED_S:
            self._samples.pop(0)
        read_at, value = self._samples[0] if self._samples else (now, 0)
        return value if now - read_at >= SETTLED_S else 0

    def wants_sample(self, now: float) -> bool:
        return not self._samples or now - self._samples[-1][0] >= SAMPLE_EVERY_S

    def sampled(self, now: float, last_value: int) -> None:
        self._samples.append((now, last_value))

    def rise(self, settled: int, lowest_pending: int | None) -> None:
        """After a read that began when `settled` was settled and found `lowest_pending` first."""
        reachable = settled if lowest_pending is None else min(settled, lowest_pending - 1)
        self.position = max(self.position, reachable)


class Relay:
    """Publishes pending rows in position order while this process holds the lease.

    A row is deleted from `outbox_pending` by its exact position, only after Kafka's acknowledgement and
    only while the lease lives. A crash in between publishes again; consumers dedupe.
    """

    def __init__(self, engine: AsyncEngine, publisher: Publisher, lease: Lease) -> None:
        self._engine = engine
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")  # no round trips for a BEGIN
        self._publisher = publisher
        self._lease = lease
        self._woken = asyncio.Event()
        self._finishing = False
        self._floor = Floor()
        self._full_scan_at = 0.0

    @property
    def leads(self) -> bool:
        return self._lease.held

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until `finish`; backs off while the broker or the database is away."""
        led = False
        while not self._finishing:
            if not self._lease.held:
                led = False
                await asyncio.sleep(0.05)
                continue
            if not led:  # a new leader trusts nobody's floor
                led, self._floor, self._full_scan_at = True, Floor(), time.monotonic()
            if await self._round() == 0:
                await self._rest()
        while self._lease.held and await self._round():
            pass

    def finish(self) -> None:
        """Lets `run` publish what is left and end."""
        self._finishing = True
        self._woken.set()

    async def _round(self) -> int:
        try:
            return await self.publish_once()
        except (OutcomeUnknown, Unavailable, *AWAY) as error:
            log.warning("the relay tries again", error=repr(error)[:300])
            if not self._finishing:
                await asyncio.sleep(0.5)
            return 0 if self._finishing else 1

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def publish_once(self) -> int:
        """One round: read, publish, await every acknowledgement, delete. Returns the rows published."""
        self._woken.clear()
        rows = await self._read()
        if not rows or not self._lease.held:
            return 0
        passing("relay.before_publish")
        await self._publish(rows)
        passing("relay.after_publish")
        await self._delete([r.position for r in rows])
        PUBLISHED.inc(len(rows))
        return len(rows)

    async def _read(self) -> Sequence[Row[tuple[int, str, str, bytes]]]:
        now = time.monotonic()
        if now - self._full_scan_at > SETTLED_S:
            self._floor.position, self._full_scan_at = 0, now
        settled = self._floor.settled(now)
        async with self._reads.connect() as connection:
            if self._floor.wants_sample(now):
                self._floor.sampled(now, (await connection.execute(_LAST_VALUE)).scalar_one())
            bounds = {"floor": self._floor.position, "limit": READ_MAX, "bytes": READ_BYTES_MAX}
            rows = (await connection.execute(_PENDING, bounds)).all()
        self._floor.rise(settled, rows[0].position if rows else None)
        return rows

    async def _publish(self, rows: Sequence[Row[tuple[int, str, str, bytes]]]) -> None:
        by_topic: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        for row in rows:
            by_topic[row.topic].append((row.record_key.encode(), row.payload))
        await asyncio.gather(
            *(self._publisher.send_all(TOPICS[topic], messages) for topic, messages in by_topic.items())
        )

    async def _delete(self, positions: list[int]) -> None:
        wanted = {"positions": positions, "name": self._lease.name, "owner": self._lease.owner}
        async with self._engine.begin() as connection:
            await connection.execute(_DELETE, wanted)


_PENDING = text("""
    SELECT position, topic, record_key, payload FROM (
        SELECT o.position, o.topic, o.record_key, o.payload,
               sum(octet_length(o.payload)) OVER (ORDER BY p.position) AS bytes_so_far,
               row_number() OVER (ORDER BY p.position) AS n
        FROM (SELECT position FROM outbox_pending WHERE position > :floor ORDER BY position LIMIT :limit) p
        JOIN outbox o ON o.position = p.position) r
    WHERE bytes_so_far <= :bytes OR n = 1 ORDER BY position""")

_DELETE = text("""
    DELETE FROM outbox_pending WHERE position = ANY(CAST(:positions AS bigint[])) AND EXISTS (
        SELECT 1 FROM leases WHERE name = :name AND owner = :owner AND until > clock_timestamp())""")

_LAST_VALUE = text("SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'position')), 0)")
