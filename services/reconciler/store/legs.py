"""Takes in what is to be compared, and reads the three legs of each."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.items import RELEASE, Item, Line, Object, Order, Ours, Theirs
from services.reconciler.domain.merging import merged
from services.reconciler.domain.runs import Window
from services.reconciler.domain.steps import Step
from services.reconciler.store import records, unnamed
from services.reconciler.store.columns import column, unnested
from services.reconciler.store.runs import Progress

Subject = tuple[Object, str, bool]  # and whether the provider listed it in this run

TAKE_MAX = 20_000  # of our records per transaction: far below a second


async def take_ours(connection: AsyncConnection, run: Progress, step: Step, since: datetime) -> datetime:
    """Makes subjects of our records from `since` on, some at a time; up to when they are taken."""
    table, id_, pays = _TABLES[step.leg]
    window = {
        "provider": run.window.provider,
        "account": run.window.account,
        "run": run.serial,
        "since": since,
        "until": step.until,
        "some": TAKE_MAX,
    }
    until = (await connection.execute(_NEXT[table], window)).scalar() or step.until
    waiting = f"AND {pays} AND NOT EXISTS ({_PAID_OUT})" if step.unsettled else ""
    statement = f"""
        INSERT INTO run_subjects (run, subject, object, listed)
        SELECT :run, o.{id_}, :object, false FROM {table} o
        WHERE o.provider = :provider AND o.account = :account AND o.at >= :since AND o.at < :until
              {waiting.format(id=id_)}
        ORDER BY o.{id_} ON CONFLICT DO NOTHING"""  # noqa: S608 - our own names
    await connection.execute(text(statement), window | {"until": until, "object": _OBJECTS[step.leg]})
    return until


async def take_standing(connection: AsyncConnection, run: Progress, since: datetime) -> None:
    """Makes subjects of everything in the run's time that a mismatch stands about.

    Before, lines of what nobody had told us of find what is known by now.
    """
    window = run.window
    wanted = {
        "run": run.serial,
        "provider": window.provider,
        "account": window.account,
        "since": since,
        "until": window.until,
    }
    await unnamed.name(connection, window.provider, window.account)
    await connection.execute(_TAKE_STANDING, wanted)


async def items(
    connection: AsyncConnection, window: Window, subjects: Sequence[Subject], since: datetime
) -> list[Item]:
    """The subjects with what each leg says, in the order of their ids.

    The provider listed all from `since` to the window's end: a record of that time which this run did not
    list is no longer there.
    """
    found: list[Item] = []
    for object_ in sorted({s[0] for s in subjects}):
        these = [s for s in subjects if s[0] == object_]
        found += await _items(connection, window, object_, these, since)
    return sorted(found, key=_place)


async def _items(
    connection: AsyncConnection, window: Window, object_: Object, subjects: Sequence[Subject], since: datetime
) -> list[Item]:
    asked: dict[str, object] = {
        "provider": window.provider,
        "account": window.account,
        "object": object_,
        "ids": column([s[1] for s in subjects]),
        "listed": column(["t" if s[2] else "f" for s in subjects]),
        "since": since,
        "until": window.until,
    }
    ours = [Ours(object_, *row) for row in await connection.execute(_OURS[object_], asked)]
    theirs = [Theirs(object_, *row) for row in await connection.execute(_THEIRS, asked)]
    lines = [Line(object_, *row) for row in await connection.execute(_LINES, asked)]
    for stream in (ours, theirs, lines):
        stream.sort(key=_id)
    have = {o.id for o in ours}
    named = await _with_orders(connection, window, [t for t in theirs if t.id not in have])
    found = merged(ours, (named.get(t.id, t) for t in theirs), lines)
    by_id = {i.id: i for i in await _with_orders_behind(connection, window, list(found))}
    empty = (Item(object_, s[1], None, None, None) for s in subjects if s[1] not in by_id)
    return [*by_id.values(), *empty]


async def _with_orders(
    connection: AsyncConnection, window: Window, theirs: Sequence[Theirs]
) -> dict[str, Theirs]:
    """Records of the provider that we lack, with the order of ours that they belong to, if any."""
    if not theirs:
        return {}
    asked = {
        "provider": window.provider,
        "account": window.account,
        "orders": [t.provider_order_id for t in theirs],
        "charges": [t.charge_id for t in theirs],
    }
    by_order = {r.ref: r for r in await connection.execute(_ORDERS, asked)}
    by_charge = {r.ref: r for r in await connection.execute(_ORDERS_OF_CHARGES, asked)}
    found = {}
    for record in theirs:
        charge = by_charge.get(record.charge_id)
        order = by_order.get(record.provider_order_id) or charge
        if order is not None:
            lets_go = record.object == "refund" and charge is not None and charge.state != "captured"
            found[record.id] = replace(
                record,
                state=RELEASE if lets_go else record.state,
                order_id=order.order_id,
                closed=order.closed,
                paid=order.paid,
                provider_order_id=record.provider_order_id or order.provider_order_id,
            )
    return found


async def _with_orders_behind(
    connection: AsyncConnection, window: Window, items: Sequence[Item]
) -> list[Item]:
    """The items; of those that only a settlement tells of, with the order of the charge it names, if any."""
    charges = [i.settled.charge_id for i in items if i.settled and not i.ours and not i.theirs]
    if not charges:
        return list(items)
    asked = {"provider": window.provider, "account": window.account, "charges": charges}
    orders = {
        r.ref: Order(r.order_id, r.closed, r.paid)
        for r in await connection.execute(_ORDERS_OF_CHARGES, asked)
    }
    return [
        i if i.ours or i.theirs or not i.settled else replace(i, behind=orders.get(i.settled.charge_id))
        for i in items
    ]


async def with_answer(connection: AsyncConnection, window: Window, item: Item, answer: Theirs | None) -> Item:
    """The item with the provider's own answer instead of what a list said; kept like a listed record."""
    if answer is None:
        await records.remove(connection, window, [item.key])
        return replace(item, theirs=None)
    await records.put(connection, window, [answer])
    if item.ours is None:
        answer = (await _with_orders(connection, window, [answer])).get(answer.id, answer)
    return replace(item, theirs=answer)


def _id(record: Ours | Theirs | Line) -> str:
    return record.id


def _place(item: Item) -> tuple[str, str]:
    return item.id, item.object


_OBJECTS: dict[str, Object] = {"charges": "charge", "refunds": "refund", "disputes": "dispute"}
_TABLES = {
    "charges": ("charges", "charge_id", "o.state = 'captured'"),
    "refunds": ("refunds", "subject", "o.state = 'succeeded'"),
    "disputes": ("disputes", "dispute_id", "o.money = 'withdrawn'"),
}
_PAID_OUT = """
    SELECT 1 FROM settlement_lines l WHERE l.provider = :provider AND l.account = :account
       AND l.object = :object AND l.subject = o.{id} AND l.settlement_id <> ''"""
_NEXT = {
    table: text(f"""
        SELECT at FROM {table}
        WHERE provider = :provider AND account = :account AND at > :since AND at < :until
        ORDER BY at OFFSET :some LIMIT 1""")  # noqa: S608 - our own names
    for table, _, _ in _TABLES.values()
}
_TAKE_STANDING: TextClause = text("""
    INSERT INTO run_subjects (run, subject, object, listed)
    SELECT DISTINCT CAST(:run AS integer), subject, object, false FROM mismatches
    WHERE provider = :provider AND account = :account AND open AND at >= :since AND at < :until
    ON CONFLICT DO NOTHING""")
# OFFSET 0 keeps each look-up by its key: of a table that has just been filled the planner knows nothing,
# and would read all of it.
_IDS = f"{unnested(ids='text')} AS s (id)"
_OURS = {
    # What its order asks for matters only to a charge that does not simply pay it.
    "charge": text(f"""
        SELECT c.charge_id, c.order_id, c.charge_id, c.provider_order_id, c.state, c.amount, c.currency, c.at,
               'none', c.surplus, c.returned, coalesce(o.amount, 0), coalesce(o.currency, ''),
               coalesce(o.closed, false), coalesce(o.paid, true)
        FROM {_IDS}
        CROSS JOIN LATERAL (SELECT * FROM charges WHERE provider = :provider AND account = :account
                                                    AND charge_id = s.id OFFSET 0) c
        LEFT JOIN LATERAL (SELECT * FROM orders WHERE order_id = c.order_id
                             AND (c.surplus OR c.state <> 'captured') OFFSET 0) o ON true"""),  # noqa: S608 - our own names
    "refund": text(f"""
        SELECT r.subject, r.order_id, r.charge_id, r.provider_order_id, r.state, r.amount, r.currency, r.at
        FROM {_IDS}
        CROSS JOIN LATERAL (SELECT * FROM refunds WHERE provider = :provider AND account = :account
                                                    AND subject = s.id OFFSET 0) r"""),  # noqa: S608 - our own names
    "dispute": text(f"""
        SELECT d.dispute_id, d.order_id, d.charge_id, d.provider_order_id, d.state, d.amount, d.currency,
               d.at, d.money
        FROM {_IDS}
        CROSS JOIN LATERAL (SELECT * FROM disputes WHERE provider = :provider AND account = :account
                                                     AND dispute_id = s.id OFFSET 0) d"""),  # noqa: S608 - our own names
}
_THEIRS = text(f"""
    SELECT r.subject, r.charge_id, r.provider_order_id, r.state, r.amount, r.currency, r.at, r.money, r.fee
    FROM {unnested(ids="text", listed="boolean")} AS s (id, listed)
    CROSS JOIN LATERAL (SELECT * FROM provider_records WHERE provider = :provider AND account = :account
                                                         AND object = :object AND subject = s.id OFFSET 0) r
    WHERE s.listed OR r.at IS NULL OR r.at < :since OR r.at >= :until""")  # noqa: S608 - our own names
_LINES = text(f"""
    SELECT l.subject, l.line_id, l.amount, l.fee, l.net, l.currency, l.at, l.charge_id, l.settlement_id,
           l.rate
    FROM {_IDS}
    CROSS JOIN LATERAL (SELECT * FROM settlement_lines WHERE provider = :provider AND account = :account
                           AND object = :object AND subject = s.id OFFSET 0) l""")  # noqa: S608 - our own names
_ORDERS = text("""
    SELECT p.provider_order_id AS ref, p.provider_order_id, o.order_id, o.closed, o.paid
    FROM provider_orders p JOIN orders o USING (order_id)
    WHERE p.provider = :provider AND p.account = :account
      AND p.provider_order_id = ANY(CAST(:orders AS text[]))""")
_ORDERS_OF_CHARGES = text("""
    SELECT c.charge_id AS ref, coalesce(r.state, c.state) AS state, c.provider_order_id, o.order_id, o.closed,
           o.paid
    FROM charges c JOIN orders o USING (order_id)
    LEFT JOIN provider_records r ON r.provider = c.provider AND r.account = c.account
                                AND r.object = 'charge' AND r.subject = c.charge_id
    WHERE c.provider = :provider AND c.account = :account AND c.charge_id = ANY(CAST(:charges AS text[]))""")
