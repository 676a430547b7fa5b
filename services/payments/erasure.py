"""Raw webhooks hold personal data: past their time the bytes and headers go; hash and facts stay."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.payments.webhooks import Webhooks

log = structlog.get_logger()

BATCH = 500  # rows per transaction: some tens of milliseconds
PAUSE_S = 0.2  # between batches, so that erasing never competes with work

_DONE_UNTIL = text("SELECT received_at, message_id FROM raw_erasure")
_DUE = text("""
    SELECT received_at, message_id, provider, body FROM provider_events
    WHERE (received_at, message_id) > (coalesce(:after_at, '-infinity'::timestamptz), :after_id)
      AND received_at < now() - make_interval(days => :days)
    ORDER BY received_at, message_id LIMIT :batch FOR NO KEY UPDATE""")
_ERASE = text("""
    UPDATE provider_events e SET body = '', headers = '{}', erased_at = now(), body_sha256 = new.hash,
                                 facts = new.facts
    FROM unnest(CAST(:received AS timestamptz[]), CAST(:ids AS text[]), CAST(:hashes AS bytea[]),
                CAST(:facts AS jsonb[])) AS new (received_at, message_id, hash, facts)
    WHERE (e.received_at, e.message_id) = (new.received_at, new.message_id) AND e.erased_at IS NULL
      AND e.received_at BETWEEN :first AND :last""")
_MARK = text("""
    INSERT INTO raw_erasure (received_at, message_id) VALUES (:received, :id)
    ON CONFLICT (one) DO UPDATE SET received_at = excluded.received_at, message_id = excluded.message_id""")


async def blank_rows(connection: AsyncConnection, webhooks: Webhooks, rows: Sequence[Any]) -> int:
    """Blanks these rows of `provider_events` (received_at, message_id, provider, body); how many were not."""
    if not rows:
        return 0
    kept = [webhooks.instead_of(row.provider, row.body) for row in rows]
    received = [row.received_at for row in rows]
    columns = {
        "received": received,
        "ids": [row.message_id for row in rows],
        "hashes": [digest for digest, _ in kept],
        "facts": [facts for _, facts in kept],
    }
    window = {"first": min(received), "last": max(received)}  # so that few partitions are read
    return (await connection.execute(_ERASE, columns | window)).rowcount


class Erasure:
    """Erases in order of arrival, from where it stopped; run it from one instance, as the eraser's role."""

    def __init__(self, engine: AsyncEngine, webhooks: Webhooks, days: int) -> None:
        self._engine = engine
        self._webhooks = webhooks
        self._days = days

    async def run_once(self) -> int:
        """Erases all that is due, a little at a time; how many rows that were."""
        erased, count = 0, BATCH
        while count == BATCH:
            async with self._engine.begin() as connection:
                count = await self._batch(connection)
            erased += count
            await asyncio.sleep(PAUSE_S)
        if erased:
            log.info("raw webhooks erased", rows=erased, days=self._days)
        return erased

    async def _batch(self, connection: AsyncConnection) -> int:
        done = (await connection.execute(_DONE_UNTIL)).one_or_none()
        wanted = {
            "after_at": done.received_at if done else None,
            "after_id": done.message_id if done else "",
            "days": self._days,
            "batch": BATCH,
        }
        rows = (await connection.execute(_DUE, wanted)).all()
        if rows:
            await blank_rows(connection, self._webhooks, rows)
            await connection.execute(_MARK, {"received": rows[-1].received_at, "id": rows[-1].message_id})
        return len(rows)
