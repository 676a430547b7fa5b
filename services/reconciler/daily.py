"""Asks for yesterday's run by itself, and for days again on which books still differ.

The request's id follows from the day, so several instances, or the same one after a restart, ask once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid5

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reconciler.domain.mismatches import NAMESPACE
from services.reconciler.domain.runs import begins, key_of
from services.reconciler.store.runs import forget_finished
from shared.envelope import Envelope, encode, now_utc
from shared.errors import OutcomeUnknown, Unavailable
from shared.kafka import RECONCILER_COMMANDS
from shared.messages.base import wrap
from shared.messages.reconciler import RunReconciliation
from shared.publish import Publisher

log = structlog.get_logger()


def request(provider: str, day: date, now: datetime, id: str | None = None) -> Envelope:
    """The command that asks for a run of this day."""
    command = RunReconciliation(provider=provider, day=day)
    return wrap(command, source="reconciler", subject=f"{provider}/{day.isoformat()}", time=now, id=id)


async def publish(publisher: Publisher, envelope: Envelope) -> None:
    await publisher.send(RECONCILER_COMMANDS, envelope.subject.encode(), encode(envelope))


@dataclass(frozen=True, slots=True)
class Daily:
    """Until cancelled: looks every `tick_s` whether a day is due, and tidies up after finished runs."""

    engine: AsyncEngine
    publisher: Publisher
    accounts: Mapping[str, str]
    tick_s: float
    settle_s: float
    days_back: int

    async def run(self) -> None:
        while True:
            try:
                await self.once(now_utc())
            except (DBAPIError, OSError, TimeoutError, Unavailable, OutcomeUnknown) as error:
                log.warning("days that are due will be asked for later", error=repr(error)[:200])
            await asyncio.sleep(self.tick_s)

    async def once(self, now: datetime) -> None:
        for provider, account in self.accounts.items():
            async with self.engine.connect() as connection:
                due = await self._due(connection, provider, account, now)
            for day, number in due:
                # The number makes the request of a repetition another one than that of the first run.
                id_ = uuid5(NAMESPACE, f"request/{key_of(provider, account, day)}/{number}")
                await publish(self.publisher, request(provider, day, now, str(id_)))
        async with self.engine.begin() as connection:
            await forget_finished(connection)

    async def _due(
        self, connection: AsyncConnection, provider: str, account: str, now: datetime
    ) -> list[tuple[date, int]]:
        """(day, runs before) of each settled day without a run, or with open mismatches and no run since
        midnight.
        """
        last = (now - timedelta(seconds=self.settle_s)).date() - timedelta(days=1)
        rows = await connection.execute(
            _DUE,
            {
                "provider": provider,
                "account": account,
                "first": last - timedelta(days=self.days_back - 1),
                "last": last,
                "midnight": begins(now.date()),
            },
        )
        return [(row.day, row.number) for row in rows]


_DUE = text("""
    WITH span AS (
        SELECT greatest(CAST(:first AS date),
                        least(CAST(:last AS date), CAST(min(at) AT TIME ZONE 'UTC' AS date))) AS begin
        FROM charges WHERE provider = :provider AND account = :account)
    SELECT s.day, coalesce(d.number, 0) AS number
    FROM (SELECT begin + n AS day FROM span, generate_series(0, CAST(:last AS date) - begin) n) s
    LEFT JOIN days d ON d.provider = :provider AND d.account = :account AND d.day = s.day
    WHERE coalesce(d.number, 0) = 0
       OR (NOT d.open AND d.completed_at < :midnight AND EXISTS (
           SELECT 1 FROM mismatches m WHERE m.provider = :provider AND m.account = :account
              AND m.day = s.day AND m.open))
    ORDER BY s.day""")
