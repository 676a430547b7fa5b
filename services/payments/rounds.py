"""What this service looks after once a minute: what is at risk, who was heard, room and retention."""

import asyncio
import time

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.payments import risk
from services.payments.erasure import Erasure
from services.payments.heard import Heard
from shared.database import AWAY
from shared.envelope import now_utc
from shared.leases import Lease

log = structlog.get_logger()

EVERY_S = 60.0
DAILY_S = 24 * 3600.0
DAYS_AHEAD = 7  # partitions of webhooks: a week without this service costs nothing


class Rounds:
    """Runs in every instance; what counts or writes for all of them runs where the relay leads."""

    def __init__(self, engine: AsyncEngine, lease: Lease, heard: Heard, erasure: Erasure | None) -> None:
        self._engine = engine
        self._lease = lease
        self._heard = heard
        self._erasure = erasure
        self._daily_at: float | None = None

    async def run(self) -> None:
        while True:
            try:
                await self.once()
            except AWAY as error:
                log.warning("a round was left out", error=repr(error)[:200])
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        """One round; the day's work when it is due."""
        async with self._engine.begin() as connection:
            await self._heard.share(connection)
        if not self._lease.held:
            risk.show({})  # the leader shows it: a sum over the instances counts it once
            return
        async with self._engine.connect() as connection:
            found = await risk.cases(connection)
        risk.show(risk.grouped(found, now_utc()))
        if self._daily_at is None or time.monotonic() - self._daily_at > DAILY_S:
            async with self._engine.begin() as connection:
                await connection.execute(text("SELECT make_event_partitions(:days)"), {"days": DAYS_AHEAD})
            if self._erasure is None:
                log.warning("raw webhooks are kept: DATABASE__ERASER_URL is not set")
            else:
                await self._erasure.run_once()
            self._daily_at = time.monotonic()
