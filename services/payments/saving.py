"""Saving a batch of orders: one statement per table, whatever the number of rows."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.state import Attempt, Charge, Dispute, Payment, Refund
from shared.errors import Rejected

# What moves with a payment's life, and what only new content changes: most batches send just the first.
_STATE_COLUMNS = {
    "order_id": "text", "provider": "text", "provider_order_id": "text", "payment_id": "text",
    "raw_response": "jsonb", "status": "text", "previous_status": "text", "detail": "text",
    "version": "bigint", "updated_at": "timestamptz", "closed": "text", "closed_at": "timestamptz",
    "paid_at": "timestamptz", "flags": "jsonb", "waiting": "jsonb", "money_back": "boolean",
}  # fmt: skip

_CONTENT_COLUMNS = {
    "id": "uuid", "amount": "bigint", "currency": "text", "capture": "text", "revision": "integer",
    "content": "bytea", "fingerprint": "bytea", "erased": "boolean", "created_at": "timestamptz",
    "closes_at": "timestamptz",
}  # fmt: skip

_ATTEMPT_COLUMNS = {
    "idempotency_key": "text", "order_id": "text", "number": "integer", "provider": "text", "account": "text",
    "provider_order_id": "text", "status": "text", "amount": "bigint", "currency": "text",
    "attempt_payload": "jsonb", "refusal": "text", "verify_asked": "integer", "verify_answered": "integer",
    "created_at": "timestamptz", "expires_at": "timestamptz", "why": "text", "approved": "boolean",
    "captures_asked": "integer", "captures_declined": "integer", "captured_for": "integer",
    "cancel_asked": "boolean", "cancelled": "boolean",
}  # fmt: skip

_CHARGE_COLUMNS = {
    "provider": "text", "account": "text", "charge_id": "text", "order_id": "text",
    "provider_order_id": "text", "state": "text", "amount": "bigint", "currency": "text", "at": "timestamptz",
    "failure": "text", "failure_text": "text", "stands": "boolean", "capture_asked": "boolean",
    "capture_amount": "bigint", "capture_before": "timestamptz", "marked_by": "text", "n": "integer",
}  # fmt: skip

_REFUND_COLUMNS = {
    "id": "text", "order_id": "text", "provider": "text", "charge_id": "text", "provider_order_id": "text",
    "state": "text", "amount": "bigint", "currency": "text", "origin": "text", "created_at": "timestamptz",
    "provider_refund_id": "text", "reason": "text", "asked_by": "text", "failure": "text",
    "succeeded": "boolean", "unknown": "boolean", "n": "integer",
}  # fmt: skip

_DISPUTE_COLUMNS = {
    "provider": "text", "dispute_id": "text", "order_id": "text", "charge_id": "text", "kind": "text",
    "state": "text", "money": "text", "amount": "bigint", "currency": "text", "reason": "text",
    "respond_by": "timestamptz", "at": "timestamptz", "n": "integer",
}  # fmt: skip


def _unnest(columns: dict[str, str]) -> str:
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return f"unnest({arrays}) AS new ({', '.join(columns)})"


def _insert(table: str, columns: dict[str, str], on_conflict: str = "") -> str:
    names = ", ".join(columns)  # constants of this module, as is the table's name
    return f"INSERT INTO {table} ({names}) SELECT * FROM {_unnest(columns)} {on_conflict}"  # noqa: S608


def _assignments(columns: dict[str, str], source: str, fixed: frozenset[str]) -> str:
    return ", ".join(f"{name} = {source}.{name}" for name in columns if name not in fixed)


INSERT = text(_insert("payments", _STATE_COLUMNS | _CONTENT_COLUMNS))


def _update(columns: dict[str, str]) -> str:
    assignments = _assignments(columns, "new", frozenset({"order_id"}))
    return f"UPDATE payments SET {assignments} FROM {_unnest(columns)} WHERE payments.order_id = new.order_id"  # noqa: S608 - constants


UPDATE = text(_update(_STATE_COLUMNS))
_REPLACE = text(_update({"order_id": "text"} | _CONTENT_COLUMNS))
_UPSERT_ATTEMPTS = text(
    _insert(
        "payment_attempts",
        _ATTEMPT_COLUMNS,
        "ON CONFLICT (idempotency_key) DO UPDATE SET "
        + _assignments(
            _ATTEMPT_COLUMNS, "excluded", frozenset({"idempotency_key", "order_id", "number", "created_at"})
        ),
    )
)
_UPSERT_CHARGES = text(
    _insert(
        "charges",
        _CHARGE_COLUMNS,
        "ON CONFLICT (provider, account, charge_id) DO UPDATE SET "
        + _assignments(
            _CHARGE_COLUMNS, "excluded", frozenset({"provider", "account", "charge_id", "order_id"})
        )
        # a charge belongs to one order for ever: for a second one nothing is written, and `_save` says so
        + " WHERE charges.order_id = excluded.order_id",
    )
)
_UPSERT_REFUNDS = text(
    _insert(
        "refunds",
        _REFUND_COLUMNS,
        "ON CONFLICT (id) DO UPDATE SET "
        + _assignments(
            _REFUND_COLUMNS, "excluded", frozenset({"id", "order_id", "amount", "currency", "created_at"})
        )
        + " WHERE refunds.order_id = excluded.order_id",
    )
)
_UPSERT_DISPUTES = text(
    _insert(
        "disputes",
        _DISPUTE_COLUMNS,
        "ON CONFLICT (provider, dispute_id) DO UPDATE SET "
        + _assignments(_DISPUTE_COLUMNS, "excluded", frozenset({"provider", "dispute_id", "order_id"}))
        + " WHERE disputes.order_id = excluded.order_id",
    )
)
_REFS = text("""
    INSERT INTO provider_refs (provider, account, kind, ref, order_id)
    SELECT * FROM unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]), CAST(:kinds AS text[]),
                         CAST(:refs AS text[]), CAST(:orders AS text[]))
    ON CONFLICT DO NOTHING""")


async def save_payments(
    connection: AsyncConnection, payments: Sequence[Payment], before: dict[str, Payment], statement: Any
) -> None:
    if not payments:
        return
    states = _columns(_STATE_COLUMNS, [_state_row(p, before[p.order_id]) for p in payments])
    contents = _columns(_CONTENT_COLUMNS, [_content_row(p) for p in payments]) if statement is INSERT else {}
    await connection.execute(statement, states | contents)


async def save_contents(connection: AsyncConnection, payments: Sequence[Payment]) -> None:
    if payments:
        ids: dict[str, list[object]] = {"order_id": [p.order_id for p in payments]}
        contents = _columns(_CONTENT_COLUMNS, [_content_row(p) for p in payments])
        await connection.execute(_REPLACE, ids | contents)


def _state_row(payment: Payment, before: Payment) -> tuple[object, ...]:
    standing, attempt = payment.standing, payment.current
    shown = standing or attempt
    return (
        payment.order_id, shown.provider if shown else None, shown.provider_order_id if shown else None,
        standing.charge_id if standing else None, _json(standing) if standing else None, payment.status,
        before.status, payment.detail, payment.version, payment.updated_at, payment.closed,
        payment.closed_at, payment.paid_at, _json(payment.flags), _json(payment.waiting),
        bool(payment.refunds or payment.disputes),
    )  # fmt: skip


def _content_row(payment: Payment) -> tuple[object, ...]:
    return (
        payment.id, payment.amount, payment.currency, payment.capture, payment.revision, payment.content,
        payment.fingerprint, payment.erased, payment.created_at, payment.closes_at,
    )  # fmt: skip


async def save_attempts(connection: AsyncConnection, attempts: Sequence[tuple[Payment, Attempt]]) -> None:
    if not attempts:
        return
    rows = [
        (
            a.id, p.order_id, a.number, a.provider, a.account, a.provider_order_id, a.state, a.amount,
            a.currency, _json(dict(a.opened)), a.refusal, a.verify_asked, a.verify_answered, a.created_at,
            a.expires_at, a.why, a.approved, a.captures_asked, a.captures_declined, a.captured_for,
            a.cancel_asked, a.cancelled,
        )
        for p, a in attempts
    ]  # fmt: skip
    await connection.execute(_UPSERT_ATTEMPTS, _columns(_ATTEMPT_COLUMNS, rows))
    refs = [(a.provider, a.account, "reference", a.id, p.order_id) for p, a in attempts]
    refs += [
        (a.provider, a.account, "order", a.provider_order_id, p.order_id)
        for p, a in attempts
        if a.provider_order_id is not None
    ]
    await save_refs(connection, refs)


async def save_refs(connection: AsyncConnection, refs: Collection[tuple[str, ...]]) -> None:
    names = ("providers", "accounts", "kinds", "refs", "orders")
    await connection.execute(
        _REFS, {n: list(c) for n, c in zip(names, zip(*sorted(refs), strict=True), strict=True)}
    )


async def save_charges(connection: AsyncConnection, charges: Sequence[tuple[Payment, Charge, int]]) -> None:
    if not charges:
        return
    rows = [
        (
            c.provider, c.account, c.charge_id, p.order_id, c.provider_order_id, c.state, c.amount,
            c.currency, c.at, c.failure, c.failure_text, c.stands, c.capture_asked, c.capture_amount,
            c.capture_before, c.by, n,
        )
        for p, c, n in charges
    ]  # fmt: skip
    await _save(connection, _UPSERT_CHARGES, _columns(_CHARGE_COLUMNS, rows))


async def _save(connection: AsyncConnection, statement: TextClause, columns: dict[str, list[object]]) -> None:
    """Raises Rejected when a row belongs to another order: the same money must not count for two."""
    saved = (await connection.execute(statement, columns)).rowcount
    if saved != len(columns["order_id"]):
        orders = ", ".join(sorted({str(order_id) for order_id in columns["order_id"]}))
        detail = f"a charge, refund or dispute of {orders:.200} is another order's already: ask the provider"
        raise Rejected("belongs-elsewhere", detail)


async def save_refunds(connection: AsyncConnection, refunds: Sequence[tuple[Payment, Refund, int]]) -> None:
    if not refunds:
        return
    rows = [
        (
            r.id, p.order_id, r.provider, r.charge_id, r.provider_order_id, r.state, r.amount, r.currency,
            r.origin, r.created_at, r.provider_refund_id, r.reason, r.by, r.failure, r.succeeded, r.unknown,
            n,
        )
        for p, r, n in refunds
    ]  # fmt: skip
    await _save(connection, _UPSERT_REFUNDS, _columns(_REFUND_COLUMNS, rows))


async def save_disputes(
    connection: AsyncConnection, disputes: Sequence[tuple[Payment, Dispute, int]]
) -> None:
    if not disputes:
        return
    rows = [
        (
            d.provider, d.dispute_id, p.order_id, d.charge_id, d.kind, d.state, d.money, d.amount, d.currency,
            d.reason, d.respond_by, d.at, n,
        )
        for p, d, n in disputes
    ]  # fmt: skip
    await _save(connection, _UPSERT_DISPUTES, _columns(_DISPUTE_COLUMNS, rows))


def _columns(columns: dict[str, str], rows: Sequence[tuple[object, ...]]) -> dict[str, list[object]]:
    return {name: list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
