"""Messages that kill the process are found by counting, in committed rows, how often work on them began."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.inbox import Record

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


_DONE = text("""
    DELETE FROM starts WHERE consumer = :consumer AND topic = :topic
       AND partition = ANY(CAST(:partitions AS integer[]))""")


@dataclass(slots=True)
class Starts:
    """What one loop leaves behind of work that it begins, and finds of others that died in theirs."""

    engine: AsyncEngine
    consumer: str
    topic: str
    _proven: set[int] = field(default_factory=set)  # partitions whose first batch went well

    def shared_out_anew(self) -> None:
        """Its partitions may have been another's meanwhile, who died there: each is looked at again."""
        self._proven.clear()

    async def mark(self, records: Sequence[Record]) -> bool:
        """On a partition's first batch: leaves a mark, and says whether an earlier process died in one."""
        new = {r.partition for r in records} - self._proven
        if not new:
            return False
        async with self.engine.begin() as connection:
            place = self._place(partitions=sorted(new), first_batch=FIRST_BATCH)
            return bool((await connection.execute(_MARK, place)).scalar_one())

    async def count(self, record: Record) -> int:
        """Counts one more start of work on this record, and forgets the records before it: they are done."""
        place = self._place(partition=record.partition, offset=record.offset)
        async with self.engine.begin() as connection:
            await connection.execute(_SURVIVED, {**place, "also_mark": False})
            return int((await connection.execute(_COUNT, place)).scalar_one())

    async def survived(self, records: Sequence[Record], *, counted: bool) -> None:
        """Forgets the marks and counts of this batch: its work is done."""
        new = {r.partition: r.offset for r in records if counted or r.partition not in self._proven}
        if not new:
            return
        async with self.engine.begin() as connection:
            for partition, offset in new.items():
                place = self._place(partition=partition, offset=offset + 1, also_mark=True)
                await connection.execute(_SURVIVED, place)
        self._proven |= set(new)

    async def done(self, partitions: Sequence[int]) -> None:
        """Forgets all starts in partitions of which nothing waits: whoever left them had lost the partition
        to another, who did the work.
        """
        async with self.engine.begin() as connection:
            await connection.execute(_DONE, self._place(partitions=sorted(partitions)))

    def _place(self, **more: object) -> dict[str, object]:
        return {"consumer": self.consumer, "topic": self.topic, **more}
