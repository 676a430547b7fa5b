"""SQL for the tables of payments: a batch of orders is locked, loaded, and saved back in bulk.

Facts about PostgreSQL that shape this: a statement that locks parents and joins children returns *old*
children after a wait, so children are loaded by new statements after the lock.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.state import Attempt, Charge, Flag, Payment, Waiter
from services.payments.webhooks import Webhooks
from shared.inbox import Incoming
from shared.messages.payments import ProviderEventReceived

Row = Any

_flags = msgspec.json.Decoder(tuple[Flag, ...])
_waiting = msgspec.json.Decoder(tuple[Waiter, ...])
_opened = msgspec.json.Decoder(dict[str, str])

_RESOLVE = text("""
    SELECT r.ref, r.order_id FROM provider_refs r
    JOIN unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]), CAST(:refs AS text[]))
         AS w (provider, account, ref) USING (provider, account, ref)
    WHERE r.kind = :kind""")

_LOCK = text("""
    SELECT id::text, order_id, amount, currency, status, detail, version, capture, revision, content,
           fingerprint, created_at, updated_at, closes_at, closed, closed_at, paid_at,
           flags::text, waiting::text
    FROM payments WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id FOR NO KEY UPDATE""")

_ATTEMPTS = text("""
    SELECT idempotency_key, order_id, number, provider, account, provider_order_id, status, amount, currency,
           attempt_payload::text AS opened, refusal, verify_asked, verify_answered, created_at, expires_at
    FROM payment_attempts WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id, number""")

_CHARGES = text("""
    SELECT provider, account, charge_id, order_id, provider_order_id, state, amount, currency, at, failure,
           failure_text, stands, capture_asked
    FROM charges WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id, n""")


class PaymentStore:
    """Implements the kit's `Store` for payments."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def resolve(self, connection: AsyncConnection, batch: Sequence[Incoming]) -> Sequence[str | None]:
        """A command names its order. A webhook names a provider's order, which we know by our own secret."""
        refs: dict[str, tuple[str, str, str]] = {}
        for incoming in batch:
            message = incoming.message
            if isinstance(message, ProviderEventReceived):
                ref = self._webhooks.provider_order(message)
                if ref is not None:
                    refs[incoming.id] = (message.provider, message.account, ref)
        orders = await _orders(connection, list(set(refs.values())), "order")
        keys: list[str | None] = []
        for incoming in batch:
            if incoming.id in refs:
                keys.append(orders.get(refs[incoming.id][2]))
            elif isinstance(incoming.message, ProviderEventReceived):
                keys.append(None)
            else:
                keys.append(incoming.envelope.subject)
        return keys

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Payment]:
        """Locks the orders in key order, then loads what hangs under them. Unknown orders are blank.

        A blank one has no row to lock; two that register it at once collide on the primary key, and the
        loser's message runs again and finds the row.
        """
        if not keys:
            return {}
        wanted = {"keys": list(keys)}
        rows = (await connection.execute(_LOCK, wanted)).all()
        attempts: dict[str, list[Attempt]] = {}
        charges: dict[str, list[Charge]] = {}
        if rows:
            for row in await connection.execute(_ATTEMPTS, wanted):
                attempts.setdefault(row.order_id, []).append(_attempt(row))
            for row in await connection.execute(_CHARGES, wanted):
                charges.setdefault(row.order_id, []).append(_charge(row))
        found = {
            r.order_id: _payment(r, attempts.get(r.order_id, []), charges.get(r.order_id, [])) for r in rows
        }
        return {key: found.get(key) or Payment(key) for key in keys}

    async def save(
        self, connection: AsyncConnection, before: dict[str, Payment], after: dict[str, Payment]
    ) -> None:
        """Writes what changed: payments, then attempts, charges and references."""
        changed = [after[key] for key in sorted(after)]
        new = [p for p in changed if not before[p.order_id].registered]
        replaced = [p for p in changed if 0 < before[p.order_id].revision < p.revision]
        await _save_payments(connection, new, before, _INSERT)
        await _save_contents(connection, replaced)
        await _save_payments(connection, [p for p in changed if p not in new], before, _UPDATE)
        await _save_attempts(
            connection,
            [(p, a) for p in changed for a in p.attempts if a not in before[p.order_id].attempts],
        )
        await _save_charges(
            connection,
            [
                (p, c, n)
                for p in changed
                for n, c in enumerate(p.charges)
                if c not in before[p.order_id].charges
            ],
        )


async def _orders(
    connection: AsyncConnection, refs: Sequence[tuple[str, str, str]], kind: str
) -> dict[str, str]:
    if not refs:
        return {}
    providers, accounts, names = (list(column) for column in zip(*refs, strict=True))
    rows = await connection.execute(
        _RESOLVE, {"providers": providers, "accounts": accounts, "refs": names, "kind": kind}
    )
    return {row.ref: row.order_id for row in rows}


async def order_of_reference(
    connection: AsyncConnection, provider: str, account: str, reference: str
) -> str | None:
    """The order whose attempt carries this reference at the provider."""
    return (await _orders(connection, [(provider, account, reference)], "reference")).get(reference)


def _payment(row: Row, attempts: list[Attempt], charges: list[Charge]) -> Payment:
    return Payment(
        order_id=row.order_id,
        id=row.id,
        version=row.version,
        status=row.status,
        detail=row.detail,
        amount=row.amount,
        currency=row.currency,
        capture=row.capture,
        revision=row.revision,
        content=row.content,
        fingerprint=row.fingerprint,
        created_at=row.created_at,
        updated_at=row.updated_at,
        closes_at=row.closes_at,
        closed=row.closed,
        closed_at=row.closed_at,
        paid_at=row.paid_at,
        attempts=tuple(attempts),
        charges=tuple(charges),
        flags=_flags.decode(row.flags),
        waiting=_waiting.decode(row.waiting),
    )


def _attempt(row: Row) -> Attempt:
    return Attempt(
        id=row.idempotency_key,
        number=row.number,
        provider=row.provider,
        account=row.account,
        state=row.status,
        amount=row.amount,
        currency=row.currency,
        created_at=row.created_at,
        expires_at=row.expires_at,
        provider_order_id=row.provider_order_id,
        opened=_opened.decode(row.opened),
        refusal=row.refusal,
        verify_asked=row.verify_asked,
        verify_answered=row.verify_answered,
    )


def _charge(row: Row) -> Charge:
    return Charge(
        charge_id=row.charge_id,
        provider=row.provider,
        account=row.account,
        provider_order_id=row.provider_order_id,
        state=row.state,
        amount=row.amount,
        currency=row.currency,
        at=row.at,
        failure=row.failure,
        failure_text=row.failure_text,
        stands=row.stands,
        capture_asked=row.capture_asked,
    )


# --- saving: one statement per table and batch ------------------------------------------------

# What moves with a payment's life, and what only new content changes: most batches send just the first.
_STATE_COLUMNS = {
    "order_id": "text", "provider": "text", "provider_order_id": "text", "payment_id": "text",
    "raw_response": "jsonb", "status": "text", "previous_status": "text", "detail": "text",
    "version": "bigint", "updated_at": "timestamptz", "closed": "text", "closed_at": "timestamptz",
    "paid_at": "timestamptz", "flags": "jsonb", "waiting": "jsonb",
}  # fmt: skip

_CONTENT_COLUMNS = {
    "id": "uuid", "amount": "bigint", "currency": "text", "capture": "text", "revision": "integer",
    "content": "bytea", "fingerprint": "bytea", "created_at": "timestamptz", "closes_at": "timestamptz",
}  # fmt: skip

_ATTEMPT_COLUMNS = {
    "idempotency_key": "text", "order_id": "text", "number": "integer", "provider": "text", "account": "text",
    "provider_order_id": "text", "status": "text", "amount": "bigint", "currency": "text",
    "attempt_payload": "jsonb", "refusal": "text", "verify_asked": "integer", "verify_answered": "integer",
    "created_at": "timestamptz", "expires_at": "timestamptz",
}  # fmt: skip

_CHARGE_COLUMNS = {
    "provider": "text", "account": "text", "charge_id": "text", "order_id": "text",
    "provider_order_id": "text", "state": "text", "amount": "bigint", "currency": "text", "at": "timestamptz",
    "failure": "text", "failure_text": "text", "stands": "boolean", "capture_asked": "boolean",
    "n": "integer",
}  # fmt: skip


def _unnest(columns: dict[str, str]) -> str:
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return f"unnest({arrays}) AS new ({', '.join(columns)})"


def _insert(table: str, columns: dict[str, str], on_conflict: str = "") -> str:
    names = ", ".join(columns)  # constants of this module, as is the table's name
    return f"INSERT INTO {table} ({names}) SELECT * FROM {_unnest(columns)} {on_conflict}"  # noqa: S608


def _assignments(columns: dict[str, str], source: str, fixed: frozenset[str]) -> str:
    return ", ".join(f"{name} = {source}.{name}" for name in columns if name not in fixed)


_INSERT = text(_insert("payments", _STATE_COLUMNS | _CONTENT_COLUMNS))


def _update(columns: dict[str, str]) -> str:
    assignments = _assignments(columns, "new", frozenset({"order_id"}))
    return f"UPDATE payments SET {assignments} FROM {_unnest(columns)} WHERE payments.order_id = new.order_id"  # noqa: S608 - constants


_UPDATE = text(_update(_STATE_COLUMNS))
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
        # a charge belongs to one order for ever: a second one claiming it fails the whole statement
        + " WHERE charges.order_id = excluded.order_id",
    )
)
_REFS = text("""
    INSERT INTO provider_refs (provider, account, kind, ref, order_id)
    SELECT * FROM unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]), CAST(:kinds AS text[]),
                         CAST(:refs AS text[]), CAST(:orders AS text[]))
    ON CONFLICT DO NOTHING""")


async def _save_payments(
    connection: AsyncConnection, payments: Sequence[Payment], before: dict[str, Payment], statement: Any
) -> None:
    if not payments:
        return
    states = _columns(_STATE_COLUMNS, [_state_row(p, before[p.order_id]) for p in payments])
    contents = _columns(_CONTENT_COLUMNS, [_content_row(p) for p in payments]) if statement is _INSERT else {}
    await connection.execute(statement, states | contents)


async def _save_contents(connection: AsyncConnection, payments: Sequence[Payment]) -> None:
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
    )  # fmt: skip


def _content_row(payment: Payment) -> tuple[object, ...]:
    return (
        payment.id, payment.amount, payment.currency, payment.capture, payment.revision, payment.content,
        payment.fingerprint, payment.created_at, payment.closes_at,
    )  # fmt: skip


async def _save_attempts(connection: AsyncConnection, attempts: Sequence[tuple[Payment, Attempt]]) -> None:
    if not attempts:
        return
    rows = [
        (
            a.id, p.order_id, a.number, a.provider, a.account, a.provider_order_id, a.state, a.amount,
            a.currency, _json(dict(a.opened)), a.refusal, a.verify_asked, a.verify_answered, a.created_at,
            a.expires_at,
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
    names = ("providers", "accounts", "kinds", "refs", "orders")
    await connection.execute(
        _REFS, {n: list(c) for n, c in zip(names, zip(*sorted(refs), strict=True), strict=True)}
    )


async def _save_charges(connection: AsyncConnection, charges: Sequence[tuple[Payment, Charge, int]]) -> None:
    if not charges:
        return
    rows = [
        (
            c.provider, c.account, c.charge_id, p.order_id, c.provider_order_id, c.state, c.amount,
            c.currency, c.at, c.failure, c.failure_text, c.stands, c.capture_asked, n,
        )
        for p, c, n in charges
    ]  # fmt: skip
    await connection.execute(_UPSERT_CHARGES, _columns(_CHARGE_COLUMNS, rows))


def _columns(columns: dict[str, str], rows: Sequence[tuple[object, ...]]) -> dict[str, list[object]]:
    return {name: list(column) for name, column in zip(columns, zip(*rows, strict=True), strict=True)}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
