"""Carries out a run: lists the provider's day, compares it with the book, records what differs.

Nothing here is lost by a death in the middle: the list is kept part by part with a mark, and the
comparison records each part's differences, its tally and its mark in one transaction. Whoever claims the
task next goes on from there; doing a part twice gives the same rows.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reconciler.domain.facts import DayCompared, DifferenceFound, DifferenceGone
from services.reconciler.domain.matching import Difference, Entry, Pair, compare, match
from services.reconciler.domain.mismatches import Mismatch, mismatch_id
from services.reconciler.domain.runs import begins, ends
from services.reconciler.store import mismatches, runs
from services.reconciler.store.book import lowest_checkpoint
from services.reconciler.store.runs import Progress
from shared.apply import Applier
from shared.envelope import now_utc
from shared.errors import NotFound, PaystreamError, Unavailable
from shared.failpoints import passing
from shared.inbox import Incoming
from shared.messages.base import Message, wrap
from shared.messages.facts import ChargeFact
from shared.providers.base import Adapter
from shared.tasks import Answered, ClaimedTask, Later

log = structlog.get_logger()

SLICE_MIN_S = 60  # providers count in whole seconds; a minute with more than a turn's payments is no shop's
KEEP_MAX = 5_000  # rows per statement
PAIRS_MAX = 10_000  # per transaction; about 5 MB
ASKED_MAX = 100  # payments asked for by id in one part: seconds, not minutes
ASKED_AT_ONCE = 4
GONE_MAX = 500


class TurnOver(Exception):
    """The turn's time is used up; what is done is kept."""


@dataclass(frozen=True, slots=True)
class ProviderDays:
    """The performer of `reconcile` tasks. It reads at the provider and never writes there.

    A turn takes `turn_s` and then hands the rest of the day to the next: a lease must not run out on it.
    """

    engine: AsyncEngine
    adapters: Mapping[str, Adapter]
    mismatches: Applier[Mismatch]
    turn_s: float
    retry_s: float
    checkpoint_s: float

    async def __call__(self, task: ClaimedTask) -> Answered | Later:
        turn_ends = time.monotonic() + self.turn_s
        try:
            return await self._turn(task, turn_ends)
        except TurnOver:
            return Later(0.0, "the day is long; the rest follows")
        except Unavailable as error:
            return Later(max(self.retry_s, error.retry_after_s), str(error))
        except PaystreamError as error:
            log.warning("a day cannot be compared", task=task.subject, error=str(error))
            return Later(self.retry_s, str(error))

    async def _turn(self, task: ClaimedTask, turn_ends: float) -> Answered | Later:
        day = begins_of(task.subject)
        async with self.engine.connect() as connection:
            run = await runs.progress(connection, task.subject, day)
            complete_until = await lowest_checkpoint(connection)
        if run is None:
            raise Unavailable("run-taken-over", f"there is no open run of {task.subject} any more")
        if complete_until is None or complete_until < ends(run.day.day):
            return Later(self.checkpoint_s, f"the book is complete up to {complete_until} only")
        adapter = self.adapters.get(run.day.provider)
        if adapter is None or adapter.account != run.day.account:
            return Later(self.retry_s, f"{run.day.provider} is not configured with account {run.day.account}")
        run = await self._list(run, adapter, turn_ends)
        run = await self._compare(run, adapter, turn_ends)
        await self._settle(run)
        return Answered(_completed(run))

    # --- the provider's list ----------------------------------------------------------------------------

    async def _list(self, run: Progress, adapter: Adapter, turn_ends: float) -> Progress:
        end = ends(run.day.day)
        while run.listed_until < end:
            until = min(end, run.listed_until + timedelta(seconds=run.slice_s))
            started = time.monotonic()
            try:
                async with asyncio.timeout(turn_ends - started):
                    facts = [f async for f in adapter.list_charges(run.listed_until, until)]
            except TimeoutError:
                await self._shorten(run)
                raise TurnOver from None
            quick = time.monotonic() - started < self.turn_s / 8
            run = await self._keep(run, facts, until, run.slice_s * 2 if quick else run.slice_s)
            passing("reconciler.part_listed")
        return run

    async def _keep(
        self, run: Progress, facts: Sequence[ChargeFact], until: datetime, slice_s: int
    ) -> Progress:
        for start in range(0, len(facts), KEEP_MAX):
            async with self.engine.begin() as connection:
                await runs.keep_listed(connection, run, facts[start : start + KEEP_MAX])
        async with self.engine.begin() as connection:
            return await runs.listed(connection, run, until, min(slice_s, 86_400))

    async def _shorten(self, run: Progress) -> None:
        async with self.engine.begin() as connection:
            await runs.shorten(connection, run, max(SLICE_MIN_S, run.slice_s // 4))

    # --- the comparison ---------------------------------------------------------------------------------

    async def _compare(self, run: Progress, adapter: Adapter, turn_ends: float) -> Progress:
        while True:
            async with self.engine.connect() as connection:
                pairs = await runs.next_pairs(connection, run, PAIRS_MAX)
            if not pairs:
                return run
            pairs = await self._asked(_part(pairs), adapter)
            tally, differences = match(pairs)
            async with self.engine.begin() as connection:
                run = await runs.compared(connection, run, pairs[-1].charge_id, tally)
                found = [_found(run, d) for d in differences]
                await self.mismatches.within(connection, found)
            self.mismatches.after_commit([])
            passing("reconciler.part_compared")
            if time.monotonic() > turn_ends:
                raise TurnOver

    async def _asked(self, pairs: Sequence[Pair], adapter: Adapter) -> list[Pair]:
        """The pairs, with every suspect's own record instead of the list's line.

        A list is older than our book, and a charge may have been made on another day than we think.
        """
        slots = asyncio.Semaphore(ASKED_AT_ONCE)

        async def ask(pair: Pair) -> Pair:
            async with slots:
                return replace(pair, theirs=await _record(adapter, pair.charge_id))

        suspects = [p for p in pairs if suspect(p)]
        answers = {p.charge_id: p for p in await asyncio.gather(*map(ask, suspects))}
        return [answers.get(p.charge_id, p) for p in pairs]

    async def _settle(self, run: Progress) -> None:
        """Resolves the day's mismatches that this run did not see again."""
        while True:
            async with self.engine.begin() as connection:
                ids = await mismatches.unseen(connection, run.day, GONE_MAX)
                gone = [incoming(DifferenceGone(mismatch_id=i), i) for i in ids]
                await self.mismatches.within(connection, gone)
            self.mismatches.after_commit([])
            if not ids:
                return


def suspect(pair: Pair) -> bool:
    """Whether the provider is to be asked for this very charge before a difference is believed."""
    return pair.ours is not None and bool(compare(pair))


def begins_of(key: str) -> datetime:
    """The first instant of the day in a run's key."""
    return begins(datetime.fromisoformat(key.rpartition("/")[2]).date())


def incoming(message: Message, subject: str, task_id: int | None = None) -> Incoming:
    """A result of our own work on its way to a decider; it never travels over Kafka."""
    envelope = wrap(message, source="reconciler", subject=subject, time=now_utc())
    return Incoming(envelope.id, envelope, message, b"", None, task_id)


def result_applier(
    apply_result: Callable[[Incoming], Awaitable[None]],
) -> Callable[[ClaimedTask, Message], Awaitable[None]]:
    """What the task runner calls with a task's result."""

    async def apply(task: ClaimedTask, message: Message) -> None:
        await apply_result(incoming(message, task.subject, task.id))

    return apply


def _part(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """As many pairs, from the front, as hold no more suspects than are asked for at once."""
    seen = 0
    for n, pair in enumerate(pairs):
        seen += suspect(pair)
        if seen > ASKED_MAX:
            return pairs[:n]
    return pairs


async def _record(adapter: Adapter, charge_id: str) -> Entry | None:
    """The provider's own record of a charge; None when it says that there is none."""
    try:
        fact = await adapter.read_charge(charge_id)
    except NotFound:
        return None
    return Entry(fact.state, fact.amount, fact.currency)


def _found(run: Progress, difference: Difference) -> Incoming:
    day = run.day
    id_ = mismatch_id(day.provider, day.account, difference.kind, difference.subject)
    fact = DifferenceFound(
        mismatch_id=id_,
        run_id=day.run_id,
        provider=day.provider,
        account=day.account,
        day=day.day,
        kind=difference.kind,
        subject=difference.subject,
        order_id=difference.order_id,
        legs=difference.legs,
    )
    return incoming(fact, id_)


def _completed(run: Progress) -> DayCompared:
    return DayCompared(
        provider=run.day.provider,
        account=run.day.account,
        day=run.day.day,
        number=run.day.number,
        ours=run.tally.ours,
        theirs=run.tally.theirs,
        agreed=run.tally.agreed,
        mismatches=run.tally.mismatches,
    )
