"""Events leave through the outbox: written with the decision, published in order, never lost.

`outbox` is the archive, `outbox_pending` what Kafka has not acknowledged. Rows of one key are inserted
under that key's lock, so position order is commit order per key, and one relay publishes in that order.
Why the relay reads the table instead of taking rows from memory: docs/decisions/0003.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.errors import OutcomeUnknown, Unavailable
from shared.failpoints import passing
from shared.kafka import TOPICS
from shared.leases import Lease
from shared.publish import Publisher

log = structlog.get_logger()

WAKE_CHANNEL = "outbox"
POLL_S = 0.5  # the guarantee behind the wake-ups
READ_MAX = 1000  # rows per round: about 2 MB
SETTLED_S = 60.0  # twice transaction_timeout: a position drawn before this has committed or never will


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
        FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:ids AS text[]), CAST(:payloads AS bytea[]))
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


class Relay:
    """Publishes pending rows in position order while this process holds the lease.

    A row is deleted from `outbox_pending` by its exact position, only after Kafka's acknowledgement and
    only while the lease lives. A crash in between publishes again; consumers dedupe.
    """

    def __init__(self, engine: AsyncEngine, publisher: Publisher, lease: Lease) -> None:
        self._engine = engine
        self._publisher = publisher
        self._lease = lease
        self._woken = asyncio.Event()
        self._floor = 0
        self._settled: list[tuple[float, int]] = []  # (when read, identity's last value)
        self._full_scan_at = 0.0

    @property
    def leads(self) -> bool:
        return self._lease.held

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; backs off while the broker or the database is away."""
        led = False
        while True:
            if not self._lease.held:
                led = False
                await asyncio.sleep(0.05)
                continue
            if not led:
                led, self._floor, self._settled, self._full_scan_at = True, 0, [], time.monotonic()
            try:
                idle = await self.publish_once() == 0
            except (OutcomeUnknown, Unavailable, DBAPIError, OSError, TimeoutError) as error:
                log.warning("the relay tries again", error=repr(error)[:300])
                await asyncio.sleep(0.5)
                continue
            if idle:
                await self._rest()

    async def drain(self) -> None:
        """Publishes what is left, for a stop in order; gives up when it is not the leader."""
        while self._lease.held and await self.publish_once():
            pass

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def publish_once(self) -> int:
        """One round: read, publish, await every acknowledgement, delete. Returns the rows published."""
        self._woken.clear()
        if time.monotonic() - self._full_scan_at > SETTLED_S:
            self._floor, self._full_scan_at = 0, time.monotonic()
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_PENDING, {"floor": self._floor, "limit": READ_MAX})).all()
            last = (await connection.execute(_LAST_VALUE)).scalar_one() if not rows else None
        if not rows:
            self._raise_floor(last or 0)
            return 0
        await self._publish([(r.topic, r.record_key, r.payload) for r in rows])
        passing("relay.after_publish")
        await self._delete([r.position for r in rows])
        return len(rows)

    async def _publish(self, rows: Sequence[tuple[str, str, bytes]]) -> None:
        by_topic: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        for topic, key, payload in rows:
            by_topic[topic].append((key.encode(), payload))
        await asyncio.gather(
            *(self._publisher.send_all(TOPICS[topic], messages) for topic, messages in by_topic.items())
        )

    async def _delete(self, positions: list[int]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                _DELETE,
                {"positions": positions, "name": self._lease.name, "owner": self._lease.owner},
            )

    def _raise_floor(self, last: int) -> None:
        # Nothing pending was seen above the floor; whatever was drawn a minute ago is settled by now.
        now = time.monotonic()
        self._settled.append((now, last))
        while len(self._settled) > 1 and now - self._settled[1][0] >= SETTLED_S:
            self._settled.pop(0)
        read_at, value = self._settled[0]
        if now - read_at >= SETTLED_S:
            self._floor = max(self._floor, value)


_PENDING = text("""
    SELECT p.position, o.topic, o.record_key, o.payload
    FROM (SELECT position FROM outbox_pending WHERE position > :floor ORDER BY position LIMIT :limit) p
    JOIN outbox o ON o.position = p.position ORDER BY p.position""")

_DELETE = text("""
    DELETE FROM outbox_pending WHERE position = ANY(CAST(:positions AS bigint[])) AND EXISTS (
        SELECT 1 FROM leases WHERE name = :name AND owner = :owner AND until > clock_timestamp())""")

_LAST_VALUE = text("SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'position')), 0)")
