"""Our side of the book in the database: orders, charges, provider orders, checkpoints."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.book import Charge, Checkpoint, OrderBook
from shared.inbox import Incoming
from shared.kafka import PAYMENTS_EVENTS
from shared.messages.payments import LedgerCheckpoint

BookState = OrderBook | Checkpoint

_CHECKPOINT = "checkpoint/"  # order ids have no slash


class BookStore:
    """The aggregates are orders, and one checkpoint per partition."""

    async def resolve(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - each message names its key
        batch: Sequence[Incoming],
    ) -> Sequence[str | None]:
        return [
            f"{_CHECKPOINT}{i.record.partition}"
            if isinstance(i.message, LedgerCheckpoint) and i.record is not None
            else i.envelope.subject
            for i in batch
        ]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, BookState]:
        partitions = [int(k.removeprefix(_CHECKPOINT)) for k in keys if k.startswith(_CHECKPOINT)]
        order_ids = [k for k in keys if not k.startswith(_CHECKPOINT)]
        found: dict[str, BookState] = {}
        if order_ids:
            await connection.execute(_NEW_ORDERS, {"ids": order_ids})
            for row in await connection.execute(_LOCK_ORDERS, {"ids": order_ids}):
                found[row.order_id] = OrderBook(row.order_id, row.version)
        if partitions:
            await connection.execute(_NEW_CHECKPOINTS, {"partitions": partitions})
            for row in await connection.execute(_LOCK_CHECKPOINTS, {"partitions": partitions}):
                found[f"{_CHECKPOINT}{row.partition}"] = Checkpoint(row.partition, row.until)
        return found

    async def save(
        self,
        connection: AsyncConnection,
        before: dict[str, BookState],  # noqa: ARG002 - what changed says all
        after: dict[str, BookState],
    ) -> None:
        orders = [s for s in after.values() if isinstance(s, OrderBook)]
        checkpoints = [s for s in after.values() if isinstance(s, Checkpoint)]
        if orders:
            versions = {"ids": [o.order_id for o in orders], "versions": [o.version for o in orders]}
            await connection.execute(_SAVE_ORDERS, versions)
            await _save_opened(connection, orders)
            await _save_charges(connection, orders)
        if checkpoints:
            moved = {
                "partitions": [c.partition for c in checkpoints],
                "untils": [c.until for c in checkpoints],
            }
            await connection.execute(_SAVE_CHECKPOINTS, moved)


async def _save_opened(connection: AsyncConnection, orders: Sequence[OrderBook]) -> None:
    opened = [(p.provider, p.account, p.provider_order_id, o.order_id) for o in orders for p in o.opened]
    if opened:
        providers, accounts, refs, ids = zip(*sorted(opened), strict=True)
        columns = {"providers": providers, "accounts": accounts, "refs": refs, "ids": ids}
        await connection.execute(_SAVE_OPENED, {k: list(v) for k, v in columns.items()})


async def _save_charges(connection: AsyncConnection, orders: Sequence[OrderBook]) -> None:
    # The last word on a charge wins inside a batch: one statement may touch a row only once.
    charges = {
        (c.provider, c.account, c.charge_id): asdict(c) | {"order_id": o.order_id}
        for o in orders
        for c in o.charges
    }
    if charges:
        rows = [charges[k] for k in sorted(charges)]
        columns = ("order_id", *Charge.__slots__)
        await connection.execute(_SAVE_CHARGES, {name: [r[name] for r in rows] for name in columns})


async def lowest_checkpoint(connection: AsyncConnection) -> datetime | None:
    """Up to when the book is complete over all partitions; None while a partition has said nothing."""
    row = (await connection.execute(_LOWEST)).one()
    return row.until if row.partitions == PAYMENTS_EVENTS.partitions else None


async def book_hash(connection: AsyncConnection) -> str:
    """A fingerprint of the whole book, the same whatever the order of its rows."""
    return str((await connection.execute(_HASH)).scalar_one())


async def empty(connection: AsyncConnection) -> None:
    """Locks writers out until the end of the transaction, and deletes the book. Readers see the old one."""
    await connection.execute(
        text("LOCK TABLE orders, charges, provider_orders, checkpoints IN EXCLUSIVE MODE")
    )
    for table in ("orders", "charges", "provider_orders", "checkpoints"):
        await connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names


_NEW_ORDERS = text("""
    INSERT INTO orders (order_id, version) SELECT unnest(CAST(:ids AS text[])), 0 ON CONFLICT DO NOTHING""")
_LOCK_ORDERS = text("""
    SELECT order_id, version FROM orders WHERE order_id = ANY(CAST(:ids AS text[]))
    ORDER BY order_id FOR NO KEY UPDATE""")
_SAVE_ORDERS = text("""
    UPDATE orders SET version = new.version
    FROM unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[])) AS new (order_id, version)
    WHERE orders.order_id = new.order_id AND orders.version <> new.version""")

_SAVE_OPENED = text("""
    INSERT INTO provider_orders (provider, account, provider_order_id, order_id)
    SELECT * FROM unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]), CAST(:refs AS text[]),
                         CAST(:ids AS text[]))
    ON CONFLICT DO NOTHING""")

_SAVE_CHARGES = text("""
    INSERT INTO charges (order_id, provider, account, charge_id, provider_order_id, state, amount, currency,
                         surplus, at)
    SELECT * FROM unnest(CAST(:order_id AS text[]), CAST(:provider AS text[]), CAST(:account AS text[]),
                         CAST(:charge_id AS text[]), CAST(:provider_order_id AS text[]),
                         CAST(:state AS text[]), CAST(:amount AS bigint[]), CAST(:currency AS text[]),
                         CAST(:surplus AS boolean[]), CAST(:at AS timestamptz[]))
    ON CONFLICT (provider, account, charge_id) DO UPDATE
    SET order_id = excluded.order_id, provider_order_id = excluded.provider_order_id, state = excluded.state,
        amount = excluded.amount, currency = excluded.currency, surplus = excluded.surplus,
        at = excluded.at""")

_NEW_CHECKPOINTS = text("""
    INSERT INTO checkpoints (partition) SELECT unnest(CAST(:partitions AS integer[]))
    ON CONFLICT DO NOTHING""")
_LOCK_CHECKPOINTS = text("""
    SELECT partition, until FROM checkpoints WHERE partition = ANY(CAST(:partitions AS integer[]))
    ORDER BY partition FOR NO KEY UPDATE""")
_SAVE_CHECKPOINTS = text("""
    UPDATE checkpoints SET until = new.until
    FROM unnest(CAST(:partitions AS integer[]), CAST(:untils AS timestamptz[])) AS new (partition, until)
    WHERE checkpoints.partition = new.partition""")
_LOWEST = text("""
    SELECT min(until) AS until, count(until) AS partitions FROM checkpoints""")

_HASH = text("""
    SELECT to_hex(('x' || substr(md5(string_agg(part, '|' ORDER BY part)), 1, 16))::bit(64)::bigint)
    FROM (SELECT 'o' || count(*) || ':' || coalesce(sum(hashtextextended(o::text, 0)), 0) FROM orders o
          UNION ALL
          SELECT 'c' || count(*) || ':' || coalesce(sum(hashtextextended(c::text, 0)), 0) FROM charges c
          UNION ALL
          SELECT 'p' || count(*) || ':' || coalesce(sum(hashtextextended(p::text, 0)), 0)
          FROM provider_orders p
          UNION ALL
          SELECT 't' || count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM checkpoints t
         ) AS parts (part)""")
