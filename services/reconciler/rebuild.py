"""Reads our side of the book again from the first event on.

One transaction: the book is locked against the running consumer, emptied, filled from offset 0 up to the
topic's end, and only then visible. A death in the middle leaves the old book. The consumer, which waited,
goes on from its own offset; what it brings a second time is not newer than the book and changes nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reconciler.store import book
from services.reconciler.store.book import BookState
from shared.consume import Loop
from shared.database import caused_by_message
from shared.errors import Unavailable
from shared.inbox import Incoming, Record
from shared.kafka import PAYMENTS_EVENTS, connection_options, consumer_options
from shared.settings import KafkaSettings

log = structlog.get_logger()

READ_MAX = 2_000  # records per round: about 3 MB
SILENCE_MAX_S = 30.0  # a broker that says nothing for this long is not coming back within this rebuild


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The book's hash before and after, what was read, and what of it could not be or was refused."""

    before: str
    after: str
    records: int
    unreadable: int


async def rebuild(engine: AsyncEngine, kafka: KafkaSettings, loop: Loop[BookState]) -> Rebuilt:
    """Rebuilds the book through the rules of `loop`; sends nothing."""
    async with engine.connect() as connection:
        for limit in ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"):
            await connection.execute(text(f"SET {limit} = 0"))  # the whole topic is one transaction
        await connection.execute(text("SET lock_timeout = '60s'"))
        await connection.commit()
        before = await book.book_hash(connection)
        await connection.commit()
        await book.empty(connection)
        records, unreadable = await _read_all(connection, kafka, loop)
        await book.now_has_shape(connection)
        after = await book.book_hash(connection)
        await connection.commit()
        await connection.invalidate()  # its limits are off: it must not go back to the pool
    return Rebuilt(before, after, records, unreadable)


async def _read_all(
    connection: AsyncConnection, kafka: KafkaSettings, loop: Loop[BookState]
) -> tuple[int, int]:
    topic = kafka.topic_prefix + PAYMENTS_EVENTS.name
    partitions = [TopicPartition(topic, n) for n in range(PAYMENTS_EVENTS.partitions)]
    consumer = AIOKafkaConsumer(
        **connection_options(kafka), **consumer_options(kafka), group_id=None, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)  # after the lock: nothing beyond it is in the book
        records = unreadable = 0
        heard_at = time.monotonic()
        while [p for p in partitions if await consumer.position(p) < ends[p]]:
            read = await consumer.getmany(timeout_ms=500, max_records=READ_MAX)
            raw = [r for partition in read.values() for r in partition]
            heard_at = still_heard(heard_at, heard=bool(raw))
            batch, bad = loop.decoded([_record(r) for r in raw])
            refused = await _apply(connection, loop, batch)
            records, unreadable = records + len(raw), unreadable + len(bad) + refused
        return records, unreadable
    finally:
        await consumer.stop()


async def _apply(connection: AsyncConnection, loop: Loop[BookState], batch: Sequence[Incoming]) -> int:
    """Applies a batch in its order; returns how many of it were refused: what the consumer parked as well."""
    try:
        async with connection.begin_nested():
            await loop.applier.within(connection, batch)
    except Exception as error:
        if not caused_by_message(error):
            raise
        if len(batch) == 1:
            log.warning("a message cannot be applied", id=batch[0].id, error=repr(error)[:300])
            return 1
    else:
        return 0
    half = len(batch) // 2
    return await _apply(connection, loop, batch[:half]) + await _apply(connection, loop, batch[half:])


def still_heard(heard_at: float, *, heard: bool) -> float:
    """When the broker was last heard of; Unavailable when that is too long ago: the book stays locked."""
    now = time.monotonic()
    if not heard and now - heard_at > SILENCE_MAX_S:
        raise Unavailable("kafka-silent", f"no record came for {SILENCE_MAX_S:.0f} s; the old book stays")
    return now if heard else heard_at


def _record(raw: object) -> Record:
    fields = ("partition", "offset", "key", "value")
    return Record(PAYMENTS_EVENTS.name, *(getattr(raw, name) for name in fields))
