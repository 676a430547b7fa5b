"""Rate limits that hold across workers and instances: one upsert per request, decided by PostgreSQL.

The generic cell rate algorithm: `due_at` is when the bucket is empty again; a request moves it on by one
interval and is refused when that would be more than a minute away. So a full minute's worth may come at
once, then evenly.
"""

import asyncio
import time

import structlog
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.gateway.settings import LimitSettings
from shared.database import AWAY
from shared.errors import Unavailable

log = structlog.get_logger()

LIMITED = Counter("gateway_rate_limited", "Requests refused by a limit", ["kind"])
UNLIMITED = Counter("gateway_limiter_open", "Requests let through because the limiter had no database")

WINDOW_S = 60.0
FORGOTTEN_AT_ONCE = 10_000
AWAY_S = 1.0  # after a failure the database is not asked again for this long

# Sorted, so that two requests with the same buckets lock them in the same order.
_TAKE = text("""
    INSERT INTO rate_limits AS r (bucket, due_at)
    SELECT bucket, now() + make_interval(secs => step_s)
    FROM unnest(CAST(:buckets AS text[]), CAST(:steps AS double precision[])) AS asked (bucket, step_s)
    ORDER BY bucket
    ON CONFLICT (bucket) DO UPDATE
    SET due_at = greatest(r.due_at, clock_timestamp()) + (excluded.due_at - now())
    WHERE greatest(r.due_at, clock_timestamp()) + (excluded.due_at - now())
          <= clock_timestamp() + make_interval(secs => :window_s)
    RETURNING bucket""")

_FORGET = text("""
    DELETE FROM rate_limits WHERE ctid IN (
        SELECT ctid FROM rate_limits WHERE due_at < clock_timestamp() LIMIT :limit)""")


class Limits:
    """Counts requests per bucket `kind:name`. Without its database it lets checkouts through, and says so."""

    def __init__(self, engine: AsyncEngine, settings: LimitSettings) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one round trip
        self._timeout_s = settings.timeout_s
        self._per_minute = {
            "client": settings.client_per_minute,
            "order": settings.order_per_minute,
            "key": settings.key_per_minute,
        }
        self._away_until = 0.0

    async def take(self, *buckets: str) -> None:
        """Counts this request in each bucket; Unavailable `rate-limited` when one is full."""
        wanted = sorted(b for b in buckets if self._per_minute[_kind(b)])
        if not wanted:
            return
        if time.monotonic() < self._away_until:
            UNLIMITED.inc()
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                taken = await self._take(wanted)
        except AWAY as error:
            self._away_until = time.monotonic() + AWAY_S
            UNLIMITED.inc()
            log.warning("requests are not limited: no database", error=repr(error)[:200])
            return
        for bucket in wanted:
            if bucket not in taken:
                kind = _kind(bucket)
                LIMITED.labels(kind).inc()
                wait_s = WINDOW_S / self._per_minute[kind]
                raise Unavailable("rate-limited", f"too many requests of this {kind}", retry_after_s=wait_s)

    async def _take(self, buckets: list[str]) -> set[str]:
        steps = [WINDOW_S / self._per_minute[_kind(b)] for b in buckets]
        parameters = {"buckets": buckets, "steps": steps, "window_s": WINDOW_S}
        async with self._engine.connect() as connection:
            return set((await connection.execute(_TAKE, parameters)).scalars())

    async def clean(self) -> None:
        """Forgets empty buckets, for ever, each minute."""
        while True:
            await asyncio.sleep(WINDOW_S)
            try:
                await self.forget()
            except AWAY as error:
                log.warning("old rate limits were not deleted", error=repr(error)[:200])

    async def forget(self) -> None:
        """Deletes every bucket that is empty, a part at a time: each buyer of the last minute left two."""
        gone = FORGOTTEN_AT_ONCE
        while gone == FORGOTTEN_AT_ONCE:
            async with self._engine.connect() as connection:
                gone = (await connection.execute(_FORGET, {"limit": FORGOTTEN_AT_ONCE})).rowcount


def _kind(bucket: str) -> str:
    return bucket.partition(":")[0]
