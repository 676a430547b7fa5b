"""What an alarm looks at: open mismatches, unexplained money and its age, and how far each leg is read."""

from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

OPEN = Gauge("paystream_mismatches_open", "Open mismatches", ["provider", "kind"])
UNEXPLAINED = Gauge(
    "paystream_unexplained_minor_units", "Money in open mismatches, minor units", ["provider", "currency"]
)
OLDEST = Gauge("paystream_unexplained_oldest_seconds", "Age of the oldest open mismatch", ["provider"])
READ = Gauge("paystream_reconciled_lag_seconds", "How long ago a leg's records end", ["provider", "leg"])
RUNNING = Gauge("paystream_runs_open", "Reconciliations under way", ["provider"])


async def measure(connection: AsyncConnection, now: datetime) -> None:
    """Reads all of them from the database: each instance shows the same, also after a restart.

    All are read before any is set: whoever scrapes meanwhile sees the numbers of before, not none.
    """
    mismatches = (await connection.execute(_MISMATCHES)).all()
    money = (await connection.execute(_MONEY)).all()
    ages = (await connection.execute(_AGES)).all()
    read = (await connection.execute(_READ)).all()
    running = (await connection.execute(_RUNNING)).all()
    for gauge in (OPEN, UNEXPLAINED, OLDEST, READ, RUNNING):
        gauge.clear()
    for row in mismatches:
        OPEN.labels(row.provider, row.kind).set(row.number)
    for row in money:
        UNEXPLAINED.labels(row.provider, row.currency).set(row.amount)
    for row in ages:
        OLDEST.labels(row.provider).set((now - row.oldest).total_seconds())
    for row in read:
        READ.labels(row.provider, row.leg).set((now - row.until).total_seconds())
    for row in running:
        RUNNING.labels(row.provider).set(row.number)


_MISMATCHES = text("SELECT provider, kind, count(*) AS number FROM mismatches WHERE open GROUP BY 1, 2")
_MONEY = text("SELECT provider, currency, sum(amount) AS amount FROM mismatches WHERE open GROUP BY 1, 2")
_AGES = text("SELECT provider, min(at) AS oldest FROM mismatches WHERE open GROUP BY 1")
_READ = text("SELECT provider, leg, until FROM watermarks")
_RUNNING = text("SELECT provider, count(*) AS number FROM runs WHERE open GROUP BY 1")
