"""Each message takes effect once per consumer; what cannot be processed is parked, whole, for a person."""

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import WrongIsolation
from shared.envelope import Envelope
from shared.messages.base import Message

ERROR_LENGTH_MAX = 2000
RETENTION_DAYS = 90  # longer than any provider repeats a webhook, or Kafka keeps a command


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it came."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One decoded message on its way to a decider.

    `task_id` is set when it is the result of a task, which the same transaction then closes; `tries`
    counts how often a message without a known aggregate was tried.
    """

    id: str
    envelope: Envelope
    message: Message
    fingerprint: bytes
    record: Record | None = None
    task_id: int | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Parking:
    """A record that no decider can have, with the reason. Without a usable id its place is its id.

    `security`: somebody uses an id again for something else; it alarms.
    """

    record: Record
    reason: str
    message_id: str | None = None
    fingerprint: bytes = b""
    security: bool = False


_CLAIM = text("""
    INSERT INTO inbox (consumer, message_id, outcome, fingerprint)
    SELECT :consumer, id, 'applied', fingerprint
    FROM unnest(CAST(:ids AS text[]), CAST(:fingerprints AS bytea[])) AS new (id, fingerprint)
    ON CONFLICT DO NOTHING RETURNING message_id, current_setting('transaction_isolation') AS isolation""")

_OTHER_BODY = text("""
    SELECT new.id, new.fingerprint FROM inbox i
    JOIN unnest(CAST(:ids AS text[]), CAST(:fingerprints AS bytea[])) AS new (id, fingerprint)
      ON i.message_id = new.id AND i.fingerprint <> new.fingerprint
    WHERE i.consumer = :consumer AND i.fingerprint <> ''""")

_PARK = text("""
    INSERT INTO inbox (consumer, message_id, outcome, fingerprint, topic, partition, record_offset,
                       record_key, headers, body, error)
    VALUES (:consumer, :id, 'parked', :fingerprint, :topic, :partition, :offset, :key,
            CAST(:headers AS jsonb), :body, :error)
    ON CONFLICT DO NOTHING""")

_UNPARK = text("""
    UPDATE inbox SET outcome = 'applied', replayed_by = :person, replayed_at = now()
    WHERE consumer = :consumer AND message_id = :id AND outcome = 'parked'
    RETURNING topic, partition, record_offset, record_key, headers, body""")


async def claim(
    connection: AsyncConnection, consumer: str, batch: Sequence[Incoming]
) -> tuple[list[Incoming], list[Incoming]]:
    """(those not seen before, in their order; those that repeat a known id with another body).

    Claimed in sorted id order, so that two owners of the same ids cannot deadlock. Raises WrongIsolation.
    """
    first: dict[str, Incoming] = {}
    for incoming in batch:
        first.setdefault(incoming.id, incoming)
    if not first:
        return [], []
    rows = (await connection.execute(_CLAIM, _named(consumer, [first[id_] for id_ in sorted(first)]))).all()
    if rows and rows[0].isolation != "read committed":
        raise WrongIsolation(f"{consumer}: the transaction is {rows[0].isolation}, not read committed")
    if len(rows) == len(batch):
        return list(batch), []
    claimed = {row.message_id for row in rows}
    rest = [i for i in batch if i.id not in claimed or first[i.id] is not i]
    other = {(r.id, r.fingerprint) for r in await connection.execute(_OTHER_BODY, _named(consumer, rest))}
    fresh = [i for i in first.values() if i.id in claimed]
    return fresh, [i for i in rest if (i.id, i.fingerprint) in other]


def _named(consumer: str, batch: Sequence[Incoming]) -> dict[str, object]:
    return {
        "consumer": consumer,
        "ids": [i.id for i in batch],
        "fingerprints": [i.fingerprint for i in batch],
    }


async def mark_ignored(connection: AsyncConnection, consumer: str, ids: Sequence[str]) -> None:
    """Records that these messages were understood and had nothing to do."""
    await connection.execute(
        text("""UPDATE inbox SET outcome = 'ignored'
                WHERE consumer = :consumer AND message_id = ANY(CAST(:ids AS text[]))"""),
        {"consumer": consumer, "ids": list(ids)},
    )


async def park(connection: AsyncConnection, consumer: str, parkings: Sequence[Parking]) -> None:
    """Keeps the whole record and why it could not be processed; a repetition changes nothing."""
    for parking in sorted(parkings, key=lambda p: p.message_id or p.record.place):
        record = parking.record
        row = {
            "consumer": consumer,
            "id": parking.message_id or record.place,
            "fingerprint": parking.fingerprint,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": record.key,
            "headers": json.dumps([[cleaned(k), (v or b"").hex()] for k, v in record.headers]),
            "body": record.value or b"",
            "error": cleaned(parking.reason) or "no reason given",
        }
        await connection.execute(_PARK, row)


def described(error: BaseException) -> str:
    """What went wrong and where, for whoever looks at a parked message: the error first, then its trace."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}: {str(error)[: ERROR_LENGTH_MAX // 2]}\n{trace[-ERROR_LENGTH_MAX // 2 :]}"


def cleaned(reason: str) -> str:
    """A text that PostgreSQL and a terminal can take: no NUL, no control characters, bounded."""
    printable = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in reason)
    return printable.encode("utf-8", "replace")[:ERROR_LENGTH_MAX].decode("utf-8", "ignore")


async def parked(connection: AsyncConnection, limit: int = 100) -> list[dict[str, Any]]:
    """The parked messages, oldest first, for a person to look at."""
    rows = await connection.execute(
        text("""SELECT consumer, message_id, topic, partition, record_offset, error, received_at,
                       octet_length(body) AS bytes
                FROM inbox WHERE outcome = 'parked' ORDER BY received_at LIMIT :limit"""),
        {"limit": limit},
    )
    return [dict(row) for row in rows.mappings()]


async def parked_one(connection: AsyncConnection, consumer: str, message_id: str) -> dict[str, Any] | None:
    """One message that is or was parked, whole: its bytes, where it came from, why, and who replayed it."""
    rows = await connection.execute(
        text("""SELECT consumer, message_id, outcome, topic, partition, record_offset, body, error,
                       received_at, replayed_by, replayed_at
                FROM inbox WHERE consumer = :consumer AND message_id = :id AND topic IS NOT NULL"""),
        {"consumer": consumer, "id": message_id},
    )
    row = rows.mappings().one_or_none()
    return dict(row) if row else None


async def unpark(connection: AsyncConnection, consumer: str, message_id: str, person: str) -> Record | None:
    """Takes a parked message for replay: `parked → applied` in the transaction that does the work.

    None when it is not parked (any more), so two clicks act once.
    """
    wanted = {"consumer": consumer, "id": message_id, "person": person}
    row = (await connection.execute(_UNPARK, wanted)).one_or_none()
    if row is None:
        return None
    headers = tuple((name, bytes.fromhex(value)) for name, value in row.headers)
    return Record(row.topic, row.partition, row.record_offset, row.record_key, row.body, headers)


async def delete_old(connection: AsyncConnection, limit: int = 5000) -> int:
    """Deletes some applied and ignored rows past their retention; parked ones stay for ever."""
    result = await connection.execute(
        text("""
            DELETE FROM inbox WHERE ctid IN (
                SELECT ctid FROM inbox WHERE received_at < now() - make_interval(days => :days)
                  AND outcome <> 'parked' LIMIT :limit)"""),
        {"days": RETENTION_DAYS, "limit": limit},
    )
    return result.rowcount
