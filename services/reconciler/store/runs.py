"""Windows, the run of each, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.facts import WindowCompared
from services.reconciler.domain.items import Key
from services.reconciler.domain.matching import Tally
from services.reconciler.domain.runs import Window, asked_window, key_of, window_of
from shared.errors import Unavailable
from shared.inbox import Incoming
from shared.messages.reconciler import RunReconciliation


class WindowStore:
    """One aggregate per provider, account and window. `accounts` are those of the configured providers."""

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
        if isinstance(message, WindowCompared):
            return key_of(message.provider, message.account, message.since, message.until)
        if isinstance(message, RunReconciliation) and message.provider in self._accounts:
            window = asked_window(message)
            return key_of(message.provider, self._accounts[message.provider], *window) if window else None
        return None

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Window]:
        columns = _key_columns(keys)
        await connection.execute(_NEW, columns)
        rows = await connection.execute(_LOCK, columns)
        return {window.key: window for window in map(_window, rows)}

    async def save(
        self,
        connection: AsyncConnection,
        before: dict[str, Window],
        after: dict[str, Window],
    ) -> None:
        for key, window in after.items():
            state = _named(window) | {
                "number": window.number,
                "open": window.open,
                "run": window.run_id,
                "requested_at": window.requested_at,
                "completed_at": window.completed_at,
            }
            await connection.execute(_SAVE, state)
            if window.number != before[key].number:
                await connection.execute(_BEGIN, {"run": window.run_id})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an open run has come: in step `step` all before `done_until` is in, `after` is compared.

    None: the step has not begun. `listed` and `compared` count for whoever watches. `serial`: the number
    under which its subjects stand.
    """

    window: Window
    serial: int
    step: int
    done_until: datetime | None
    slice_s: int | None
    listed: int
    gathered: bool
    after: Key
    compared: int
    tally: Tally


async def progress(connection: AsyncConnection, key: str) -> Progress | None:
    """The open run under this key, or None."""
    row = (await connection.execute(_PROGRESS, _named(window_of(key)))).one_or_none()
    if row is None:
        return None
    return Progress(
        window=_window(row),
        serial=row.serial,
        step=row.leg,
        done_until=row.listed_until,
        slice_s=row.slice_s,
        listed=row.listed,
        gathered=row.gathered,
        after=(row.compared_object, row.compared_subject),
        compared=row.compared,
        tally=Tally(row.ours, row.theirs, row.settled, row.agreed, row.mismatches),
    )


async def moved(connection: AsyncConnection, run: Progress, to: Progress) -> Progress:
    """Writes the new marks and counts; Unavailable when another worker has moved this run meanwhile."""
    wanted = {
        "run": run.window.run_id,
        "old_leg": run.step,
        "old_until": run.done_until,
        "old_object": run.after[0],
        "old_after": run.after[1],
        "leg": to.step,
        "listed_until": to.done_until,
        "slice_s": to.slice_s,
        "listed": to.listed,
        "gathered": to.gathered,
        "object": to.after[0],
        "after": to.after[1],
        "compared": to.compared,
    }
    tally = {name: getattr(to.tally, name) for name in Tally.__struct_fields__}
    result = await connection.execute(_MOVE, wanted | tally)
    if result.rowcount != 1:
        raise Unavailable("run-taken-over", "another worker carries this run on")
    return to


async def shorten(connection: AsyncConnection, run: Progress, slice_s: int) -> Progress:
    """The next part to be listed is this long."""
    return await moved(connection, run, replace(run, slice_s=slice_s))


async def forget_finished(connection: AsyncConnection, limit: int = 20_000) -> int:
    """Deletes some of what finished runs had to compare."""
    result = await connection.execute(
        text("""DELETE FROM run_subjects WHERE ctid = ANY(ARRAY(
                    SELECT s.ctid FROM run_subjects s LEFT JOIN runs r ON r.serial = s.run AND r.open
                    WHERE r.serial IS NULL LIMIT :limit))"""),
        {"limit": limit},
    )
    return int(result.rowcount)


def _window(row: object) -> Window:
    names = ("provider", "account", "since", "until", "number", "open", "requested_at", "completed_at")
    return Window(**{name: getattr(row, name) for name in names})


def _named(window: Window) -> dict[str, Any]:
    return {name: getattr(window, name) for name in ("provider", "account", "since", "until")}


def _key_columns(keys: Sequence[str]) -> dict[str, list[object]]:
    rows = [_named(window_of(k)) for k in keys]
    return {name: [r[name] for r in rows] for name in ("provider", "account", "since", "until")}


_KEYS = """unnest(CAST(:provider AS text[]), CAST(:account AS text[]), CAST(:since AS timestamptz[]),
                  CAST(:until AS timestamptz[])) AS k (provider, account, since, until)"""
_NEW = text(f"""
    INSERT INTO runs (provider, account, since, until, number, open, run_id)
    SELECT provider, account, since, until, 0, false, '' FROM {_KEYS} ON CONFLICT DO NOTHING""")  # noqa: S608 - our own names
_LOCK = text(f"""
    SELECT r.* FROM runs r JOIN {_KEYS} USING (provider, account, since, until)
    ORDER BY provider, account, since, until FOR NO KEY UPDATE OF r""")  # noqa: S608 - our own names
_SAVE = text("""
    UPDATE runs SET number = :number, open = :open, run_id = :run, requested_at = :requested_at,
                    completed_at = :completed_at
    WHERE provider = :provider AND account = :account AND since = :since AND until = :until""")
_BEGIN = text("""
    UPDATE runs SET serial = DEFAULT, leg = 0, listed_until = NULL, slice_s = NULL, listed = 0,
                    gathered = false, compared_object = '', compared_subject = '', compared = 0,
                    ours = 0, theirs = 0, settled = 0, agreed = 0, mismatches = 0
    WHERE run_id = :run""")
_PROGRESS = text("""
    SELECT * FROM runs
    WHERE provider = :provider AND account = :account AND since = :since AND until = :until AND open""")
_MOVE = text("""
    UPDATE runs SET leg = :leg, listed_until = :listed_until, slice_s = :slice_s, listed = :listed,
                    gathered = :gathered, compared_object = :object, compared_subject = :after,
                    compared = :compared, ours = :ours, theirs = :theirs, settled = :settled,
                    agreed = :agreed, mismatches = :mismatches
    WHERE run_id = :run AND open AND leg = :old_leg
      AND listed_until IS NOT DISTINCT FROM CAST(:old_until AS timestamptz)
      AND compared_object = :old_object AND compared_subject = :old_after""")
