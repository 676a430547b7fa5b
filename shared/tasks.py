"""Durable tasks: the only code that talks to the outside, and the only "later" there is.

A row is written with the decision that wants it, leased at the moment of the call, and closed by the
transaction that applies its result. A time-out is unknown, never failed: any claim after the first must
look up before it acts.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import AWAY, caused_by_message
from shared.failpoints import passing
from shared.messages.base import Message
from shared.observability import TASK_SECONDS, TASKS

log = structlog.get_logger()

POLL_S = 0.2
LEASE_S = 30.0  # above every call's own deadline plus the time to apply its result
CALL_MARGIN_S = 5.0
LOST_FREE = 3  # so many claims may end without a word before the next one waits longer
BUG_BACKOFF_MAX_S = 300.0
TELLING_MAX = 3  # results at once: the loops and the relay need their connections too


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
    """Nothing to tell yet; claim it again after `delay_s`.

    `unbegun`: it was put back before anything was done, so this claim does not count as a try.
    """

    delay_s: float
    reason: str
    unbegun: bool = False


def backoff_s(claims: int) -> float:
    """How long a task rests that failed without being able to say why; doubles with each claim."""
    return min(
        BUG_BACKOFF_MAX_S, 2.0 ** min(claims, 16)
    )  # a run of a long window is claimed thousands of times


class Performer(Protocol):
    """Carries out one kind of task, outside any transaction. It must not raise for expected failures."""

    async def __call__(self, task: ClaimedTask, /) -> Answered | Later: ...


# For each kind as many as it has free slots, the most urgent first; what others hold is skipped. A claim
# that ended without a word (the process died) frees its task after one lease more, then two, four …, lest
# it kill for ever.
# The time of the statement, not of the clock: a volatile function cannot bound the index on due_at.
_CLAIM = text("""
    WITH due AS (
        SELECT one.id FROM unnest(CAST(:kinds AS text[]), CAST(:room AS integer[])) AS free (kind, room)
        CROSS JOIN LATERAL (
            SELECT id FROM tasks
            WHERE kind = free.kind AND closed_at IS NULL AND due_at <= statement_timestamp()
              AND (lease_until IS NULL OR lease_until + make_interval(secs =>
                       CASE WHEN lost < :lost_free THEN 0
                            ELSE least(3600, CAST(:lease_s AS float8) * 2 ^ (lost - :lost_free)) END
                   ) < clock_timestamp())
            ORDER BY priority, due_at LIMIT free.room FOR UPDATE SKIP LOCKED) one)
    UPDATE tasks SET claims = claims + 1, lease_owner = :owner,
                     lost = CASE WHEN lease_until IS NULL THEN 0 ELSE lost + 1 END,
                     lease_until = clock_timestamp() + make_interval(secs => CAST(:lease_s AS float8))
    FROM due WHERE tasks.id = due.id
    RETURNING tasks.id, tasks.kind, tasks.key, tasks.subject, tasks.payload, tasks.claims, tasks.priority,
              tasks.due_at""")

_POSTPONE = text("""
    UPDATE tasks SET due_at = least(again_at, clock_timestamp() + make_interval(secs => :delay_s)),
                     again_at = NULL, lost = 0, lease_owner = NULL, lease_until = NULL,
                     claims = claims - CAST(:unbegun AS integer)
    WHERE id = :id AND lease_owner = :owner AND claims = :claims AND closed_at IS NULL""")


class Tasks:
    """Runs due tasks with a number of slots per kind, and hands each result to `apply`.

    A kind's slots are its own: however many slow looks wait, a capture finds its slot free; inside a
    kind the lower priority number goes first, and of what is claimed at once the most urgent starts first.
    `telling_max`: results handed over at once; more than a few only to an `apply` that gathers them.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        owner: str,
        performers: Mapping[str, Performer],
        apply: Callable[[ClaimedTask, Message], Awaitable[None]],
        slots: Mapping[str, int],
        lease_s: float = LEASE_S,
        telling_max: int = TELLING_MAX,
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
        self._finishing = False
        self._claiming = asyncio.Lock()
        self._telling = asyncio.Semaphore(telling_max)

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Claims and starts due tasks until `finish`; never more than there are free slots."""
        while not self._finishing:
            self._woken.clear()
            try:
                async with self._claiming:
                    started = await self._start_due()
            except AWAY as error:
                log.warning("tasks cannot be claimed; trying again", error=repr(error)[:200])
                await asyncio.sleep(0.5)
                continue
            if not started:
                await self._rest()

    async def finish(self, timeout_s: float = 5.0) -> None:
        """Claims nothing more and gives running tasks a moment.

        What is cut off is claimed again when its lease ends, and looked up then.
        """
        self._finishing = True
        self._woken.set()
        async with self._claiming:
            pass
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=timeout_s)
            for task in late:
                task.cancel()

    async def _start_due(self) -> int:
        asked_at = time.monotonic()
        claimed = [] if self._finishing else await self._claim()
        for task in claimed:
            self._busy[task.kind] += 1
            running = asyncio.create_task(self._perform(task, asked_at))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        return len(claimed)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _claim(self) -> list[ClaimedTask]:
        free = {k: self._slots[k] - self._busy[k] for k in self._performers}
        kinds = [k for k, room in free.items() if room > 0]
        if not kinds:
            return []
        wanted = {
            "kinds": kinds,
            "room": [free[k] for k in kinds],
            "owner": self._owner,
            "lease_s": self._lease_s,
            "lost_free": LOST_FREE,
        }
        async with self._engine.begin() as connection:
            rows = (await connection.execute(_CLAIM, wanted)).all()
        return [
            ClaimedTask(r.id, r.kind, r.key, r.subject, r.payload, r.claims)
            for r in sorted(rows, key=lambda r: (r.priority, r.due_at))
        ]

    async def _perform(self, task: ClaimedTask, asked_at: float) -> None:
        """`asked_at` is before the lease began: all of it counts against the call's deadline."""
        deadline = asked_at + self._lease_s - CALL_MARGIN_S
        try:
            passing("tasks.claimed", task.kind)
            result = await self._called(task, deadline)
            if result is not None:
                passing("tasks.performed", task.kind)
                await self._told(task, result)
        except Exception as error:  # must not stop the others; the task comes back, a little later each time
            bug = caused_by_message(error)
            if bug:
                log.exception("a task failed", kind=task.kind, key=task.key, claims=task.claims)
            TASKS.labels(task.kind, "bug" if bug else "away").inc()
            delay_s = backoff_s(task.claims)
            await self._postpone(task, Later(delay_s, "bug" if bug else f"an outage: {error!r:.200}"))
        finally:
            self._busy[task.kind] -= 1
            self._woken.set()

    async def _called(self, task: ClaimedTask, deadline: float) -> Answered | Later | None:
        """What the performer says; None when there is no time (left): the lease's end brings it back."""
        if time.monotonic() >= deadline:  # this process was frozen: others may be at it
            return None
        with TASK_SECONDS.labels(task.kind).time():
            limit = asyncio.timeout(deadline - time.monotonic())
            try:
                async with limit:
                    return await self._performers[task.kind](task)
            except TimeoutError:
                if not limit.expired():
                    raise
        log.warning("a task ran out of time; its outcome is unknown", kind=task.kind, key=task.key)
        TASKS.labels(task.kind, "unknown").inc()
        return None

    async def _told(self, task: ClaimedTask, result: Answered | Later) -> None:
        """Applies the outcome, again and again while the database is away: it is a fact."""
        if isinstance(result, Later):
            TASKS.labels(task.kind, "later").inc()
            await self._postpone(task, result)
            return
        delay_s = 0.05
        while True:
            try:
                async with self._telling:
                    await self._apply(task, result.message)
            except Exception as error:
                if caused_by_message(error):
                    raise
                log.warning("a task's result waits for the database", kind=task.kind, error=repr(error)[:200])
                await asyncio.sleep(delay_s)
                delay_s = min(5.0, delay_s * 2)
            else:
                TASKS.labels(task.kind, "answered").inc()
                return

    async def _postpone(self, task: ClaimedTask, later: Later) -> None:
        log.info("a task waits", kind=task.kind, key=task.key, delay_s=later.delay_s, reason=later.reason)
        wanted = {
            "id": task.id,
            "owner": self._owner,
            "claims": task.claims,
            "delay_s": later.delay_s,
            "unbegun": int(later.unbegun),
        }
        pause_s = 0.05
        while True:  # while the database is away: nobody could claim it, and soon after its return we do
            try:
                async with self._telling, self._engine.begin() as connection:
                    await connection.execute(_POSTPONE, wanted)
            except AWAY as error:
                log.warning("a task is put back when the database is there", error=repr(error)[:200])
                await asyncio.sleep(pause_s)
                pause_s = min(5.0, pause_s * 2)
            else:
                return
