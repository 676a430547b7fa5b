"""A lease row says which instance may do what only one may do. The database's clock decides."""

import asyncio
import time

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger()

LEASE_S = 5.0  # how long a dead owner blocks the others
RENEW_S = 1.0
MARGIN_S = 1.0  # we stop this much before the database would let another in


class Lease:
    """Held by at most one owner at a time; `held` turns false before anyone else can get it.

    Not an advisory lock: a hung process would keep that for ever.
    """

    def __init__(self, engine: AsyncEngine, name: str, owner: str) -> None:
        self._engine = engine
        self.name = name
        self.owner = owner
        self._until = 0.0  # on the monotonic clock

    @property
    def held(self) -> bool:
        return time.monotonic() < self._until

    async def keep(self) -> None:
        """Takes the lease when it is free and renews it each second, until cancelled."""
        while True:
            try:
                await self._renew()
            except (DBAPIError, OSError, TimeoutError) as error:
                log.warning("a lease could not be renewed", lease=self.name, error=repr(error)[:200])
            await asyncio.sleep(RENEW_S)

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        async with asyncio.timeout(LEASE_S), self._engine.begin() as connection:
            result = await connection.execute(
                text("""
                    INSERT INTO leases (name, owner, until)
                    VALUES (:name, :owner, clock_timestamp() + make_interval(secs => :s))
                    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
                    WHERE leases.owner = excluded.owner OR leases.until < clock_timestamp()
                    RETURNING owner"""),
                {"name": self.name, "owner": self.owner, "s": LEASE_S},
            )
            mine = result.scalar_one_or_none() is not None
        was = self.held
        self._until = asked_at + LEASE_S - MARGIN_S if mine else 0.0
        if mine != was:
            log.info("lease taken" if mine else "lease is with another", lease=self.name)

    async def release(self) -> None:
        """Lets another take over at once."""
        self._until = 0.0
        async with self._engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM leases WHERE name = :name AND owner = :owner"),
                {"name": self.name, "owner": self.owner},
            )
