"""The table of tasks, as transactions see it: a wish is written, brought forward, dropped, closed."""

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decision import Task

# One that runs right now is wanted once more: what it is about to tell may be older than this wish.
_ADD = text("""
    INSERT INTO tasks (kind, key, subject, payload, priority, due_at)
    SELECT kind, key, subject, payload, priority, clock_timestamp() + make_interval(secs => delay_s)
    FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:subjects AS text[]),
                CAST(:payloads AS bytea[]), CAST(:priorities AS smallint[]),
                CAST(:delays AS double precision[]))
         AS new (kind, key, subject, payload, priority, delay_s)
    ORDER BY key
    ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE
    SET due_at = least(tasks.due_at, excluded.due_at), priority = least(tasks.priority, excluded.priority),
        again_at = CASE WHEN tasks.lease_until IS NULL THEN NULL
                        ELSE least(tasks.again_at, excluded.due_at) END""")

_DROP = text("""
    UPDATE tasks SET closed_at = clock_timestamp(), outcome = 'dropped',
                     lease_owner = NULL, lease_until = NULL
    WHERE key = ANY(CAST(:keys AS text[])) AND closed_at IS NULL""")

_CLOSE = text("""
    UPDATE tasks SET closed_at = CASE WHEN again_at IS NULL THEN clock_timestamp() END,
                     outcome = CASE WHEN again_at IS NULL THEN 'done' END,
                     due_at = coalesce(again_at, due_at), again_at = NULL, lost = 0,
                     lease_owner = NULL, lease_until = NULL
    WHERE id = ANY(CAST(:ids AS bigint[])) AND closed_at IS NULL""")


async def add(connection: AsyncConnection, tasks: Sequence[Task]) -> None:
    """Writes tasks; one whose key is open already is only brought forward, or run again if it runs now."""
    if not tasks:
        return
    new = merged(tasks)
    await connection.execute(
        _ADD,
        {
            "kinds": [t.kind for t in new],
            "keys": [t.key for t in new],
            "subjects": [t.subject for t in new],
            "payloads": [t.payload for t in new],
            "priorities": [t.priority for t in new],
            "delays": [t.delay_s for t in new],
        },
    )


def merged(tasks: Sequence[Task]) -> list[Task]:
    """One task for each key: the first one, as soon and as urgent as any of them."""
    unique: dict[str, Task] = {}
    for task in tasks:
        if (first := unique.setdefault(task.key, task)) is not task:
            unique[task.key] = replace(
                first,
                delay_s=min(first.delay_s, task.delay_s),
                priority=min(first.priority, task.priority),
            )
    return list(unique.values())


async def drop(connection: AsyncConnection, keys: Sequence[str]) -> None:
    """Closes open tasks that are no longer needed. One that runs right now still tells its result."""
    if keys:
        await connection.execute(_DROP, {"keys": sorted(set(keys))})


async def close(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Closes tasks whose result this transaction applies, even from a worker whose lease is gone.

    One that was wanted again while it ran is opened for that instead.
    """
    if ids:
        await connection.execute(_CLOSE, {"ids": list(ids)})


async def delete_old(connection: AsyncConnection, days: int = 90, limit: int = 5000) -> int:
    """Deletes some closed rows past their retention."""
    result = await connection.execute(
        text("""DELETE FROM tasks WHERE id IN (
                SELECT id FROM tasks WHERE closed_at < now() - make_interval(days => :days) LIMIT :limit)"""),
        {"days": days, "limit": limit},
    )
    return result.rowcount
