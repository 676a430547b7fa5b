"""Says up to when `payments.events` is complete, so that a reader of the ledger knows when to compare."""

import asyncio
from datetime import UTC, datetime

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import AWAY
from shared.envelope import encode
from shared.errors import OutcomeUnknown, Unavailable
from shared.kafka import PAYMENTS_EVENTS
from shared.leases import Lease
from shared.messages.base import wrap
from shared.messages.payments import LedgerCheckpoint
from shared.publish import Publisher

log = structlog.get_logger()

SETTLED_S = 40.0  # longer than transaction_timeout: what began before this has committed or never will
TRANSACTION_S = 30.0  # transaction_timeout: what drew a later position may have begun so much earlier

_OLDEST_PENDING = text("""
    SELECT least(clock_timestamp() - make_interval(secs => :settled_s),
                 (SELECT o.created_at - make_interval(secs => :transaction_s)
                  FROM outbox_pending p JOIN outbox o USING (position)
                  ORDER BY p.position LIMIT 1))""")


class Checkpoints:
    """Sends `LedgerCheckpoint` to every partition, from the instance that runs the relay.

    Sent after the relay's own messages were acknowledged, so every event of before `until` stands
    earlier in its partition.
    """

    def __init__(self, engine: AsyncEngine, publisher: Publisher, lease: Lease, every_s: float) -> None:
        self._engine = engine
        self._publisher = publisher
        self._lease = lease
        self._every_s = every_s

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            if not self._lease.held:
                continue
            try:
                await self.send(await self.complete_until())
            except (OutcomeUnknown, Unavailable, *AWAY) as error:
                log.warning("no checkpoint this time", error=repr(error)[:200])

    async def complete_until(self) -> datetime:
        """Everything committed before this is in Kafka."""
        async with self._engine.connect() as connection:
            wanted = {"settled_s": SETTLED_S, "transaction_s": TRANSACTION_S}
            result = await connection.execute(_OLDEST_PENDING, wanted)
            until: datetime = result.scalar_one()
        return until.astimezone(UTC)

    async def send(self, until: datetime) -> None:
        """One message to each partition; its subject is the partition's number."""
        sends = []
        for partition in range(PAYMENTS_EVENTS.partitions):
            message = LedgerCheckpoint(until=until)
            envelope = wrap(message, source="payments", subject=str(partition), time=until)
            key = str(partition).encode()
            sends.append(self._publisher.post(PAYMENTS_EVENTS, partition, key, encode(envelope)))
        await asyncio.gather(*sends)
