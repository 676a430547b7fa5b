"""A lease row says which instance may do what only one may do. The database's clock decides."""

import asyncio
import secrets
import time

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import AWAY

log = structlog.get_logger()

LEASE_S = 5.0  # how long a dead owner blocks the others
RENEW_S = 1.0
MARGIN_S = 1.0  # we stop this much before the database would let another in

_TAKE = text("""
    INSERT INTO leases (name, owner, until)
    VALUES (:name, :owner, clock_timestamp() + make_interval(secs => :s))
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
    WHERE leases.owner = excluded.owner OR leases.until < clock_timestamp()
       OR starts_with(leases.owner, :heir_of)
    RETURNING owner""")

_RELEASE = text("DELETE FROM leases WHERE name = :name AND owner = :owner")


class Lease:
    """Held by at most one process at a time; `held` turns false before anyone else can get it.

    Not an advisory lock: a hung process would keep that for ever. `owner` names the instance; each
    process adds a token of its own, so two that carry one name by mistake cannot both hold it. A new
    process takes over from a dead one of its own name at once, at its first try only.
    """

    def __init__(self, engine: AsyncEngine, name: str, owner: str) -> None:
        self._engine = engine
        self.name = name
        self.owner = f"{owner}/{secrets.token_hex(4)}"
        self._heir_of: str | None = f"{owner}/"
        self._until = 0.0  # on the monotonic clock

    @property
    def held(self) -> bool:
        return time.monotonic() < self._until

    async def keep(self) -> None:
        """Takes the lease when it is free and renews it each second, until cancelled."""
        while True:
            try:
                await self.renew()
            except AWAY as error:
                log.warning("a lease could not be renewed", lease=self.name, error=repr(error)[:200])
            await asyncio.sleep(RENEW_S)

    async def renew(self) -> None:
        """One try to take or keep the lease."""
        asked_at = time.monotonic()
        wanted = {"name": self.name, "owner": self.owner, "s": LEASE_S, "heir_of": self._heir_of}
        async with asyncio.timeout(LEASE_S), self._engine.begin() as connection:
            mine = (await connection.execute(_TAKE, wanted)).scalar_one_or_none() is not None
        was = self.held
        self._heir_of = None
        self._until = asked_at + LEASE_S - MARGIN_S if mine else 0.0
        if mine != was:
            log.info("lease taken" if mine else "lease is with another", lease=self.name)

    async def lives(self, connection: AsyncConnection) -> bool:
        """Whether the database, too, sees this process as the owner, at this moment."""
        statement = text(
            "SELECT 1 FROM leases WHERE name = :name AND owner = :owner AND until > clock_timestamp()"
        )
        wanted = {"name": self.name, "owner": self.owner}
        return (await connection.execute(statement, wanted)).one_or_none() is not None

    async def release(self) -> None:
        """Lets another take over at once."""
        self._until = 0.0
        async with self._engine.begin() as connection:
            await connection.execute(_RELEASE, {"name": self.name, "owner": self.owner})
