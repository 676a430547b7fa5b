"""A run says how far it has come."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.store.runs import Progress
from shared import outbox
from shared.envelope import encode, now_utc
from shared.kafka import RECONCILER_EVENTS
from shared.messages.base import wrap
from shared.messages.reconciler import ReconciliationProgressed


async def announce(
    connection: AsyncConnection, run: Progress, phase: Literal["listing", "comparing"], leg: str = ""
) -> None:
    """Publishes the counts so far, with the transaction that moves the marks."""
    window = run.window
    event = ReconciliationProgressed(
        run_id=window.run_id,
        provider=window.provider,
        account=window.account,
        since=window.since,
        until=window.until,
        phase=phase,
        leg=leg,
        listed=run.listed,
        compared=run.compared,
    )
    envelope = wrap(event, source="reconciler", subject=window.run_id, time=now_utc())
    row = outbox.OutboxRow(RECONCILER_EVENTS.name, window.run_id, envelope.id, encode(envelope))
    await outbox.append(connection, [row])
    await outbox.notify(connection)
