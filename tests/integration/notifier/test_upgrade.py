"""A database of the first revision keeps its documents and mails when it is brought up to date."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from shared.database import migrate
from tests.integration.notifier.system import ROOT
from tests.servers import Servers, new_database

MIGRATIONS = ROOT / "services" / "notifier" / "migrations"
ID = "7c2c0c5e-5a0f-4a39-9f0e-2f6a1f0b7c12"
OLD = f"""
INSERT INTO orders VALUES ('o-1', 'p-1', 1, 49900, 'INR', 'razorpay', 'order_1', 'pay_1', now(), false),
                          ('o-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false);
INSERT INTO order_contents (order_id, revision, content) VALUES ('o-1', 1, 'x');
INSERT INTO document_series VALUES ('R-2026', 1);
INSERT INTO documents VALUES ('{ID}', 'o-1', 'p-1', 'receipt', 'p-1', 'R-2026', 1, 1, now(), 'numbered');
INSERT INTO mails VALUES ('{ID}', 'a@b.test', '<receipt.1@shop.test>', 'deferred', 2, '450', NULL);
"""


@pytest.fixture
async def old(test_servers: Servers, tmp_path: Path) -> AsyncIterator[asyncpg.Connection]:
    """A schema of the first revision with one document, brought up to date."""
    urls = new_database(test_servers.postgres)
    shutil.copy(MIGRATIONS / "0001_notifier.py", tmp_path)
    await migrate(urls.owner("notifier"), "notifier", tmp_path)
    url = urls.admin.replace("+asyncpg", "")
    connection = await asyncpg.connect(url, server_settings={"search_path": "notifier"})
    await connection.execute(OLD)
    await migrate(urls.owner("notifier"), "notifier", MIGRATIONS)
    yield connection
    await connection.close()
    test_servers.postgres.drop_database(urls.name)


async def test_what_was_there_is_kept_and_named(old: asyncpg.Connection) -> None:
    order = await old.fetchrow("SELECT captured, issues FROM orders WHERE order_id = 'o-1'")
    assert tuple(order) == (49_900, "receipt")
    mail = await old.fetchrow(
        "SELECT mail_id::text, order_id, payment_id, kind, subject, attempts FROM mails"
    )
    assert tuple(mail) == (ID, "o-1", "p-1", "receipt", "p-1", 2)
    dated = await old.fetchval(
        "SELECT d.dated_at = o.paid_at FROM documents d JOIN orders o USING (order_id)"
    )
    assert dated


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET kind = 'poem'",
        "UPDATE mails SET state = 'lost'",
        "UPDATE mails SET document_id = NULL",
        "UPDATE orders SET captured = NULL WHERE order_id = 'o-1'",
        "UPDATE orders SET captured = 0 WHERE order_id = 'o-1'",
        "INSERT INTO refunds VALUES ('r', 'o-1', 'p-1', 'razorpay', 1, 'INR', true, 1, '', '', NULL, NULL)",
        "INSERT INTO refunds VALUES ('r', 'o-1', 'p-1', 'razorpay', 0, 'INR', true, 1, '', '', now(), NULL)",
        "INSERT INTO resends VALUES (gen_random_uuid(), 'n', 'kiran', now())",
        """INSERT INTO documents SELECT gen_random_uuid(), order_id, payment_id, 'invoice', subject, series,
           2, revision, issued_at, state, NULL, NULL, dated_at FROM documents""",
    ],
)
async def test_the_database_refuses_what_cannot_be(old: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await old.execute(statement)
