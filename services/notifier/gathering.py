"""Results of tasks that end at about the same time share one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shared.database import caused_by_message
from shared.inbox import Incoming

BATCH_MAX = 50  # as many as can be under way; a transaction of so many takes some tens of milliseconds

Waiting = list[tuple[Incoming, asyncio.Future[None]]]


class Gatherer:
    """Applies results together; each teller waits for its own, and hears of its own failure.

    Nothing is delayed for it: while one transaction runs, the results that come meanwhile are the next one.
    """

    def __init__(self, apply: Callable[[Sequence[Incoming]], Awaitable[None]]) -> None:
        self._apply = apply
        self._waiting: Waiting = []
        self._applying: asyncio.Task[None] | None = None

    async def __call__(self, result: Incoming) -> None:
        """Returns when the result is committed; raises what kept it from that."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((result, told))
        if self._applying is None:
            self._applying = asyncio.create_task(self._apply_all())
        await told

    async def _apply_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                await self._apply_batch(batch)
        finally:
            self._applying = None

    async def _apply_batch(self, batch: Waiting) -> None:
        try:
            await self._apply([result for result, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever told it decides what it means
            if len(batch) > 1 and caused_by_message(error):
                for one in batch:  # one of them is to blame: alone it fails alone
                    await self._apply_batch([one])
                return
            for _, told in batch:
                if not told.done():
                    told.set_exception(error)
            return
        for _, told in batch:
            if not told.done():
                told.set_result(None)
