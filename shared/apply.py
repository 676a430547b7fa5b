"""The one transaction: claim, resolve, lock, load, decide, save; then, after the commit, wake and reply."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import answers, inbox, outbox, task_rows
from shared.answers import Claim
from shared.decision import Answer, Decision, Outgoing, Task
from shared.envelope import encode, new_id
from shared.failpoints import passing
from shared.inbox import Incoming, Parking
from shared.messages.base import IdempotencyKey, wrap
from shared.observability import MESSAGES, PARKED, SECURITY

log = structlog.get_logger()

S = TypeVar("S")

BLOCKING_MAX_S = 0.02  # deciding lets heartbeats and requests of this process through after this long


class Store(Protocol[S]):
    """What one service tells the kit about its aggregates. It can neither commit nor call outside."""

    async def resolve(self, connection: AsyncConnection, batch: Sequence[Incoming]) -> Sequence[str | None]:
        """The aggregate's key for each message, without a lock; None when it is not known (yet)."""
        ...

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, S]:
        """Locks the aggregates (sorted keys; missing rows inserted empty), then loads what hangs under them
        in new statements.
        """
        ...

    async def save(self, connection: AsyncConnection, before: dict[str, S], after: dict[str, S]) -> None:
        """Writes the states that changed, in bulk."""
        ...


Decide = Callable[[S, Incoming, datetime], Decision[S]]


@dataclass(frozen=True, slots=True)
class Fate(Generic[S]):
    """What became of one message: whose it was, and that one's state before and after its decision."""

    incoming: Incoming
    key: str | None = None
    before: S | None = None
    after: S | None = None


async def _archive_nothing(connection: AsyncConnection, fates: Sequence[Fate[S]]) -> None:
    """Most consumers keep nothing beside their aggregates."""


async def _count_nothing(connection: AsyncConnection, repeated: Sequence[Incoming]) -> None:
    """Most consumers only count repetitions in a metric."""


async def _as_they_came(connection: AsyncConnection, fresh: Sequence[Incoming]) -> list[Incoming]:  # noqa: ARG001 - the shape of a callback
    """Most consumers see messages as they came."""
    return list(fresh)


def _no_match(incoming: Incoming) -> Task | None:  # noqa: ARG001 - the shape of a callback
    """Most messages carry their key; one that does not is ignored."""
    return None


@dataclass(slots=True)
class Deciding:
    """How long the deciders of the last batch took: the loop cuts its batches by it."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Applier(Generic[S]):
    """Applies batches of messages for one consumer; each batch is one READ COMMITTED transaction.

    `screen` may change messages before anyone decides on them. `archive` keeps fresh messages as they came,
    with what became of them; `repeated` hears of those that the inbox absorbed. `unmatched` gives the task
    that tries again to find the aggregate of a message that resolved to none. `reply` is called after the
    commit and may lose replies.
    """

    consumer: str
    source: str
    engine: AsyncEngine
    store: Store[S]
    decide: Decide[S]
    clock: Callable[[], datetime]
    committed: Callable[[], None]
    reply: Callable[[Sequence[Answer]], None]
    publishes_here: Callable[[], bool] = lambda: True
    archive: Callable[[AsyncConnection, Sequence[Fate[S]]], Awaitable[None]] = _archive_nothing
    repeated: Callable[[AsyncConnection, Sequence[Incoming]], Awaitable[None]] = _count_nothing
    unmatched: Callable[[Incoming], Task | None] = _no_match
    screen: Callable[[AsyncConnection, Sequence[Incoming]], Awaitable[list[Incoming]]] = _as_they_came
    deciding: Deciding = field(default_factory=Deciding)

    async def apply(self, batch: Sequence[Incoming], parkings: Sequence[Parking] = ()) -> None:
        """Applies a batch from Kafka. All of it commits, or none of it."""
        async with self.engine.begin() as connection:
            fresh, other_body = await inbox.claim(connection, self.consumer, batch)
            parkings = [*parkings, *(_repeated(i) for i in other_body)]
            await inbox.park(connection, self.consumer, parkings)
            replies = await self.within(connection, fresh)
            if len(fresh) < len(batch):
                known = {id(i) for i in (*fresh, *other_body)}
                await self.repeated(connection, [i for i in batch if id(i) not in known])
            passing(f"{self.source}.before_db_commit")
        passing(f"{self.source}.after_db_commit")
        self._count(len(batch), len(fresh), parkings)
        self.after_commit(replies)

    async def apply_result(self, result: Incoming) -> None:
        """Applies the result of a task and closes it, in one transaction."""
        await self.apply_results([result])

    async def apply_results(self, results: Sequence[Incoming]) -> None:
        """Applies the results of several tasks and closes them, all of it in one transaction."""
        async with self.engine.begin() as connection:
            replies = await self.within(connection, results)
            for result in results:
                passing(f"{self.source}.before_result_commit", type(result.message).__name__)
        for result in results:
            passing(f"{self.source}.after_result_commit", type(result.message).__name__)
        self.after_commit(replies)

    def after_commit(self, replies: Sequence[Answer]) -> None:
        self.committed()
        if replies:
            self.reply(replies)

    def _count(self, received: int, fresh: int, parkings: Sequence[Parking]) -> None:
        MESSAGES.labels(self.consumer, "applied").inc(fresh)
        MESSAGES.labels(self.consumer, "repeated").inc(received - fresh)
        for parking in parkings:
            PARKED.labels(self.consumer).inc()
            if parking.security:
                SECURITY.labels(self.consumer).inc()
            tell = log.critical if parking.security else log.error
            tell("parked", consumer=self.consumer, place=parking.record.place, reason=parking.reason)

    async def within(self, connection: AsyncConnection, fresh: Sequence[Incoming]) -> list[Answer]:
        """Decides and saves in the caller's transaction; gives the replies to send after its commit.

        Locks are taken in one order everywhere: inbox, idempotency keys, aggregates, tasks.
        """
        if not fresh:
            return []
        now = self.clock()
        fresh = await self.screen(connection, fresh)
        resolved = await self.store.resolve(connection, fresh)
        keyed = [(i, key) for i, key in zip(fresh, resolved, strict=True) if key is not None]
        nowhere = [(i, self.unmatched(i)) for i, k in zip(fresh, resolved, strict=True) if k is None]
        claims = await _claims(connection, keyed, now)
        before = await self.store.load(connection, sorted({key for _, key in keyed}))
        await answers.refresh(connection, claims)
        await task_rows.close(connection, [i.task_id for i in fresh if i.task_id is not None])
        after, decisions, fates = await self._decide_all(keyed, before, claims, now)
        if changed := {k: s for k, s in after.items() if s is not before[k]}:
            await self.store.save(connection, before, changed)
        await self._carry_out(connection, decisions, [search for _, search in nowhere if search])
        lost: list[Fate[S]] = [Fate(i) for i, _ in nowhere]
        await self.archive(connection, [*fates, *lost])
        nothing_done = [i for i, d in decisions if d.outcome == "ignored"]
        nothing_done += [i for i, search in nowhere if search is None]
        if ignored := [i.id for i in nothing_done if i.task_id is None]:
            await inbox.mark_ignored(connection, self.consumer, ignored)
        return [a for _, d in decisions for a in d.answers]

    async def _decide_all(
        self,
        keyed: Sequence[tuple[Incoming, str]],
        before: dict[str, S],
        claims: dict[tuple[str, str], Claim],
        now: datetime,
    ) -> tuple[dict[str, S], list[tuple[Incoming, Decision[S]]], list[Fate[S]]]:
        after = dict(before)
        decisions, fates = [], []
        spent, since = 0.0, time.perf_counter()
        for incoming, key in keyed:
            decision = _refused(after[key], incoming, key, claims, now)
            if decision is None:
                decision = self.decide(after[key], incoming, now)
                _remember(decision, incoming, claims)
            fates.append(Fate(incoming, key, after[key], decision.state))
            after[key] = decision.state
            decisions.append((incoming, decision))
            if (elapsed := time.perf_counter() - since) > BLOCKING_MAX_S:
                await asyncio.sleep(0)
                spent, since = spent + elapsed, time.perf_counter()
        self.deciding.seconds = spent + time.perf_counter() - since
        return after, decisions, fates

    async def _carry_out(
        self,
        connection: AsyncConnection,
        decisions: Sequence[tuple[Incoming, Decision[S]]],
        searches: Sequence[Task],
    ) -> None:
        rows = [self._row(incoming, out) for incoming, d in decisions for out in d.events]
        await outbox.append(connection, rows)
        dropped, added = _net(decisions)
        await task_rows.drop(connection, dropped)
        await task_rows.add(connection, [*added, *searches])
        await answers.store(connection, [a for _, d in decisions for a in d.answers])
        if rows and not self.publishes_here():
            await outbox.notify(connection)

    def _row(self, incoming: Incoming, out: Outgoing) -> outbox.OutboxRow:
        envelope = wrap(
            out.message,
            source=self.source,
            subject=out.key,
            time=out.time,
            id=new_id(),
            correlationid=incoming.envelope.correlationid,
            causationid=incoming.id,
            version=out.version,
        )
        return outbox.OutboxRow(out.topic, out.key, envelope.id, encode(envelope))


def _net(decisions: Sequence[tuple[Incoming, Decision[S]]]) -> tuple[list[str], list[Task]]:
    """(keys to drop, tasks to add): what one decision adds and a later one of the batch drops never was."""
    dropped: set[str] = set()
    added: dict[str, list[Task]] = {}
    for _, decision in decisions:
        for key in decision.dropped:
            dropped.add(key)
            added.pop(key, None)
        for task in decision.tasks:
            added.setdefault(task.key, []).append(task)
    return sorted(dropped), [task for tasks in added.values() for task in tasks]


def _key_of(incoming: Incoming) -> IdempotencyKey | None:
    return getattr(incoming.message, "idempotency", None)


def _expired(incoming: Incoming, now: datetime) -> bool:
    expires_at = incoming.envelope.expiresat
    return expires_at is not None and expires_at < now


async def _claims(
    connection: AsyncConnection, keyed: Sequence[tuple[Incoming, str]], now: datetime
) -> dict[tuple[str, str], Claim]:
    asked = [(k, key) for i, k in keyed if (key := _key_of(i)) is not None and not _expired(i, now)]
    return await answers.claim(connection, asked) if asked else {}


def _refused(
    state: S, incoming: Incoming, subject: str, claims: dict[tuple[str, str], Claim], now: datetime
) -> Decision[S] | None:
    """The decision on a command that no decider may see: expired, or a repetition of a known key."""
    waiting = incoming.envelope.correlationid
    if _expired(incoming, now):
        detail = "the command was too old when it arrived; nothing was done: send it again"
        return Decision(state, answers=(Answer(waiting, "expired", detail=detail),))
    key = _key_of(incoming)
    if key is None:
        return None
    answer = claims[key.principal, key.key].judge(waiting, subject, key)
    return Decision(state, answers=(answer,)) if answer else None


def _remember(decision: Decision[S], incoming: Incoming, claims: dict[tuple[str, str], Claim]) -> None:
    """Within a batch: a second message with the same key sees what the first one was answered."""
    key = _key_of(incoming)
    if key is None:
        return
    pair = (key.principal, key.key)
    stored = next((a for a in decision.answers if a.stored_under == pair), None)
    claim = replace(claims[pair], mine=False)
    if stored is not None:
        claim = replace(claim, code=stored.code, detail=stored.detail, answer=stored.answer)
    claims[pair] = claim


def _repeated(incoming: Incoming) -> Parking:
    if incoming.record is None:
        raise TypeError(f"{incoming.id} did not come from Kafka and cannot be parked")
    reason = f"security: id {incoming.id} was seen with another body before"
    return Parking(incoming.record, reason, fingerprint=incoming.fingerprint, security=True)
