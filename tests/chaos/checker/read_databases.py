"""The services' databases, read as the administrator in one snapshot each."""

import json
from typing import Any

import asyncpg

from tests.chaos.checker.evidence import (
    Attempt,
    Books,
    Charge,
    InboxRow,
    Intent,
    Notice,
    OutboxRow,
    Payment,
    Receipt,
    Refund,
    Shown,
)

SERVICES = ("gateway", "payments", "notifier", "reconciler")

_PAYMENTS = """
    SELECT order_id, id::text, status, detail, amount, currency, version, provider_order_id,
           payment_id AS charge_id, closed, flags::text FROM payments.payments ORDER BY order_id"""
_ATTEMPTS = """
    SELECT idempotency_key AS reference, order_id, provider_order_id, amount, currency,
           extract(epoch FROM created_at)::float8 AS created_at FROM payments.payment_attempts"""
_CHARGES = """
    SELECT charge_id, order_id, provider_order_id, state, amount, currency, stands FROM payments.charges"""
_RECEIPTS = """
    SELECT d.order_id, d.series || '-' || lpad(d.number::text, 6, '0') AS number, o.captured AS amount,
           o.currency, d.state, m.message_id, m.recipient, m.state AS mail_state
    FROM notifier.documents d JOIN notifier.orders o USING (order_id)
    LEFT JOIN notifier.mails m USING (document_id) WHERE d.kind IN ('receipt', 'invoice')"""
_NOTICES = """
    SELECT m.order_id, m.kind, m.subject, m.message_id, m.recipient, m.state AS mail_state,
           coalesce(d.series || '-' || lpad(d.number::text, 6, '0'), '') AS number
    FROM notifier.mails m LEFT JOIN notifier.documents d USING (document_id)
    WHERE m.kind NOT IN ('receipt', 'invoice')"""
# Of captures: what else providers call a refund is an authorisation that was let go.
_REFUNDS = """
    SELECT r.id, r.order_id, r.charge_id, r.provider_order_id, provider_refund_id, r.state, r.amount,
           r.currency, origin
    FROM payments.refunds r JOIN payments.charges c USING (provider, charge_id) WHERE c.state = 'captured'"""
_SHOWN = "SELECT order_id, version, snapshot ->> 'status' AS status FROM gateway.payments"
# `due`: should have been done by now, or is tried again and again. One that came due just now is neither.
_INTENTS = """
    SELECT kind, key, extract(epoch FROM created_at)::float8 AS created_at, closed_at IS NULL AS open,
           closed_at IS NULL AND (greatest(due_at, lease_until) <= now() - interval '5 s' OR claims >= 8)
               AS due, claims
    FROM {service}.tasks"""
_INBOX = """
    SELECT consumer, message_id, outcome, coalesce(error, '') AS error,
           coalesce(topic || '/' || partition || '/' || record_offset, '') AS place FROM {service}.inbox"""
_OUTBOX = """
    SELECT o.position, o.topic, o.record_key AS key, o.message_id, o.payload,
           p.position IS NOT NULL AND o.created_at < now() - interval '5 s' AS pending
    FROM {service}.outbox o LEFT JOIN {service}.outbox_pending p USING (position)"""
_RUNNING_KEYS = "SELECT count(*) FROM {service}.stored_answers WHERE code IS NULL"
_HANGING = """
    SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'
    AND datname = current_database() AND state_change < now() - interval '5 s'"""


async def read_databases(url: str) -> Books:
    """All that the checks need of the four schemas."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        intents: list[Intent] = []
        inbox: list[InboxRow] = []
        outbox: list[OutboxRow] = []
        unanswered = 0
        for service in SERVICES:
            intents += [Intent(service, **r) for r in await _rows(connection, _INTENTS, service)]
            inbox += [InboxRow(service, **r) for r in await _rows(connection, _INBOX, service)]
            outbox += [OutboxRow(service, **r) for r in await _rows(connection, _OUTBOX, service)]
            unanswered += int(await connection.fetchval(_RUNNING_KEYS.format(service=service)))
        raw = await connection.fetch("SELECT body FROM payments.provider_events")
        return Books(
            payments=tuple(_payment(r) for r in await _rows(connection, _PAYMENTS)),
            attempts=tuple(Attempt(**r) for r in await _rows(connection, _ATTEMPTS)),
            charges=tuple(Charge(**r) for r in await _rows(connection, _CHARGES)),
            raw_webhooks=tuple(row["body"] for row in raw),
            receipts=tuple(Receipt(**r) for r in await _rows(connection, _RECEIPTS)),
            refunds=tuple(Refund(**r) for r in await _rows(connection, _REFUNDS)),
            notices=tuple(Notice(**r) for r in await _rows(connection, _NOTICES)),
            shown=tuple(Shown(**r) for r in await _rows(connection, _SHOWN)),
            intents=tuple(intents),
            inbox=tuple(inbox),
            outbox=tuple(outbox),
            unanswered_keys=unanswered,
            hanging_transactions=int(await connection.fetchval(_HANGING)),
        )
    finally:
        await connection.close()


async def read_archived(url: str) -> frozenset[tuple[str, str]]:
    """(topic, id) of every message that a decision wrote."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        found = [
            await connection.fetch(f"SELECT topic, message_id FROM {service}.outbox") for service in SERVICES
        ]
        return frozenset((row["topic"], row["message_id"]) for rows in found for row in rows)
    finally:
        await connection.close()


async def _rows(connection: Any, statement: str, service: str = "") -> list[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(statement.replace("{service}", service))]


def _payment(row: dict[str, Any]) -> Payment:
    flags = tuple((flag["reason"], flag["subject"]) for flag in json.loads(row.pop("flags")))
    return Payment(flags=flags, **row)
