"""Asks for yesterday's run by itself, and for days again on which books still differ, up to a month back.

The request's id follows from the day, so several instances, or the same one after a restart, ask once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid5

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reconciler import metrics
from services.reconciler.domain.mismatches import NAMESPACE
from services.reconciler.domain.runs import begins, ends, key_of
from services.reconciler.providers import Provider
from services.reconciler.store.runs import forget_finished
from shared.database import AWAY
from shared.envelope import Envelope, encode, now_utc
from shared.errors import OutcomeUnknown, Unavailable
from shared.kafka import RECONCILER_COMMANDS
from shared.messages.base import wrap
from shared.messages.reconciler import RunReconciliation
from shared.publish import Publisher

log = structlog.get_logger()

# A late payout closes what stands about a day of weeks ago, and only that day's run reads its lines again.
# What still differs after so long waits for a person, and for the runs that they ask for.
AGAIN = timedelta(days=31)


def request(command: RunReconciliation, now: datetime, id: str | None = None) -> Envelope:
    """The command that asks for a run, in its envelope."""
    since = (command.since or begins(command.day)).isoformat()
    return wrap(command, source="reconciler", subject=f"{command.provider}/{since}", time=now, id=id)


async def publish(publisher: Publisher, envelope: Envelope) -> None:
    await publisher.send(RECONCILER_COMMANDS, envelope.subject.encode(), encode(envelope))


@dataclass(frozen=True, slots=True)
class Daily:
    """Until cancelled: looks every `tick_s` whether a day is due, and tidies up after finished runs."""

    engine: AsyncEngine
    publisher: Publisher
    providers: Mapping[str, Provider]
    tick_s: float
    settle_s: float
    days_back: int

    async def run(self) -> None:
        while True:
            try:
                await self.once(now_utc())
            except (*AWAY, Unavailable, OutcomeUnknown) as error:
                log.warning("days that are due will be asked for later", error=repr(error)[:200])
            await asyncio.sleep(self.tick_s)

    async def once(self, now: datetime) -> None:
        for name, provider in self.providers.items():
            account = provider.adapter.account
            settled = now - timedelta(seconds=max(self.settle_s, provider.lag_s))
            async with self.engine.connect() as connection:
                due = await self.due(connection, name, account, settled, now)
            for day, number in due:
                # The number makes the request of a repetition another one than that of the first run.
                key = key_of(name, account, begins(day), ends(day))
                command = RunReconciliation(provider=name, day=day)
                id_ = uuid5(NAMESPACE, f"request/{key}/{number}")
                await publish(self.publisher, request(command, now, str(id_)))
        async with self.engine.begin() as connection:
            await forget_finished(connection)
        async with self.engine.connect() as connection:
            await metrics.measure(connection, now)

    async def due(
        self, connection: AsyncConnection, provider: str, account: str, settled: datetime, now: datetime
    ) -> list[tuple[date, int]]:
        """(day, runs before) of each settled day without a run, or with open mismatches and no run since
        midnight.
        """
        last = settled.date() - timedelta(days=1)
        rows = await connection.execute(
            _DUE,
            {
                "provider": provider,
                "account": account,
                "first": last - timedelta(days=self.days_back - 1),
                "last": last,
                "again": last - AGAIN,
                "midnight": begins(now.date()),
            },
        )
        return [(row.day, row.number) for row in rows]


# What was before our first charge is not ours: asked for, all of it would be missing here.
_DUE = text("""
    WITH span AS (
        SELECT greatest(CAST(:first AS date), ours) AS begin, greatest(CAST(:again AS date), ours) AS again
        FROM (SELECT least(CAST(:last AS date), CAST(min(at) AT TIME ZONE 'UTC' AS date)) AS ours
              FROM charges WHERE provider = :provider AND account = :account) earliest)
    SELECT s.day, coalesce(r.number, 0) AS number
    FROM (SELECT begin + n AS day FROM span, generate_series(0, CAST(:last AS date) - begin) n
          UNION SELECT day FROM mismatches, span
          WHERE provider = :provider AND account = :account AND open AND day BETWEEN again AND :last) s
    LEFT JOIN runs r ON r.provider = :provider AND r.account = :account
                    AND r.since = CAST(s.day AS timestamp) AT TIME ZONE 'UTC'
                    AND r.until = CAST(s.day + 1 AS timestamp) AT TIME ZONE 'UTC'
    WHERE coalesce(r.number, 0) = 0
       OR (NOT r.open AND (r.completed_at IS NULL
           OR (r.completed_at < :midnight AND EXISTS (
               SELECT 1 FROM mismatches m WHERE m.provider = :provider AND m.account = :account
                  AND m.day = s.day AND m.open))))
    ORDER BY s.day""")
