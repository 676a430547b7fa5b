"""Our side of the book in the database: orders, charges, provider orders, checkpoints."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.book import Charge, Checkpoint, Dispute, OrderBook, Refund
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
                found[row.order_id] = OrderBook(*row)
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
            await connection.execute(
                _SAVE_ORDERS, {name: [getattr(o, name) for o in orders] for name in _ORDER}
            )
            await _save_opened(connection, orders)
            for records, statement in (
                (_charges, _SAVE_CHARGES),
                (_refunds, _SAVE_REFUNDS),
                (_disputes, _SAVE_DISPUTES),
            ):
                await _save_records(connection, statement, records(orders))
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


Row = dict[str, object]


def _charges(orders: Sequence[OrderBook]) -> dict[tuple[str, ...], Row]:
    return {(c.provider, c.account, c.charge_id): _row(c, o) for o in orders for c in o.charges}


def _refunds(orders: Sequence[OrderBook]) -> dict[tuple[str, ...], Row]:
    return {(r.provider, r.account, r.refund_id): _row(r, o) for o in orders for r in o.refunds}


def _disputes(orders: Sequence[OrderBook]) -> dict[tuple[str, ...], Row]:
    return {(d.provider, d.account, d.dispute_id): _row(d, o) for o in orders for d in o.disputes}


def _row(record: Charge | Refund | Dispute, order: OrderBook) -> Row:
    return asdict(record) | {"order_id": order.order_id}


async def _save_records(
    connection: AsyncConnection, statement: TextClause, rows: dict[tuple[str, ...], Row]
) -> None:
    """One statement may touch a row only once: the last word on a record wins inside a batch."""
    if rows:
        ordered = [rows[key] for key in sorted(rows)]
        await connection.execute(statement, {name: [r[name] for r in ordered] for name in ordered[0]})


async def lowest_checkpoint(connection: AsyncConnection) -> datetime | None:
    """Up to when the book is complete over all partitions; None while a partition has said nothing."""
    row = (await connection.execute(_LOWEST)).one()
    return row.until if row.partitions == PAYMENTS_EVENTS.partitions else None


async def book_hash(connection: AsyncConnection) -> str:
    """A fingerprint of the whole book, the same whatever the order of its rows."""
    return str((await connection.execute(_HASH)).scalar_one())


async def empty(connection: AsyncConnection) -> None:
    """Locks writers out until the end of the transaction, and deletes the book. Readers see the old one."""
    await connection.execute(text(f"LOCK TABLE {', '.join(_TABLES)} IN EXCLUSIVE MODE"))
    for table in _TABLES:
        await connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names


async def has_shape(connection: AsyncConnection) -> bool:
    """Whether all that this release keeps is in the book; else it has to be rebuilt from the topic."""
    return bool(
        (await connection.execute(text("SELECT shape >= :shape FROM book"), {"shape": SHAPE})).scalar()
    )


async def now_has_shape(connection: AsyncConnection) -> None:
    await connection.execute(text("UPDATE book SET shape = :shape"), {"shape": SHAPE})


SHAPE = 2  # of what a book holds: refunds and disputes since 2
_TABLES = ("orders", "charges", "refunds", "disputes", "provider_orders", "checkpoints")
_ORDER = ("order_id", "version", "amount", "currency", "paid", "closed")

_NEW_ORDERS = text("""
    INSERT INTO orders (order_id, version) SELECT unnest(CAST(:ids AS text[])), 0 ON CONFLICT DO NOTHING""")
_LOCK_ORDERS = text("""
    SELECT order_id, version, amount, currency, paid, closed FROM orders
    WHERE order_id = ANY(CAST(:ids AS text[])) ORDER BY order_id FOR NO KEY UPDATE""")
_SAVE_ORDERS = text("""
    UPDATE orders o SET version = n.version, amount = n.amount, currency = n.currency, paid = n.paid,
                        closed = n.closed
    FROM unnest(CAST(:order_id AS text[]), CAST(:version AS bigint[]), CAST(:amount AS bigint[]),
                CAST(:currency AS text[]), CAST(:paid AS boolean[]), CAST(:closed AS boolean[]))
         AS n (order_id, version, amount, currency, paid, closed)
    WHERE o.order_id = n.order_id AND o.version <> n.version""")

_SAVE_OPENED = text("""
    INSERT INTO provider_orders (provider, account, provider_order_id, order_id)
    SELECT * FROM unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]), CAST(:refs AS text[]),
                         CAST(:ids AS text[]))
    ON CONFLICT DO NOTHING""")

_SAVE_CHARGES = text("""
    INSERT INTO charges (order_id, provider, account, charge_id, provider_order_id, state, amount, currency,
                         surplus, at, returned, marked_by)
    SELECT * FROM unnest(CAST(:order_id AS text[]), CAST(:provider AS text[]), CAST(:account AS text[]),
                         CAST(:charge_id AS text[]), CAST(:provider_order_id AS text[]),
                         CAST(:state AS text[]), CAST(:amount AS bigint[]), CAST(:currency AS text[]),
                         CAST(:surplus AS boolean[]), CAST(:at AS timestamptz[]),
                         CAST(:returned AS bigint[]), CAST(:marked_by AS text[]))
    ON CONFLICT (provider, account, charge_id) DO UPDATE
    SET order_id = excluded.order_id, provider_order_id = excluded.provider_order_id, state = excluded.state,
        amount = excluded.amount, currency = excluded.currency, surplus = excluded.surplus,
        at = excluded.at, returned = excluded.returned, marked_by = excluded.marked_by""")

_SAVE_REFUNDS = text("""
    INSERT INTO refunds (order_id, provider, account, refund_id, subject, charge_id, provider_order_id, state,
                         amount, currency, at)
    SELECT * FROM unnest(CAST(:order_id AS text[]), CAST(:provider AS text[]), CAST(:account AS text[]),
                         CAST(:refund_id AS text[]), CAST(:subject AS text[]), CAST(:charge_id AS text[]),
                         CAST(:provider_order_id AS text[]), CAST(:state AS text[]),
                         CAST(:amount AS bigint[]), CAST(:currency AS text[]), CAST(:at AS timestamptz[]))
    ON CONFLICT (provider, account, refund_id) DO UPDATE
    SET order_id = excluded.order_id, subject = excluded.subject, charge_id = excluded.charge_id,
        provider_order_id = excluded.provider_order_id, state = excluded.state, amount = excluded.amount,
        currency = excluded.currency, at = excluded.at""")

_SAVE_DISPUTES = text("""
    INSERT INTO disputes (order_id, provider, account, dispute_id, charge_id, provider_order_id, state, money,
                          amount, currency, at)
    SELECT * FROM unnest(CAST(:order_id AS text[]), CAST(:provider AS text[]), CAST(:account AS text[]),
                         CAST(:dispute_id AS text[]), CAST(:charge_id AS text[]),
                         CAST(:provider_order_id AS text[]), CAST(:state AS text[]), CAST(:money AS text[]),
                         CAST(:amount AS bigint[]), CAST(:currency AS text[]), CAST(:at AS timestamptz[]))
    ON CONFLICT (provider, account, dispute_id) DO UPDATE
    SET order_id = excluded.order_id, charge_id = excluded.charge_id,
        provider_order_id = excluded.provider_order_id, state = excluded.state, money = excluded.money,
        amount = excluded.amount, currency = excluded.currency, at = excluded.at""")

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

_PARTS = " UNION ALL ".join(
    f"SELECT '{t}' || count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {t} t"  # noqa: S608 - our own names
    for t in _TABLES
)
_HASH = text(f"""
    SELECT to_hex(('x' || substr(md5(string_agg(part, '|' ORDER BY part)), 1, 16))::bit(64)::bigint)
    FROM ({_PARTS}) AS parts (part)""")  # noqa: S608 - our own names
