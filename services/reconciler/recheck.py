"""Compares one mismatch again soon after a repair was sent, so that it ends when the books agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reconciler.comparing import Comparer, incoming
from services.reconciler.domain.facts import DifferenceGone, Rechecked
from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.runs import Window
from services.reconciler.providers import Provider
from services.reconciler.store import mismatches, unnamed
from shared.apply import Applier
from shared.errors import PaystreamError
from shared.tasks import Answered, ClaimedTask, Later

log = structlog.get_logger()

PAUSES_S = (10.0, 60.0, 600.0, 3600.0)  # a look takes seconds; after an hour the next run is soon enough


@dataclass(frozen=True, slots=True)
class Rechecks:
    """The performer of `recheck` tasks. It ends mismatches and never opens one: only a run does."""

    engine: AsyncEngine
    providers: Mapping[str, Provider]
    comparer: Comparer
    mismatches: Applier[Mismatch]
    time_scale: float

    async def __call__(self, task: ClaimedTask) -> Answered | Later:
        if not task.first:
            try:
                await self._again(task.subject)
            except PaystreamError as error:
                log.warning("a mismatch could not be compared again", id=task.subject, error=str(error))
        async with self.engine.connect() as connection:
            known = await mismatches.one(connection, task.subject)
        if known is None or not known.open or task.claims > len(PAUSES_S):
            return Answered(Rechecked(mismatch_id=task.subject))
        return Later(PAUSES_S[task.claims - 1] / self.time_scale, "the repair is under way")

    async def _again(self, mismatch_id: str) -> None:
        async with self.engine.connect() as connection:
            known = await mismatches.one(connection, mismatch_id)
        provider = self.providers.get(known.provider) if known else None
        if known is None or not known.open or provider is None:
            return
        if provider.adapter.account != known.account:
            return
        epoch = datetime.fromtimestamp(0, UTC)
        async with self.engine.begin() as connection:
            await unnamed.name(connection, known.provider, known.account)
        window = Window(known.provider, known.account, epoch, epoch, number=0)
        part = await self.comparer.compare(window, provider, [(known.object, known.subject, True)], epoch)
        if mismatch_id not in part.gone:
            return
        async with self.engine.begin() as connection:
            gone = DifferenceGone(mismatch_id=mismatch_id)
            await self.mismatches.within(connection, [incoming(gone, mismatch_id)])
        self.mismatches.after_commit([])
