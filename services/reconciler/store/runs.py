"""Provider days, the run of each, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.facts import DayCompared
from services.reconciler.domain.matching import Entry, Pair, Tally
from services.reconciler.domain.runs import ProviderDay, key_of
from shared.errors import Unavailable
from shared.inbox import Incoming
from shared.messages.facts import ChargeFact
from shared.messages.reconciler import RunReconciliation


class DayStore:
    """One aggregate per provider, account and day. `accounts` are those of the configured providers."""

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._accounts = accounts

    async def resolve(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - each message names its key
        batch: Sequence[Incoming],
    ) -> Sequence[str | None]:
        return [self._key(i) for i in batch]

    def _key(self, incoming: Incoming) -> str | None:
        message = incoming.message
        if isinstance(message, DayCompared):
            return key_of(message.provider, message.account, message.day)
        if isinstance(message, RunReconciliation) and message.provider in self._accounts:
            return key_of(message.provider, self._accounts[message.provider], message.day)
        return None

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, ProviderDay]:
        columns = _key_columns(keys)
        await connection.execute(_NEW, columns)
        rows = await connection.execute(_LOCK, columns)
        return {day.key: day for day in map(_day, rows)}

    async def save(
        self,
        connection: AsyncConnection,
        before: dict[str, ProviderDay],
        after: dict[str, ProviderDay],
    ) -> None:
        for key, day in after.items():
            state = {
                "provider": day.provider,
                "account": day.account,
                "day": day.day,
                "number": day.number,
                "open": day.open,
                "run": day.run_id,
                "requested_at": day.requested_at,
                "completed_at": day.completed_at,
            }
            await connection.execute(_SAVE, state)
            if day.number != before[key].number:
                await connection.execute(_BEGIN, {"run": day.run_id})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an open run has come: all is listed before `listed_until`, compared up to `compared_after`."""

    day: ProviderDay
    listed_until: datetime
    slice_s: int
    compared_after: str
    tally: Tally


async def progress(connection: AsyncConnection, key: str, begins: datetime) -> Progress | None:
    """The open run under this key, or None."""
    row = (await connection.execute(_PROGRESS, _one_key(key))).one_or_none()
    if row is None:
        return None
    return Progress(
        _day(row),
        row.listed_until or begins,
        row.slice_s,
        row.compared_after,
        Tally(row.ours, row.theirs, row.agreed, row.mismatches),
    )


async def shorten(connection: AsyncConnection, run: Progress, slice_s: int) -> None:
    """The next part of the day to be listed is this long."""
    await connection.execute(
        text("UPDATE days SET slice_s = :slice_s WHERE run_id = :run AND open"),
        {"slice_s": slice_s, "run": run.day.run_id},
    )


async def keep_listed(connection: AsyncConnection, run: Progress, facts: Sequence[ChargeFact]) -> None:
    """Keeps what the provider says; repeated, the last word stands."""
    unique = {f.charge_id: f for f in facts}
    if unique:
        rows = [unique[i] for i in sorted(unique)]
        await connection.execute(
            _KEEP,
            {
                "run": run.day.run_id,
                "ids": [f.charge_id for f in rows],
                "orders": [f.provider_order_id for f in rows],
                "states": [f.state for f in rows],
                "amounts": [f.amount for f in rows],
                "currencies": [f.currency for f in rows],
            },
        )


async def listed(connection: AsyncConnection, run: Progress, until: datetime, slice_s: int) -> Progress:
    """Adds our own charges of [listed_until, until) and moves the mark; Unavailable when another has."""
    await connection.execute(
        _GATHER,
        {
            "run": run.day.run_id,
            "provider": run.day.provider,
            "account": run.day.account,
            "since": run.listed_until,
            "until": until,
        },
    )
    moved = await connection.execute(
        _MOVE_LISTED,
        {"run": run.day.run_id, "since": run.listed_until, "until": until, "slice_s": slice_s},
    )
    _only_one(moved.rowcount)
    return replace(run, listed_until=until, slice_s=slice_s)


async def next_pairs(connection: AsyncConnection, run: Progress, limit: int) -> list[Pair]:
    """The next charges to compare, in the order of their ids."""
    rows = await connection.execute(
        _PAIRS,
        {
            "run": run.day.run_id,
            "provider": run.day.provider,
            "account": run.day.account,
            "after": run.compared_after,
            "limit": limit,
        },
    )
    return [
        Pair(
            r.charge_id,
            r.order_id,
            Entry(r.our_state, r.our_amount, r.our_currency) if r.our_state else None,
            Entry(r.state, r.amount, r.currency) if r.state else None,
        )
        for r in rows
    ]


async def compared(connection: AsyncConnection, run: Progress, last_id: str, part: Tally) -> Progress:
    """Moves the mark over a part and adds its tally; Unavailable when another worker has."""
    moved = await connection.execute(
        _MOVE_COMPARED,
        {
            "run": run.day.run_id,
            "after": run.compared_after,
            "last": last_id,
            "ours": part.ours,
            "theirs": part.theirs,
            "agreed": part.agreed,
            "mismatches": part.mismatches,
        },
    )
    _only_one(moved.rowcount)
    return replace(run, compared_after=last_id, tally=run.tally.plus(part))


async def forget_finished(connection: AsyncConnection, limit: int = 20_000) -> int:
    """Deletes some of what finished runs had listed."""
    result = await connection.execute(
        text("""DELETE FROM run_charges WHERE ctid = ANY(ARRAY(
                    SELECT c.ctid FROM run_charges c LEFT JOIN days d ON d.run_id = c.run_id AND d.open
                    WHERE d.run_id IS NULL LIMIT :limit))"""),
        {"limit": limit},
    )
    return int(result.rowcount)


def _only_one(rows: int) -> None:
    if rows != 1:
        raise Unavailable("run-taken-over", "another worker carries this run on")


def _day(row: object) -> ProviderDay:
    names = ("provider", "account", "day", "number", "open", "requested_at", "completed_at")
    return ProviderDay(**{name: getattr(row, name) for name in names})


def _one_key(key: str) -> dict[str, object]:
    provider, account, day = key.split("/")
    return {"provider": provider, "account": account, "day": date.fromisoformat(day)}


def _key_columns(keys: Sequence[str]) -> dict[str, list[object]]:
    rows = [_one_key(k) for k in keys]
    return {name: [r[name] for r in rows] for name in ("provider", "account", "day")}


_KEYS = """unnest(CAST(:provider AS text[]), CAST(:account AS text[]), CAST(:day AS date[]))
           AS k (provider, account, day)"""
_NEW = text(f"""
    INSERT INTO days (provider, account, day, number, open, run_id)
    SELECT provider, account, day, 0, false, '' FROM {_KEYS} ON CONFLICT DO NOTHING""")  # noqa: S608 - our own names
_LOCK = text(f"""
    SELECT d.* FROM days d JOIN {_KEYS} USING (provider, account, day)
    ORDER BY provider, account, day FOR NO KEY UPDATE OF d""")  # noqa: S608 - our own names
_SAVE = text("""
    UPDATE days SET number = :number, open = :open, run_id = :run, requested_at = :requested_at,
                    completed_at = :completed_at
    WHERE provider = :provider AND account = :account AND day = :day""")
_BEGIN = text("""
    UPDATE days SET listed_until = NULL, slice_s = DEFAULT, compared_after = '',
                    ours = 0, theirs = 0, agreed = 0, mismatches = 0
    WHERE run_id = :run""")

_PROGRESS = text("""
    SELECT * FROM days WHERE provider = :provider AND account = :account AND day = :day AND open""")
_KEEP = text("""
    INSERT INTO run_charges (run_id, charge_id, provider_order_id, state, amount, currency)
    SELECT :run, * FROM unnest(CAST(:ids AS text[]), CAST(:orders AS text[]), CAST(:states AS text[]),
                               CAST(:amounts AS bigint[]), CAST(:currencies AS text[]))
    ON CONFLICT (run_id, charge_id) DO UPDATE
    SET provider_order_id = excluded.provider_order_id, state = excluded.state, amount = excluded.amount,
        currency = excluded.currency""")
_GATHER = text("""
    INSERT INTO run_charges (run_id, charge_id)
    SELECT :run, charge_id FROM charges
    WHERE provider = :provider AND account = :account AND at >= :since AND at < :until
    ON CONFLICT DO NOTHING""")
_MOVE_LISTED = text("""
    UPDATE days SET listed_until = :until, slice_s = :slice_s
    WHERE run_id = :run AND open AND coalesce(listed_until, :since) = :since""")
_PAIRS = text("""
    SELECT r.charge_id, r.state, r.amount, r.currency, coalesce(c.order_id, p.order_id) AS order_id,
           c.state AS our_state, c.amount AS our_amount, c.currency AS our_currency
    FROM (SELECT * FROM run_charges WHERE run_id = :run AND charge_id > :after
          ORDER BY charge_id LIMIT :limit) r
    LEFT JOIN charges c ON c.provider = :provider AND c.account = :account AND c.charge_id = r.charge_id
    LEFT JOIN provider_orders p ON p.provider = :provider AND p.account = :account
                               AND p.provider_order_id = r.provider_order_id
    ORDER BY r.charge_id""")
_MOVE_COMPARED = text("""
    UPDATE days SET compared_after = :last, ours = ours + :ours, theirs = theirs + :theirs,
                    agreed = agreed + :agreed, mismatches = mismatches + :mismatches
    WHERE run_id = :run AND open AND compared_after = :after""")
