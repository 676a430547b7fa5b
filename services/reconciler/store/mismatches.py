"""Mismatches in the database."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.facts import DifferenceFound, DifferenceGone
from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.runs import ProviderDay
from shared.inbox import Incoming
from shared.messages.reconciler import Leg

_legs = msgspec.json.Decoder(tuple[Leg, ...])


class MismatchStore:
    """One aggregate per mismatch id."""

    async def resolve(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - each message names its key
        batch: Sequence[Incoming],
    ) -> Sequence[str | None]:
        return [
            i.message.mismatch_id if isinstance(i.message, DifferenceFound | DifferenceGone) else None
            for i in batch
        ]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Mismatch]:
        await connection.execute(_NEW, {"ids": list(keys)})
        await connection.execute(_LOCK, {"ids": list(keys)})
        rows = await connection.execute(_LOAD, {"ids": list(keys)})
        return {r["mismatch_id"]: _mismatch(dict(r)) for r in rows.mappings()}

    async def save(
        self,
        connection: AsyncConnection,
        before: dict[str, Mismatch],  # noqa: ARG002 - what changed says all
        after: dict[str, Mismatch],
    ) -> None:
        rows = [
            {
                "mismatch_id": m.mismatch_id,
                "occurrence": m.occurrence,
                "open": m.open,
                "provider": m.provider,
                "account": m.account,
                "day": m.day,
                "kind": m.kind,
                "subject": m.subject,
                "order_id": m.order_id,
                "legs": msgspec.json.encode(m.legs),
                "first_seen_at": m.first_seen_at,
                "run_id": m.run_id,
                "resolved_at": m.resolved_at,
            }
            for m in after.values()
        ]
        await connection.execute(_SAVE, {name: [r[name] for r in rows] for name in rows[0]})


async def unseen(connection: AsyncConnection, day: ProviderDay, limit: int) -> list[str]:
    """Some open mismatches of this day that its current run has not seen."""
    rows = await connection.execute(
        text("""SELECT mismatch_id FROM mismatches
                WHERE provider = :provider AND account = :account AND day = :day AND open AND run_id <> :run
                ORDER BY mismatch_id LIMIT :limit"""),
        {
            "provider": day.provider,
            "account": day.account,
            "day": day.day,
            "run": day.run_id,
            "limit": limit,
        },
    )
    return list(rows.scalars())


async def of_day(connection: AsyncConnection, day: date, after: str, limit: int) -> list[Mismatch]:
    """The day's mismatches past this id, open and resolved, in the order of their ids."""
    rows = await connection.execute(_OF_DAY, {"day": day, "after": after, "limit": limit})
    return [_mismatch(dict(r)) for r in rows.mappings()]


def _mismatch(row: dict[str, Any]) -> Mismatch:
    if not row["occurrence"]:
        return Mismatch(row["mismatch_id"])
    return Mismatch(**row | {"legs": _legs.decode(row["legs"])})


_COLUMNS = """mismatch_id, occurrence, open, provider, account, day, kind, subject, order_id, legs,
              first_seen_at, run_id, resolved_at"""

_NEW = text("""
    INSERT INTO mismatches (mismatch_id, occurrence, open)
    SELECT unnest(CAST(:ids AS text[])), 0, false ON CONFLICT DO NOTHING""")
_LOCK = text("""
    SELECT 1 FROM mismatches WHERE mismatch_id = ANY(CAST(:ids AS text[]))
    ORDER BY mismatch_id FOR NO KEY UPDATE""")
_LOAD = text(f"SELECT {_COLUMNS} FROM mismatches WHERE mismatch_id = ANY(CAST(:ids AS text[]))")  # noqa: S608 - our own names
_OF_DAY = text(f"""
    SELECT {_COLUMNS} FROM mismatches WHERE day = :day AND occurrence > 0 AND mismatch_id > :after
    ORDER BY mismatch_id LIMIT :limit""")  # noqa: S608 - our own names
_SAVE = text("""
    UPDATE mismatches m SET
        occurrence = n.occurrence, open = n.open, provider = n.provider, account = n.account, day = n.day,
        kind = n.kind, subject = n.subject, order_id = n.order_id, legs = n.legs,
        first_seen_at = n.first_seen_at, run_id = n.run_id, resolved_at = n.resolved_at
    FROM unnest(CAST(:mismatch_id AS text[]), CAST(:occurrence AS integer[]), CAST(:open AS boolean[]),
                CAST(:provider AS text[]), CAST(:account AS text[]), CAST(:day AS date[]),
                CAST(:kind AS text[]), CAST(:subject AS text[]), CAST(:order_id AS text[]),
                CAST(:legs AS bytea[]), CAST(:first_seen_at AS timestamptz[]), CAST(:run_id AS text[]),
                CAST(:resolved_at AS timestamptz[]))
         AS n (mismatch_id, occurrence, open, provider, account, day, kind, subject, order_id, legs,
               first_seen_at, run_id, resolved_at)
    WHERE m.mismatch_id = n.mismatch_id""")
