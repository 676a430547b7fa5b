"""Carries out a run: lists the provider's window, takes in ours, compares, records what differs.

Nothing here is lost by a death in the middle: lists are kept page by page with a mark after each part, and
the comparison records each part's differences, its tally and its mark in one transaction. Whoever claims
the task next goes on from there; doing a part twice gives the same rows.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reconciler.comparing import Comparer, recorded
from services.reconciler.domain.facts import WindowCompared
from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.steps import Step, steps
from services.reconciler.progress import announce
from services.reconciler.providers import Provider
from services.reconciler.store import book, figures, legs, records, runs
from services.reconciler.store.plain import next_part
from services.reconciler.store.records import Fact
from services.reconciler.store.runs import Progress
from shared.apply import Applier
from shared.envelope import now_utc
from shared.errors import PaystreamError, Unavailable
from shared.failpoints import passing
from shared.messages.facts import SettlementLine
from shared.messages.reconciler import Figures
from shared.tasks import Answered, ClaimedTask, Later

log = structlog.get_logger()

SLICE_MIN_S = 60  # providers count in whole seconds; a minute with more than a turn's payments is no shop's
SLICE_MAX_S = 86_400
# Rows per statement, about 15 MB: a page of an index takes several of them at once, and is written once.
KEEP_MAX = 20_000
COMPARE_MAX = 5_000  # subjects per transaction
ANNOUNCE_EVERY = 100_000  # compared records


# A page need not be on disk yet: the mark behind it is, and then all before it is too.
_SOON_DURABLE = text("SET LOCAL synchronous_commit = off")


class TurnOver(Exception):
    """The turn's time is used up; what is done is kept."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The performer of `reconcile` tasks. It reads at the provider and never writes there.

    A turn takes `turn_s` and then hands the rest of the window to the next: a lease must not run out on it.
    """

    engine: AsyncEngine
    providers: Mapping[str, Provider]
    comparer: Comparer
    mismatches: Applier[Mismatch]
    turn_s: float
    retry_s: float
    checkpoint_s: float

    async def __call__(self, task: ClaimedTask) -> Answered | Later:
        turn_ends = time.monotonic() + self.turn_s
        try:
            return await self._turn(task, turn_ends)
        except TurnOver:
            return Later(0.0, "the window is long; the rest follows")
        except Unavailable as error:
            return Later(max(self.retry_s, error.retry_after_s), str(error))
        except PaystreamError as error:
            log.warning("a window cannot be compared", task=task.subject, error=str(error))
            return Later(self.retry_s, str(error))

    async def _turn(self, task: ClaimedTask, turn_ends: float) -> Answered | Later:
        async with self.engine.connect() as connection:
            run = await runs.progress(connection, task.subject)
            complete_until = await book.lowest_checkpoint(connection)
            has_shape = await book.has_shape(connection)
        if run is None:
            raise Unavailable("run-taken-over", f"there is no open run of {task.subject} any more")
        if not has_shape:
            return Later(self.checkpoint_s, "the book is from an older release: run `rebuild` once")
        window = run.window
        if complete_until is None or complete_until < window.until:
            return Later(self.checkpoint_s, f"the book is complete up to {complete_until} only")
        provider = self.providers.get(window.provider)
        if provider is None or provider.adapter.account != window.account:
            return Later(self.retry_s, f"{window.provider} is not configured with account {window.account}")
        early_s = (window.until + timedelta(seconds=provider.lag_s) - now_utc()).total_seconds()
        if provider.lag_s and early_s > 0:
            return Later(early_s, "the provider's lists are complete only later")
        run = await self._gather(run, provider, turn_ends)
        run = await self._compare(run, provider, turn_ends)
        money = await figures.of_window(self.engine, window, provider.plan.settles)
        return Answered(_completed(run, provider.zone, tuple(money)))

    # --- both sides' records of the window ----------------------------------------------------------------

    async def _gather(self, run: Progress, provider: Provider, turn_ends: float) -> Progress:
        plan = steps(run.window.since, run.window.until, provider.plan)
        while run.step < len(plan):
            step = plan[run.step]
            if step.what == "list":
                run = await self._list(run, step, provider, turn_ends)
            else:
                run = await self._take(run, step, turn_ends)
        if not run.gathered:
            async with self.engine.begin() as connection:
                await legs.take_standing(connection, run, plan[0].since)
                run = await runs.moved(connection, run, replace(run, gathered=True))
        return run

    async def _list(self, run: Progress, step: Step, provider: Provider, turn_ends: float) -> Progress:
        since, slice_s = run.done_until or step.since, run.slice_s or step.slice_s
        until = min(step.until, since + timedelta(seconds=slice_s))
        began = time.monotonic()
        pages = provider.listing(step.leg, since, until)
        try:
            listed = await self._read(run, pages, turn_ends)
        except TimeoutError:
            if time.monotonic() - began < self.turn_s / 2:
                raise TurnOver from None  # it only began late: the next turn begins with it
            if slice_s <= SLICE_MIN_S:
                words = f"{slice_s} s of {step.leg} take longer than a turn: raise RECONCILER_LEASE_S"
                raise Unavailable("part-too-long", words) from None
            async with self.engine.begin() as connection:
                await runs.shorten(connection, run, max(SLICE_MIN_S, slice_s // 4))
            raise TurnOver from None
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()
        provider.check_reported(until)
        quick = time.monotonic() - began < self.turn_s / 8
        longer = min(slice_s * 2, SLICE_MAX_S) if quick else slice_s
        to = replace(run, done_until=until, slice_s=longer, listed=run.listed + listed)
        async with self.engine.begin() as connection:
            if until == step.until:
                to = replace(to, step=run.step + 1, done_until=None, slice_s=None)
                await records.has_read(connection, run.window, step.leg, step.since, step.until)
                await announce(connection, to, "listing", step.leg)
            run = await runs.moved(connection, run, to)
        self.mismatches.after_commit([])
        passing("reconciler.part_listed")
        return run

    async def _read(
        self, run: Progress, pages: AsyncIterator[Fact | SettlementLine], turn_ends: float
    ) -> int:
        """Keeps all pages of a part, never holding more than some. TimeoutError when the turn is over."""
        listed = 0
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(turn_ends - began):
                    some = await _next(pages, KEEP_MAX)
            finally:
                self.comparer.waited.seconds += time.monotonic() - began
            if not some:
                return listed
            async with self.engine.begin() as connection:
                await connection.execute(_SOON_DURABLE)
                await _keep(connection, run, some)
            listed += len(some)
            passing("reconciler.page_kept")

    async def _take(self, run: Progress, step: Step, turn_ends: float) -> Progress:
        while True:
            async with self.engine.begin() as connection:
                until = await legs.take_ours(connection, run, step, run.done_until or step.since)
                to = replace(run, done_until=until)
                if until >= step.until:
                    to = replace(to, step=run.step + 1, done_until=None, slice_s=None)
                run = await runs.moved(connection, run, to)
            if until >= step.until:
                return run
            if time.monotonic() > turn_ends:
                raise TurnOver

    # --- the comparison -----------------------------------------------------------------------------------

    async def _compare(self, run: Progress, provider: Provider, turn_ends: float) -> Progress:
        since = steps(run.window.since, run.window.until, provider.plan)[0].since
        while True:
            async with self.engine.connect() as connection:
                settles = provider.plan.settles
                whole = await next_part(connection, run, since, COMPARE_MAX, settles=settles)
            if whole is None:
                return run
            judged = await self.comparer.compare(run.window, provider, whole.rest, since, turn_ends)
            part = whole.cut(judged.count)
            to = replace(
                run,
                after=part.last,
                compared=run.compared + part.count,
                tally=run.tally.plus(part.plain).plus(judged.tally),
            )
            async with self.engine.begin() as connection:
                moved = await runs.moved(connection, run, to)
                await self.mismatches.within(connection, recorded(run.window, judged))
                if run.compared // ANNOUNCE_EVERY != to.compared // ANNOUNCE_EVERY:
                    await announce(connection, to, "comparing")
            run = moved
            self.mismatches.after_commit([])
            passing("reconciler.part_compared")
            if time.monotonic() > turn_ends:
                raise TurnOver


async def _next(pages: AsyncIterator[Fact | SettlementLine], limit: int) -> list[Fact | SettlementLine]:
    some: list[Fact | SettlementLine] = []
    async for fact in pages:
        some.append(fact)
        if len(some) == limit:
            break
    return some


async def _keep(connection: AsyncConnection, run: Progress, some: Sequence[Fact | SettlementLine]) -> None:
    lines = [x for x in some if isinstance(x, SettlementLine)]
    facts = [x for x in some if not isinstance(x, SettlementLine)]
    await records.keep_lines(connection, run, lines)
    await records.keep_records(connection, run, facts)


def _completed(run: Progress, zone: str, money: tuple[Figures, ...]) -> WindowCompared:
    window, tally = run.window, run.tally
    return WindowCompared(
        provider=window.provider,
        account=window.account,
        since=window.since,
        until=window.until,
        number=window.number,
        zone=zone,
        ours=tally.ours,
        theirs=tally.theirs,
        settled=tally.settled,
        agreed=tally.agreed,
        mismatches=tally.mismatches,
        figures=money,
    )
