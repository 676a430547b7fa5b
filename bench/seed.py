"""Fills databases with open orders, in bulk: a real one, taken through HTTP once, is copied.

Copying whole rows keeps this true when columns come and go; only ids are changed.
"""

import json
from dataclasses import dataclass

import asyncpg

from bench.workload import AMOUNT, CURRENCY, order_id, provider_order_id

TEMPLATE = "bench-template"
TABLES = ("payments", "payment_attempts", "provider_refs", "tasks")
_ID = "lpad(n::text, 9, '0')"
_REF = "lpad(n::text, 13, '0')"


@dataclass(frozen=True, slots=True)
class Template:
    """The rows that stand for one open order, by table, and the ids in them."""

    rows: dict[str, list[str]]
    columns: dict[str, list[str]]
    ids: dict[str, str]  # text in the rows → SQL expression that takes its place


async def read_template(url: str) -> Template:
    """The rows of the order `bench-template` in schema payments."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET search_path = payments")
        attempt = await connection.fetchrow(
            "SELECT idempotency_key, provider_order_id FROM payment_attempts WHERE order_id = $1", TEMPLATE
        )
        payment = await connection.fetchrow("SELECT id::text FROM payments WHERE order_id = $1", TEMPLATE)
        ids = {
            TEMPLATE: f"'{order_id(0)[:6]}' || {_ID}",
            attempt["provider_order_id"]: f"'{provider_order_id(0)[:7]}' || {_REF}",
            attempt["idempotency_key"]: f"'attempt-bench-' || {_ID}",
            payment["id"]: f"md5({_ID})::uuid::text",
        }
        conditions = dict.fromkeys(TABLES, "order_id = $1") | {"tasks": "subject = $1 AND closed_at IS NULL"}
        rows, columns = {}, {}
        for table in TABLES:
            found = await connection.fetch(
                f"SELECT to_jsonb(t)::text AS row FROM {table} t WHERE {conditions[table]}",  # noqa: S608 - our own names
                TEMPLATE,
            )
            rows[table] = [_quiet(r["row"]) for r in found]
            columns[table] = [
                r["attname"]
                for r in await connection.fetch(
                    """SELECT attname FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0
                       AND NOT attisdropped AND attidentity = '' AND attgenerated = ''""",
                    table,
                )
            ]
        return Template(rows, columns, ids)
    finally:
        await connection.close()


def _quiet(row: str) -> str:
    """A task of a copied order is not due while we measure."""
    fields = json.loads(row)
    return json.dumps(fields | ({"due_at": "2100-01-01T00:00:00Z"} if "due_at" in fields else {}))


async def copy_orders(url: str, template: Template, first: int, count: int) -> None:
    """Orders `first` … in schema payments, each open at the provider and waiting for its buyer."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET search_path = payments")
        async with connection.transaction():
            for table in TABLES:
                for row in template.rows[table]:
                    await connection.execute(_copy(table, template), row, first, first + count - 1)
        for table in TABLES:
            await connection.execute(f"ANALYZE {table}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def _copy(table: str, template: Template) -> str:
    changed = "$1::text"
    for old, new in template.ids.items():
        changed = f"replace({changed}, '{old}', {new})"
    columns = ", ".join(template.columns[table])
    values = ", ".join(f"r.{c}" for c in template.columns[table])
    return f"""
        INSERT INTO {table} ({columns})
        SELECT {values} FROM generate_series($2::bigint, $3::bigint) n,
             LATERAL jsonb_populate_record(NULL::{table}, ({changed})::jsonb) r"""  # noqa: S608 - our own names


async def fill_peer(url: str, first: int, count: int) -> None:
    """The same orders for the peer."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            f"""
            INSERT INTO payments (order_id, provider_order_id, amount, currency, status, version, created_at,
                                  updated_at)
            SELECT '{order_id(0)[:6]}' || {_ID}, '{provider_order_id(0)[:7]}' || {_REF}, {AMOUNT},
                   '{CURRENCY}', 'pending_payment', 2, now(), now()
            FROM generate_series($1::bigint, $2::bigint) n""",  # noqa: S608 - our own constants
            first,
            first + count - 1,
        )
        await connection.execute("ANALYZE payments")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Applied:
    """Orders that stand paid in the database, and the time between the first and the last of them."""

    paid: int
    span_s: float


async def applied(url: str, first: int, count: int) -> Applied:
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            """SELECT count(*) AS paid, coalesce(extract(epoch FROM max(paid_at) - min(paid_at)), 0) AS span
               FROM payments.payments WHERE status = 'paid' AND order_id BETWEEN $1 AND $2""",
            order_id(first),
            order_id(first + count - 1),
        )
        return Applied(int(row["paid"]), float(row["span"]))
    finally:
        await connection.close()


async def applied_by_peer(url: str, first: int, count: int) -> Applied:
    """The same of the peer; `updated_at` is when it marked the payment."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            """SELECT count(*) AS paid,
                      coalesce(extract(epoch FROM max(updated_at) - min(updated_at)), 0) AS span
               FROM payments WHERE status = 'paid' AND order_id BETWEEN $1 AND $2""",
            order_id(first),
            order_id(first + count - 1),
        )
        return Applied(int(row["paid"]), float(row["span"]))
    finally:
        await connection.close()
