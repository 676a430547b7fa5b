"""What is due later: rows carry their own `due_at`, so a restart forgets no appointment."""

import asyncio
import heapq
import logging
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger, Row, Table

log = logging.getLogger(__name__)


R = TypeVar("R", bound=Row)


class Agenda:
    """Calls a table's action at the time a row asks for, and again only if the row asks again."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, str, str, str]] = []
        self._order = count()
        self._due: dict[tuple[str, str], Callable[[str], float | None]] = {}
        self._actions: dict[tuple[str, str], Callable[[str], None]] = {}
        self._scans: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        ledger.on_write(self._on_write)

    def watch(
        self,
        table: Table[R],
        due_at: Callable[[R], float | None],
        action: Callable[[str], None],
    ) -> None:
        """Runs `action(row id)` whenever a row's `due_at` has come."""
        key = (table.provider, table.kind)

        def due(row_id: str) -> float | None:
            row = table.get(row_id)
            return None if row is None else due_at(row)

        def scan() -> None:
            for row in table:
                self._plan(key, row.id)

        self._due[key] = due
        self._actions[key] = action
        self._scans.append(scan)

    async def run(self) -> None:
        """Serves appointments until cancelled; those missed while down come first."""
        for scan in self._scans:
            scan()
        while True:
            self._changed.clear()
            wait_s = self._run_due()
            try:
                await asyncio.wait_for(self._changed.wait(), wait_s)
            except TimeoutError:
                continue

    def clock_moved(self) -> None:
        """What was far off may be due now."""
        self._changed.set()

    def _on_write(self, entry: Entry) -> None:
        for provider, kind, row in entry.changes:
            self._plan((provider, kind), row.id)

    def _plan(self, key: tuple[str, str], row_id: str) -> None:
        due = self._due.get(key)
        at = None if due is None else due(row_id)
        if at is not None:
            heapq.heappush(self._heap, (at, next(self._order), *key, row_id))
            self._changed.set()

    def _run_due(self) -> float | None:
        """Runs all that is due; the seconds until the next appointment, None if there is none."""
        while self._heap:
            at, _, provider, kind, row_id = self._heap[0]
            wait_s = at - self._clock.now()
            if wait_s > 0:
                return wait_s
            heapq.heappop(self._heap)
            if self._due[provider, kind](row_id) != at:
                continue  # the row has moved on and made another appointment, or none
            try:
                self._actions[provider, kind](row_id)
            except Exception:
                log.exception("%s %s %s: what was due could not be done", provider, kind, row_id)
        return None
