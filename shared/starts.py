"""Messages that kill the process are found by counting, in committed rows, how often work on them began."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

STARTS_MAX = 3  # a message that killed the process this often is parked
FIRST_BATCH = -1  # in place of an offset: the mark of a partition's first batch in a process

_MARK = text("""
    WITH before AS (
        SELECT 1 FROM starts
        WHERE consumer = :consumer AND topic = :topic AND partition = ANY(CAST(:partitions AS integer[]))),
    mark AS (
        INSERT INTO starts (consumer, topic, partition, record_offset, starts)
        SELECT :consumer, :topic, p, :first_batch, 1 FROM unnest(CAST(:partitions AS integer[])) p ORDER BY p
        ON CONFLICT (consumer, topic, partition, record_offset) DO UPDATE SET starts = starts.starts + 1)
    SELECT EXISTS (SELECT 1 FROM before)""")

_COUNT = text("""
    INSERT INTO starts (consumer, topic, partition, record_offset, starts)
    VALUES (:consumer, :topic, :partition, :offset, 1)
    ON CONFLICT (consumer, topic, partition, record_offset) DO UPDATE SET starts = starts.starts + 1
    RETURNING starts""")

_SURVIVED = text("""
    DELETE FROM starts WHERE consumer = :consumer AND topic = :topic AND partition = :partition
       AND record_offset < :offset AND (:also_mark OR record_offset >= 0)""")


async def mark_first_batch(
    connection: AsyncConnection, consumer: str, topic: str, partitions: Sequence[int]
) -> bool:
    """Notes that work on these partitions begins; true when an earlier process began and did not finish."""
    place = {"consumer": consumer, "topic": topic, "partitions": sorted(partitions)}
    return bool((await connection.execute(_MARK, {**place, "first_batch": FIRST_BATCH})).scalar_one())


async def count(connection: AsyncConnection, consumer: str, topic: str, partition: int, offset: int) -> int:
    """Counts one more start of work on this record, and forgets the records before it: they are done."""
    place = {"consumer": consumer, "topic": topic, "partition": partition, "offset": offset}
    await connection.execute(_SURVIVED, {**place, "also_mark": False})
    return int((await connection.execute(_COUNT, place)).scalar_one())


async def survived(
    connection: AsyncConnection, consumer: str, topic: str, partition: int, offset: int
) -> None:
    """Forgets all starts up to this offset, and the partition's mark: the work is done."""
    place = {"consumer": consumer, "topic": topic, "partition": partition, "offset": offset + 1}
    await connection.execute(_SURVIVED, {**place, "also_mark": True})
