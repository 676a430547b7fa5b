"""The gateway's copy of `payments.events`: the newest snapshot of each order, and its history.

What is not newer than its version changes no snapshot; each version has its line in the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.apply import Applier
from shared.consume import Loop
from shared.decision import Answer, Decision
from shared.envelope import now_utc
from shared.inbox import Incoming
from shared.kafka import PAYMENTS_EVENTS
from shared.messages.base import Catalogue
from shared.messages.payments import PAYMENT_EVENTS, PaymentEvent, PaymentSnapshot
from shared.pace import FOLLOWING_S, Pace
from shared.service import Kit

CHANNEL = "payments"  # NOTIFY, payload: the order id


@dataclass(frozen=True, slots=True)
class Line:
    """One event in an order's history."""

    version: int
    event: str
    status: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What this transaction knows of one order: the version before it, and what came."""

    version: int = 0
    newest: PaymentSnapshot | None = None
    lines: tuple[Line, ...] = ()


def on_payment_event(state: Seen, incoming: Incoming, now: datetime) -> Decision[Seen]:  # noqa: ARG001 - a decider's signature
    """Takes the newer snapshot; a repeat or an older one only fills its place in the history."""
    payment = _event(incoming).payment
    line = Line(
        payment.version,
        type(incoming.message).__name__,
        payment.status,
        payment.detail,
        payment.updated_at,
    )
    after = replace(state, lines=(*state.lines, line))
    if payment.version <= max(state.version, state.newest.version if state.newest else 0):
        return Decision(after, outcome="ignored")
    return Decision(replace(after, newest=payment))


def _event(incoming: Incoming) -> PaymentEvent:
    if not isinstance(incoming.message, PaymentEvent):
        raise TypeError(f"{incoming.envelope.type} is not an event of a payment")
    return incoming.message


_LOCK = text("""
    SELECT order_id, version FROM payments WHERE order_id = ANY(CAST(:ids AS text[]))
    ORDER BY order_id FOR NO KEY UPDATE""")

_SNAPSHOTS = text("""
    INSERT INTO payments AS p (order_id, version, snapshot, updated_at)
    SELECT id, version, CAST(snapshot AS json), updated_at
    FROM unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[]), CAST(:snapshots AS text[]),
                CAST(:updates AS timestamptz[])) AS new (id, version, snapshot, updated_at)
    ORDER BY id
    ON CONFLICT (order_id) DO UPDATE
    SET version = excluded.version, snapshot = excluded.snapshot, updated_at = excluded.updated_at,
        changed_by = pg_current_xact_id()
    WHERE p.version < excluded.version""")

_LINES = text("""
    INSERT INTO payment_history (order_id, version, event, status, detail, at)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[]), CAST(:events AS text[]),
                         CAST(:statuses AS text[]), CAST(:details AS text[]), CAST(:ats AS timestamptz[]))
         AS new (id, version, event, status, detail, at) ORDER BY id, version
    ON CONFLICT DO NOTHING""")

_REFUNDS = text("""
    INSERT INTO refunds (refund_id, order_id)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:orders AS text[])) AS new (refund_id, order_id)
    ORDER BY refund_id
    ON CONFLICT DO NOTHING""")

_WAKE = text(f"""
    SELECT pg_notify(current_schema() || '.{CHANNEL}', id)
    FROM unnest(CAST(:ids AS text[])) AS changed (id)""")  # noqa: S608 - a constant of this file


class ProjectionStore:
    """The rows of `payments`, `payment_history` and `refunds`."""

    async def resolve(self, _connection: AsyncConnection, batch: Sequence[Incoming]) -> list[str]:
        return [_event(incoming).payment.order_id for incoming in batch]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Seen]:
        known = {row.order_id: row.version for row in await connection.execute(_LOCK, {"ids": list(keys)})}
        return {key: Seen(known.get(key, 0)) for key in keys}

    async def save(
        self,
        connection: AsyncConnection,
        before: dict[str, Seen],  # noqa: ARG002 - the kit's signature
        after: dict[str, Seen],
    ) -> None:
        """Writes newer snapshots and new lines, and wakes whoever watches these orders at the commit."""
        newest = [s.newest for s in after.values() if s.newest is not None]
        await connection.execute(_SNAPSHOTS, _snapshot_rows(newest))
        await connection.execute(_LINES, _line_rows(after))
        if refunds := _refund_rows(newest):
            await connection.execute(_REFUNDS, refunds)
        await connection.execute(_WAKE, {"ids": [p.order_id for p in newest]})


def _snapshot_rows(newest: Sequence[PaymentSnapshot]) -> dict[str, list[Any]]:
    return {
        "ids": [p.order_id for p in newest],
        "versions": [p.version for p in newest],
        "snapshots": [msgspec.json.encode(p).decode() for p in newest],
        "updates": [p.updated_at for p in newest],
    }


def _refund_rows(newest: Sequence[PaymentSnapshot]) -> dict[str, list[str]]:
    """Nothing for most batches."""
    refunds = [(refund.refund_id, payment.order_id) for payment in newest for refund in payment.refunds]
    if not refunds:
        return {}
    return {"ids": [refund_id for refund_id, _ in refunds], "orders": [order_id for _, order_id in refunds]}


def _line_rows(after: dict[str, Seen]) -> dict[str, list[Any]]:
    lines = [(order_id, line) for order_id, seen in after.items() for line in seen.lines]
    return {
        "ids": [order_id for order_id, _ in lines],
        "versions": [line.version for _, line in lines],
        "events": [line.event for _, line in lines],
        "statuses": [line.status for _, line in lines],
        "details": [line.detail for _, line in lines],
        "ats": [line.at for _, line in lines],
    }


def projection_loop(kit: Kit) -> Loop[Seen]:
    """The loop over `payments.events`. Its keys are not looked at: the snapshot names its order."""
    applier = Applier(
        consumer="gateway.payments.events",
        source="gateway",
        engine=kit.engine,
        store=ProjectionStore(),
        decide=on_payment_event,
        clock=now_utc,
        committed=_nothing_to_wake,
        reply=_no_replies,
    )
    pace = Pace(FOLLOWING_S)
    return Loop(PAYMENTS_EVENTS, applier, Catalogue(*PAYMENT_EVENTS), kit.health, keyed=False, pace=pace)


def _nothing_to_wake() -> None:
    """A projection writes no outbox row and no task."""


def _no_replies(answers: Sequence[Answer]) -> None:
    """Events are not answered."""
