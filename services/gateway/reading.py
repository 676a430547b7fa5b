"""Reads of the projection: one payment, or all that changed since a cursor."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.gateway.views import HistoryEntry, RefundDetails, refund_details
from shared.errors import Rejected, Unavailable
from shared.messages.payments import PaymentSnapshot

HISTORY_MAX = 200  # lines; the newest ones
RESTORED_AT_ONCE = 10_000
READ_S = 2.0  # a read takes 1 ms; a database that is silent for this long is away

_snapshot = msgspec.json.Decoder(PaymentSnapshot)
_history = msgspec.json.Decoder(list[HistoryEntry])

_SNAPSHOT = text("SELECT CAST(snapshot AS text) FROM payments WHERE order_id = :id")

_STORY = text("""
    SELECT CAST(p.snapshot AS text) AS snapshot, (
        SELECT CAST(coalesce(json_agg(line ORDER BY version), '[]') AS text) FROM (
            SELECT version, event, status, detail, at FROM payment_history h WHERE h.order_id = p.order_id
            ORDER BY version DESC LIMIT :limit) line) AS history
    FROM payments p WHERE p.order_id = :id""")

_REFUNDED = text("""
    SELECT CAST(p.snapshot AS text) FROM refunds r JOIN payments p USING (order_id)
    WHERE r.refund_id = :id""")

_HORIZON = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")

_CHANGED = text("""
    SELECT order_id, CAST(snapshot AS text) AS snapshot,
           CAST(CAST(changed_by AS text) AS bigint) AS changed_by FROM payments
    WHERE (changed_by, order_id) > (CAST(CAST(:after AS text) AS xid8), :order_id)
      AND changed_by < CAST(CAST(:horizon AS text) AS xid8) AND updated_at >= :since
    ORDER BY changed_by, order_id LIMIT :limit""")

_RESTORED = text("""
    UPDATE payments SET changed_by = pg_current_xact_id() WHERE order_id IN (
        SELECT order_id FROM payments WHERE changed_by > pg_current_xact_id() LIMIT :limit)""")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to here was read: by transaction, then by order; and the filter it began with."""

    transaction: int
    order_id: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Page:
    payments: Sequence[PaymentSnapshot]
    cursor: Cursor
    more: bool


class Payments:
    """The read side. Raises Unavailable `database-unavailable` when the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one round trip a read

    async def snapshot(self, order_id: str) -> PaymentSnapshot | None:
        async with self._reading() as connection:
            row = (await connection.execute(_SNAPSHOT, {"id": order_id})).scalar_one_or_none()
        return _snapshot.decode(row) if row is not None else None

    async def story(self, order_id: str) -> tuple[PaymentSnapshot, list[HistoryEntry]] | None:
        """The payment and what led to it, oldest first, at most the newest HISTORY_MAX lines."""
        async with self._reading() as connection:
            found = await connection.execute(_STORY, {"id": order_id, "limit": HISTORY_MAX})
            row = found.one_or_none()
        return (_snapshot.decode(row.snapshot), _history.decode(row.history)) if row is not None else None

    async def refund(self, refund_id: str) -> RefundDetails | None:
        """One refund by our own id, as the newest snapshot of its order has it."""
        async with self._reading() as connection:
            row = (await connection.execute(_REFUNDED, {"id": refund_id})).scalar_one_or_none()
        if row is None:
            return None
        payment = _snapshot.decode(row)
        found = (r for r in payment.refunds if r.refund_id == refund_id)
        return next((refund_details(payment.order_id, r) for r in found), None)

    async def changed(self, after: Cursor, limit: int) -> Page:
        """The next changes, each order at its newest, in an order in which none can be missed.

        It stops before the oldest transaction still open: what that one changed may not be visible yet.
        """
        async with self._reading() as connection:
            horizon: int = (await connection.execute(_HORIZON)).scalar_one()
            if after.transaction > horizon:
                raise Rejected("cursor-invalid", "this cursor is of another database")
            parameters = {
                "after": str(after.transaction),
                "order_id": after.order_id,
                "horizon": str(horizon),
                "since": after.since,
                "limit": limit + 1,
            }
            rows = (await connection.execute(_CHANGED, parameters)).all()
        page, more = rows[:limit], len(rows) > limit
        cursor = Cursor(page[-1].changed_by, page[-1].order_id, after.since) if more else None
        return Page(
            [_snapshot.decode(row.snapshot) for row in page],
            cursor or Cursor(horizon, "", after.since),
            more,
        )

    async def repair_after_restore(self) -> None:
        """Rows of a restored dump carry transactions of another server: they become changes of now."""
        repaired = RESTORED_AT_ONCE
        while repaired == RESTORED_AT_ONCE:
            async with self._engine.connect() as connection:
                repaired = (await connection.execute(_RESTORED, {"limit": RESTORED_AT_ONCE})).rowcount

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with asyncio.timeout(READ_S), self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            raise Unavailable("database-unavailable", retry_after_s=1.0) from error
