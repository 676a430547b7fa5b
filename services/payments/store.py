"""SQL for the tables of payments: a batch of orders is locked, loaded, and saved back in bulk.

Facts about PostgreSQL that shape this: a statement that locks parents and joins children returns *old*
children after a wait, so children are loaded by new statements after the lock.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.state import Attempt, Charge, Dispute, Payment, Refund
from services.payments.rows import Row, attempt_of, charge_of, dispute_of, payment_of, refund_of
from services.payments.saving import (
    INSERT,
    UPDATE,
    save_attempts,
    save_charges,
    save_contents,
    save_disputes,
    save_payments,
    save_refunds,
)
from services.payments.webhooks import Webhooks
from shared.inbox import Incoming
from shared.messages.payments import ProviderEventReceived

Ref = tuple[str, str, str, str]  # provider, account, kind, id

_RESOLVE = text("""
    SELECT r.provider, r.account, r.kind, r.ref, r.order_id FROM provider_refs r
    JOIN unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]), CAST(:kinds AS text[]),
                CAST(:refs AS text[]))
         AS w (provider, account, kind, ref) USING (provider, account, kind, ref)
    UNION ALL
    SELECT c.provider, c.account, 'charge', c.charge_id, c.order_id FROM charges c
    JOIN unnest(CAST(:providers AS text[]), CAST(:accounts AS text[]), CAST(:kinds AS text[]),
                CAST(:refs AS text[]))
         AS w (provider, account, kind, charge_id) USING (provider, account, charge_id)
    WHERE w.kind = 'charge'""")

_READ = """
    SELECT id::text, order_id, amount, currency, status, detail, version, capture, revision, content,
           fingerprint, erased, created_at, updated_at, closes_at, closed, closed_at, paid_at,
           flags::text, waiting::text, money_back
    FROM payments WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id"""
_LOCK = text(f"{_READ} FOR NO KEY UPDATE")
_LOOK = text(_READ)

_ATTEMPTS = text("""
    SELECT idempotency_key, order_id, number, provider, account, provider_order_id, status, amount, currency,
           attempt_payload::text AS opened, refusal, verify_asked, verify_answered, created_at, expires_at,
           why, approved, captures_asked, captures_declined, captured_for, cancel_asked, cancelled
    FROM payment_attempts WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id, number""")

_CHARGES = text("""
    SELECT provider, account, charge_id, order_id, provider_order_id, state, amount, currency, at, failure,
           failure_text, stands, capture_asked, capture_amount, capture_before, marked_by
    FROM charges WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id, n""")

_REFUNDS = text("""
    SELECT id, order_id, provider, charge_id, provider_order_id, state, amount, currency, origin, created_at,
           provider_refund_id, reason, asked_by, failure, succeeded, unknown
    FROM refunds WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id, n""")

_DISPUTES = text("""
    SELECT provider, dispute_id, order_id, charge_id, kind, state, money, amount, currency, reason,
           respond_by, at
    FROM disputes WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY order_id, n""")


class PaymentStore:
    """Implements the kit's `Store` for payments."""

    def __init__(self, webhooks: Webhooks) -> None:
        self.webhooks = webhooks

    async def resolve(self, connection: AsyncConnection, batch: Sequence[Incoming]) -> Sequence[str | None]:
        """A command names its order. A webhook names a provider's order, which we know by our own secret."""
        refs: dict[str, list[Ref]] = {}
        for incoming in batch:
            message = incoming.message
            if isinstance(message, ProviderEventReceived):
                named = self.webhooks.refs(message)
                refs[incoming.id] = [(message.provider, message.account, *ref) for ref in named]
        orders = await _orders(connection, {ref for named in refs.values() for ref in named})
        return [
            next((orders[ref] for ref in refs[i.id] if ref in orders), None)
            if i.id in refs
            else i.envelope.subject
            for i in batch
        ]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Payment]:
        """Locks the orders in key order, then loads what hangs under them. Unknown orders are blank.

        A blank one has no row to lock; two that register it at once collide on the primary key, and the
        loser's message runs again and finds the row.
        """
        if not keys:
            return {}
        rows = (await connection.execute(_LOCK, {"keys": list(keys)})).all()
        found = await _loaded(connection, rows)
        return {key: found.get(key) or Payment(key) for key in keys}

    async def read(self, connection: AsyncConnection, order_id: str) -> Payment | None:
        """One order as it is now, for somebody who only looks: nothing is locked."""
        rows = (await connection.execute(_LOOK, {"keys": [order_id]})).all()
        return (await _loaded(connection, rows)).get(order_id)

    async def save(
        self, connection: AsyncConnection, before: dict[str, Payment], after: dict[str, Payment]
    ) -> None:
        """Writes what changed: payments, then attempts, charges and references."""
        changed = [after[key] for key in sorted(after)]
        new = [p for p in changed if not before[p.order_id].registered]
        replaced = [p for p in changed if 0 < before[p.order_id].revision < p.revision]
        await save_payments(connection, new, before, INSERT)
        await save_contents(connection, replaced)
        await save_payments(connection, [p for p in changed if p not in new], before, UPDATE)
        await save_attempts(
            connection,
            [(p, a) for p in changed for a in p.attempts if a not in before[p.order_id].attempts],
        )
        await save_charges(
            connection,
            [
                (p, c, n)
                for p in changed
                for n, c in enumerate(p.charges)
                if c not in before[p.order_id].charges
            ],
        )
        await save_refunds(
            connection,
            [
                (p, r, n)
                for p in changed
                for n, r in enumerate(p.refunds)
                if r not in before[p.order_id].refunds
            ],
        )
        await save_disputes(
            connection,
            [
                (p, d, n)
                for p in changed
                for n, d in enumerate(p.disputes)
                if d not in before[p.order_id].disputes
            ],
        )


async def _loaded(connection: AsyncConnection, rows: Sequence[Row]) -> dict[str, Payment]:
    """The orders of these rows with all that hangs under them, by new statements."""
    if not rows:
        return {}
    wanted = {"keys": [row.order_id for row in rows]}
    attempts: dict[str, list[Attempt]] = {}
    charges: dict[str, list[Charge]] = {}
    refunds: dict[str, list[Refund]] = {}
    disputes: dict[str, list[Dispute]] = {}
    for row in await connection.execute(_ATTEMPTS, wanted):
        attempts.setdefault(row.order_id, []).append(attempt_of(row))
    for row in await connection.execute(_CHARGES, wanted):
        charges.setdefault(row.order_id, []).append(charge_of(row))
    if back := [row.order_id for row in rows if row.money_back]:
        for row in await connection.execute(_REFUNDS, {"keys": back}):
            refunds.setdefault(row.order_id, []).append(refund_of(row))
        for row in await connection.execute(_DISPUTES, {"keys": back}):
            disputes.setdefault(row.order_id, []).append(dispute_of(row))
    return {
        r.order_id: replace(
            payment_of(r),
            attempts=tuple(attempts.get(r.order_id, ())),
            charges=tuple(charges.get(r.order_id, ())),
            refunds=tuple(refunds.get(r.order_id, ())),
            disputes=tuple(disputes.get(r.order_id, ())),
        )
        for r in rows
    }


async def _orders(connection: AsyncConnection, refs: Collection[Ref]) -> dict[Ref, str]:
    if not refs:
        return {}
    providers, accounts, kinds, names = (list(column) for column in zip(*refs, strict=True))
    rows = await connection.execute(
        _RESOLVE, {"providers": providers, "accounts": accounts, "kinds": kinds, "refs": names}
    )
    return {(r.provider, r.account, r.kind, r.ref): r.order_id for r in rows}


async def order_of_reference(
    connection: AsyncConnection, provider: str, account: str, reference: str
) -> str | None:
    """The order whose attempt carries this reference at the provider."""
    ref = (provider, account, "reference", reference)
    return (await _orders(connection, [ref])).get(ref)
