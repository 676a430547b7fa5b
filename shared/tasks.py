"""Durable tasks: the only code that talks to the outside, and the only "later" there is.

A row is written with the decision that wants it, leased at the moment of the call, and closed by the
transaction that applies its result. A time-out is unknown, never failed: any claim after the first must
look up before it acts.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.decision import Task
from shared.failpoints import passing
from shared.messages.base import Message

log = structlog.get_logger()

POLL_S = 0.2
LEASE_S = 30.0  # above every call's own deadline plus the time to apply its result
CALL_MARGIN_S = 5.0
WAKE_CHANNEL = "tasks"


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task that this worker may carry out now. `first` is false when an earlier claim may have acted."""

    id: int
    kind: str
    key: str
    subject: str
    payload: bytes
    claims: int

    @property
    def first(self) -> bool:
        return self.claims == 1


@dataclass(frozen=True, slots=True)
class Answered:
    """The task is done; `message` is its result, a fact for the decider."""

    message: Message


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing to tell yet; claim it again after `delay_s`."""

    delay_s: float
    reason: str


class Performer(Protocol):
    """Carries out one kind of task, outside any transaction. It must not raise for expected failures."""

    async def __call__(self, task: ClaimedTask) -> Answered | Later: ...


_ADD = text("""
    INSERT INTO tasks (kind, key, subject, payload, priority, due_at)
    SELECT kind, key, subject, payload, priority, clock_timestamp() + make_interval(secs => delay_s)
    FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:subjects AS text[]), CAST(:payloads AS bytea[]),
                CAST(:priorities AS smallint[]), CAST(:delays AS double precision[]))
         AS new (kind, key, subject, payload, priority, delay_s)
    ORDER BY key
    ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE
    SET due_at = least(tasks.due_at, excluded.due_at), priority = least(tasks.priority, excluded.priority)""")

_DROP = text("""
    UPDATE tasks SET closed_at = clock_timestamp(), outcome = 'dropped', lease_owner = NULL, lease_until = NULL
    WHERE key = ANY(CAST(:keys AS text[])) AND closed_at IS NULL""")

_CLOSE = text("""
    UPDATE tasks SET closed_at = clock_timestamp(), outcome = 'done', lease_owner = NULL, lease_until = NULL
    WHERE id = ANY(CAST(:ids AS bigint[])) AND closed_at IS NULL""")

_CLAIM = text("""
    WITH due AS (
        SELECT id FROM tasks
        WHERE closed_at IS NULL AND due_at <= clock_timestamp() AND kind = ANY(CAST(:kinds AS text[]))
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY priority, due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE tasks SET claims = claims + 1, lease_owner = :owner,
                     lease_until = clock_timestamp() + make_interval(secs => :lease_s)
    FROM due WHERE tasks.id = due.id
    RETURNING tasks.id, tasks.kind, tasks.key, tasks.subject, tasks.payload, tasks.claims, tasks.priority""")

_POSTPONE = text("""
    UPDATE tasks SET due_at = clock_timestamp() + make_interval(secs => :delay_s),
                     lease_owner = NULL, lease_until = NULL
    WHERE id = :id AND lease_owner = :owner AND closed_at IS NULL""")


async def add(connection: AsyncConnection, tasks: Sequence[Task]) -> None:
    """Writes tasks; one whose key is open already is only brought forward."""
    if not tasks:
        return
    unique: dict[str, Task] = {}
    for task in tasks:
        unique.setdefault(task.key, task)
    new = list(unique.values())
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


async def drop(connection: AsyncConnection, keys: Sequence[str]) -> None:
    """Closes open tasks that are no longer needed. One that runs right now still tells its result."""
    if keys:
        await connection.execute(_DROP, {"keys": sorted(set(keys))})


async def close(connection: AsyncConnection, ids: Sequence[int]) -> None:
    """Closes tasks whose result this transaction applies, even from a worker whose lease is gone."""
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


class Tasks:
    """Runs due tasks with a number of slots per kind, and hands each result to `apply`."""

    def __init__(
        self,
        engine: AsyncEngine,
        owner: str,
        performers: Mapping[str, Performer],
        apply: Callable[[ClaimedTask, Message], Awaitable[None]],
        slots: Mapping[str, int],
        lease_s: float = LEASE_S,
    ) -> None:
        self._engine = engine
        self._owner = owner
        self._performers = performers
        self._apply = apply
        self._slots = slots
        self._lease_s = lease_s
        self._busy: Counter[str] = Counter()
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Claims and starts due tasks until cancelled; never more than there are free slots."""
        while True:
            self._woken.clear()
            try:
                claimed = await self._claim()
            except (DBAPIError, OSError, TimeoutError) as error:
                log.warning("tasks cannot be claimed; trying again", error=repr(error)[:200])
                await asyncio.sleep(0.5)
                continue
            for task in claimed:
                self._busy[task.kind] += 1
                running = asyncio.create_task(self._perform(task))
                self._running.add(running)
                running.add_done_callback(self._running.discard)
            if not claimed:
                await self._rest()

    async def finish(self, timeout_s: float = 5.0) -> None:
        """Gives running tasks a moment; what is cut off is claimed again when its lease ends."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=timeout_s)
            for task in late:
                task.cancel()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _claim(self) -> list[ClaimedTask]:
        claimed: list[ClaimedTask] = []
        free = {k: self._slots[k] - self._busy[k] for k in self._performers}
        kinds = [k for k, n in free.items() if n > 0]
        if not kinds:
            return claimed
        async with self._engine.begin() as connection:
            for kind in kinds:  # one kind at a time: a full kind must not hide the others
                rows = await connection.execute(
                    _CLAIM,
                    {
                        "kinds": [kind],
                        "limit": free[kind],
                        "owner": self._owner,
                        "lease_s": self._lease_s,
                    },
                )
                claimed += [ClaimedTask(r.id, r.kind, r.key, r.subject, r.payload, r.claims) for r in rows]
        return claimed

    async def _perform(self, task: ClaimedTask) -> None:
        deadline = time.monotonic() + self._lease_s - CALL_MARGIN_S
        try:
            passing("tasks.claimed")
            async with asyncio.timeout_at(deadline - time.monotonic() + asyncio.get_running_loop().time()):
                result = await self._performers[task.kind](task)
            passing("tasks.performed")
            if isinstance(result, Answered):
                await self._apply(task, result.message)
            else:
                await self._postpone(task, result)
        except TimeoutError:
            log.warning("a task ran out of time; its outcome is unknown", kind=task.kind, key=task.key)
        except Exception:  # a bug in a performer must not stop the others; the lease brings it back
            log.exception("a task failed", kind=task.kind, key=task.key, claims=task.claims)
            await self._postpone(task, Later(min(300.0, 2.0**task.claims), "bug"))
        finally:
            self._busy[task.kind] -= 1
            self._woken.set()

    async def _postpone(self, task: ClaimedTask, later: Later) -> None:
        log.info("a task waits", kind=task.kind, key=task.key, delay_s=later.delay_s, reason=later.reason)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(
                    _POSTPONE, {"id": task.id, "owner": self._owner, "delay_s": later.delay_s}
                )
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("a task could not be put back; its lease will end", error=repr(error)[:200])
