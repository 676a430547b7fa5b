"""Reads of the projection: one payment, or all that changed since a cursor."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.gateway.views import HistoryEntry, RefundDetails, refund_details
from shared.database import AWAY
from shared.errors import Rejected, Unavailable
from shared.messages.payments import PaymentSnapshot

HISTORY_MAX = 200  # lines; the newest ones
RESTORED_AT_ONCE = 10_000
PART = 5_000  # rows of the list of changes that one statement looks at: some milliseconds
SEARCH_S = 1.0  # for the first row that is new enough, in one call
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

# The inner names are those of the table: ordered by the number that is told, no index could be used. Which
# rows are old is asked of a part of the list only: a table of years is never read whole for a page.
_CHANGED = text("""
    SELECT order_id, CAST(snapshot AS text) AS snapshot,
           CAST(CAST(changed_by AS text) AS bigint) AS transaction
    FROM (SELECT * FROM payments
          WHERE (changed_by, order_id) > (CAST(CAST(:after AS text) AS xid8), :order_id)
            AND changed_by < CAST(CAST(:horizon AS text) AS xid8)
          ORDER BY changed_by, order_id LIMIT :span) part
    WHERE updated_at >= :since
    ORDER BY part.changed_by, part.order_id LIMIT :limit""")

_END_OF_PART = text("""
    SELECT CAST(CAST(changed_by AS text) AS bigint) AS transaction, order_id FROM payments
    WHERE (changed_by, order_id) > (CAST(CAST(:after AS text) AS xid8), :order_id)
      AND changed_by < CAST(CAST(:horizon AS text) AS xid8)
    ORDER BY changed_by, order_id OFFSET CAST(:span AS integer) - 1 LIMIT 1""")

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
        Where all is older than what was asked for it goes on for a moment; then the page may be empty.
        """
        go_on_until = time.monotonic() + SEARCH_S
        async with self._reading() as connection:
            horizon: int = (await connection.execute(_HORIZON)).scalar_one()
            if after.transaction > horizon:
                raise Rejected("cursor-invalid", "this cursor is of another database")
            while True:
                part = {
                    "after": str(after.transaction),
                    "order_id": after.order_id,
                    "horizon": str(horizon),
                    "span": PART,
                }
                wanted = {**part, "since": after.since, "limit": limit + 1}
                rows = (await connection.execute(_CHANGED, wanted)).all()
                payments = [_snapshot.decode(row.snapshot) for row in rows[:limit]]
                if len(rows) > limit:
                    last = rows[limit - 1]
                    return Page(payments, Cursor(last.transaction, last.order_id, after.since), more=True)
                end = (await connection.execute(_END_OF_PART, part)).one_or_none()
                if end is None:
                    return Page(payments, Cursor(horizon, "", after.since), more=False)
                after = Cursor(end.transaction, end.order_id, after.since)
                if payments or time.monotonic() > go_on_until:
                    return Page(payments, after, more=True)

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
        except AWAY as error:
            raise Unavailable("database-unavailable", retry_after_s=1.0) from error
