"""Compares some subjects on all legs and says what is to be recorded; asks the provider before believing.

A list is a moment older than our book, and what stands in it near midnight may be filed under the
neighbouring day with us: a difference is believed only of the provider's own record, asked for by its id.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reconciler.domain.facts import DifferenceFound, DifferenceGone
from services.reconciler.domain.items import Item, Theirs
from services.reconciler.domain.matching import Difference, Tally, compare, tallied
from services.reconciler.domain.mismatches import mismatch_id
from services.reconciler.domain.runs import Window
from services.reconciler.domain.settling import Terms
from services.reconciler.providers import Provider
from services.reconciler.store import legs, mismatches, records
from services.reconciler.store.legs import Subject
from shared.envelope import now_utc
from shared.errors import Unavailable
from shared.inbox import Incoming
from shared.messages.base import Message, wrap

ASKED_MAX = 100  # things asked for by id in one part
ASKED_AT_ONCE = 4  # providers limit how often they are asked
OWN_WORD = frozenset({"fee", "unsettled"})  # the settlement alone says these: nothing to ask for


@dataclass(slots=True)
class Waited:
    """Seconds that a process has waited for providers."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Compared:
    """The first `count` subjects: their differences, and the mismatches that were no longer seen."""

    count: int
    tally: Tally
    differences: Sequence[Difference]
    gone: Sequence[str]


@dataclass(frozen=True, slots=True)
class Comparer:
    """Reads three legs, asks where they differ, judges."""

    engine: AsyncEngine
    waited: Waited = field(default_factory=Waited)

    async def compare(
        self,
        window: Window,
        provider: Provider,
        subjects: Sequence[Subject],
        since: datetime,
        ends_at: float = float("inf"),
    ) -> Compared:
        """Some from the front; they are in the order of their ids. Not all when many have to be asked for, or
        the provider is still being asked at `ends_at` (monotonic). `since`: from there on all was listed.
        """
        async with self.engine.connect() as connection:
            read = await records.watermarks(connection, window.provider, window.account)
            terms = provider.terms(read.get("lines"))
            judged, suspects = _part(await legs.items(connection, window, subjects, since), terms)
        answers = await self.asked(provider, suspects, ends_at)
        if len(answers) < len(suspects):
            unasked = suspects[len(answers)]
            judged = judged[: [item for item, _ in judged].index(unasked)]
        async with self.engine.begin() as connection:
            standing = await mismatches.standing(
                connection, window.provider, window.account, [item.key for item, _ in judged]
            )
            fresh = {i.key: await legs.with_answer(connection, window, i, a) for i, a in answers}
        judged = [
            (again, compare(again, terms)) if (again := fresh.get(item.key)) else (item, differences)
            for item, differences in judged
        ]
        tally, differences = tallied(judged)
        found = {id_of(window, d) for d in differences}
        unjudged = {i.key for i, _ in judged if standing and _may_be_late(i, terms)}
        return Compared(
            count=len(judged),
            tally=tally,
            differences=differences,
            gone=[
                s.mismatch_id
                for s in standing
                if s.mismatch_id not in found and (s.kind != "unsettled" or s.key not in unjudged)
            ],
        )

    async def asked(
        self, provider: Provider, suspects: Sequence[Item], ends_at: float
    ) -> list[tuple[Item, Theirs | None]]:
        """The provider's own record of each, in their order; of fewer when the time is over or the provider
        stops answering, but of some: what a slow one said is kept, or nobody would ever be through.
        """
        answers: list[tuple[Item, Theirs | None]] = []
        began = time.monotonic()
        try:
            while len(answers) < len(suspects) and not (answers and time.monotonic() >= ends_at):
                some = suspects[len(answers) : len(answers) + ASKED_AT_ONCE]
                answers += zip(some, await asyncio.gather(*map(provider.record, some)), strict=True)
        except Unavailable:
            if not answers:
                raise
        finally:
            self.waited.seconds += time.monotonic() - began
        return answers


def suspect(item: Item, differences: Sequence[Difference]) -> bool:
    """Whether the provider is to be asked for this very thing before a difference is believed.

    What it has just listed and we have never heard of is believed as it is.
    """
    if item.ours is None and item.theirs is not None:
        return False
    return any(d.kind not in OWN_WORD for d in differences)


def _may_be_late(item: Item, terms: Terms) -> bool:
    """Whether no settlement paid it out and, with a gap in what was read, nobody can say if that is late."""
    known = item.ours or item.theirs
    if known is None or known.at is None or (item.settled is not None and item.settled.paid_out):
        return False
    return terms.settles and not terms.overdue(known.at)


Judged = tuple[Item, list[Difference]]


def _part(items: Sequence[Item], terms: Terms) -> tuple[list[Judged], list[Item]]:
    """As many items, from the front, as hold no more suspects than are asked for at once; and those."""
    judged: list[Judged] = []
    suspects: list[Item] = []
    for item in items:
        differences = compare(item, terms)
        if suspect(item, differences):
            if len(suspects) == ASKED_MAX:
                break
            suspects.append(item)
        judged.append((item, differences))
    return judged, suspects


def id_of(window: Window, difference: Difference) -> str:
    return mismatch_id(window.provider, window.account, difference.kind, difference.subject)


def incoming(message: Message, subject: str, task_id: int | None = None) -> Incoming:
    """A result of our own work on its way to a decider; it never travels over Kafka."""
    envelope = wrap(message, source="reconciler", subject=subject, time=now_utc())
    return Incoming(envelope.id, envelope, message, b"", None, task_id)


def recorded(window: Window, part: Compared) -> list[Incoming]:
    """What the mismatches are to be told of this part."""
    found = [_found(window, d) for d in part.differences]
    return found + [incoming(DifferenceGone(mismatch_id=i), i) for i in part.gone]


def _found(window: Window, difference: Difference) -> Incoming:
    id_ = id_of(window, difference)
    fact = DifferenceFound(
        mismatch_id=id_,
        run_id=window.run_id,
        provider=window.provider,
        account=window.account,
        difference=difference,
    )
    return incoming(fact, id_)
