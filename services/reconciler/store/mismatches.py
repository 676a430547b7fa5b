"""Mismatches in the database, and their audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.facts import DifferenceFound, DifferenceGone, Rechecked
from services.reconciler.domain.items import Key
from services.reconciler.domain.mismatches import Mismatch, Note
from services.reconciler.store.columns import column, unnested
from shared.inbox import Incoming
from shared.messages.reconciler import AcceptMismatch, ApproveRepair, Leg

_legs = msgspec.json.Decoder(tuple[Leg, ...])
_ABOUT = (DifferenceFound, DifferenceGone, Rechecked, AcceptMismatch, ApproveRepair)


class MismatchStore:
    """One aggregate per mismatch id."""

    async def resolve(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - each message names its key
        batch: Sequence[Incoming],
    ) -> Sequence[str | None]:
        return [i.message.mismatch_id if isinstance(i.message, _ABOUT) else None for i in batch]

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
            {name: getattr(m, name) for name in _TYPES} | {"legs": msgspec.json.encode(m.legs)}
            for m in after.values()
        ]
        await connection.execute(_SAVE, {name: [r[name] for r in rows] for name in _TYPES})
        await _note(connection, [(m.mismatch_id, note) for m in after.values() for note in m.notes])


async def _note(connection: AsyncConnection, notes: Sequence[tuple[str, Note]]) -> None:
    if notes:
        columns: dict[str, list[object]] = {
            "ids": [id_ for id_, _ in notes],
            "occurrences": [n.occurrence for _, n in notes],
            "whats": [n.what for _, n in notes],
            "ats": [n.at for _, n in notes],
            "persons": [n.person for _, n in notes],
            "texts": [n.text for _, n in notes],
        }
        await connection.execute(_NOTE, columns)


@dataclass(frozen=True, slots=True)
class Standing:
    """A mismatch that is open, or accepted as it is."""

    mismatch_id: str
    kind: str
    key: Key


async def standing(
    connection: AsyncConnection, provider: str, account: str, keys: Sequence[Key]
) -> list[Standing]:
    """Those that are about these things."""
    rows = await connection.execute(
        _STANDING,
        {
            "provider": provider,
            "account": account,
            "objects": column([k[0] for k in keys]),
            "subjects": column([k[1] for k in keys]),
        },
    )
    return [Standing(row.mismatch_id, row.kind, (row.object, row.subject)) for row in rows]


async def one(connection: AsyncConnection, mismatch_id: str) -> Mismatch | None:
    """The mismatch as it is now, or None."""
    rows = (await connection.execute(_LOAD, {"ids": [mismatch_id]})).mappings()
    row = rows.one_or_none()
    return None if row is None or not row["occurrence"] else _mismatch(dict(row))


async def notes(connection: AsyncConnection, mismatch_id: str) -> list[Note]:
    """Its audit trail, oldest first."""
    rows = await connection.execute(_NOTES, {"id": mismatch_id})
    return [Note(*row) for row in rows]


async def of_days(
    connection: AsyncConnection, first: date, last: date, after: str, limit: int
) -> list[Mismatch]:
    """These days' mismatches past this id, open and ended, in the order of their ids."""
    asked = {"first": first, "last": last, "after": after, "limit": limit}
    rows = await connection.execute(_OF_DAYS, asked)
    return [_mismatch(dict(r)) for r in rows.mappings()]


async def open_ones(connection: AsyncConnection, limit: int) -> list[Mismatch]:
    """Open mismatches of every day and provider, the oldest first."""
    rows = await connection.execute(_OPEN, {"limit": limit})
    return [_mismatch(dict(r)) for r in rows.mappings()]


def _mismatch(row: dict[str, Any]) -> Mismatch:
    if not row["occurrence"]:
        return Mismatch(row["mismatch_id"])
    return Mismatch(**row | {"legs": _legs.decode(row["legs"])})


_TYPES = {
    "mismatch_id": "text", "occurrence": "integer", "open": "boolean", "provider": "text", "account": "text",
    "day": "date", "kind": "text", "object": "text", "subject": "text", "order_id": "text",
    "charge_id": "text", "amount": "bigint", "currency": "text", "at": "timestamptz", "legs": "bytea",
    "returns": "bigint", "first_seen_at": "timestamptz", "last_seen_at": "timestamptz", "run_id": "text",
    "approved_at": "timestamptz", "looks": "integer", "looked_at": "timestamptz", "how": "text",
    "person": "text", "reason": "text", "resolved_at": "timestamptz",
}  # fmt: skip
_COLUMNS = ", ".join(_TYPES)
_CHANGED = [name for name in _TYPES if name != "mismatch_id"]

_NEW = text("""
    INSERT INTO mismatches (mismatch_id, occurrence, open)
    SELECT unnest(CAST(:ids AS text[])), 0, false ON CONFLICT DO NOTHING""")
_LOCK = text("""
    SELECT 1 FROM mismatches WHERE mismatch_id = ANY(CAST(:ids AS text[]))
    ORDER BY mismatch_id FOR NO KEY UPDATE""")
_LOAD = text(f"SELECT {_COLUMNS} FROM mismatches WHERE mismatch_id = ANY(CAST(:ids AS text[]))")  # noqa: S608 - our own names
_OF_DAYS = text(f"""
    SELECT {_COLUMNS} FROM mismatches
    WHERE day BETWEEN :first AND :last AND occurrence > 0 AND mismatch_id > :after
    ORDER BY mismatch_id LIMIT :limit""")  # noqa: S608 - our own names
_OPEN = text(f"SELECT {_COLUMNS} FROM mismatches WHERE open ORDER BY at LIMIT :limit")  # noqa: S608 - our own names
_SAVE = text(f"""
    UPDATE mismatches m SET {", ".join(f"{name} = n.{name}" for name in _CHANGED)}
    FROM unnest({", ".join(f"CAST(:{name} AS {type_}[])" for name, type_ in _TYPES.items())})
         AS n ({_COLUMNS})
    WHERE m.mismatch_id = n.mismatch_id""")  # noqa: S608 - our own names
_NOTE = text("""
    INSERT INTO mismatch_audit (mismatch_id, occurrence, what, at, person, text)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:occurrences AS integer[]), CAST(:whats AS text[]),
                         CAST(:ats AS timestamptz[]), CAST(:persons AS text[]), CAST(:texts AS text[]))""")
_NOTES = text("""
    SELECT occurrence, what, at, person, text FROM mismatch_audit WHERE mismatch_id = :id ORDER BY id""")
_STANDING = text(f"""
    SELECT m.mismatch_id, m.kind, m.object, m.subject
    FROM {unnested(objects="text", subjects="text")} AS k (object, subject)
    CROSS JOIN LATERAL (SELECT * FROM mismatches WHERE provider = :provider AND account = :account
                           AND object = k.object AND subject = k.subject
                           AND (open OR how = 'accepted') OFFSET 0) m""")  # noqa: S608 - our own names
