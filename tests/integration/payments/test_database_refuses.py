"""The database itself refuses states that the rules forbid, whoever writes them."""

import asyncpg
import pytest

from shared.database import plain_url
from tests.integration.payments.system import Payments, captured
from tests.servers import DatabaseUrls

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def paid(payments: Payments) -> str:
    order_id, provider_order_id = await payments.opened()
    await payments.webhook(captured(provider_order_id, f"pay_{order_id}"))
    await payments.becomes(order_id, "paid")
    return order_id


@pytest.mark.parametrize(
    "forbidden",
    [
        "UPDATE payments SET previous_status = status, status = 'failed' WHERE order_id = $1",
        "UPDATE payments SET previous_status = status, status = 'pending_payment' WHERE order_id = $1",
        "UPDATE payments SET status = 'settled' WHERE order_id = $1",
        "UPDATE payments SET amount = 0 WHERE order_id = $1",
        "UPDATE payments SET amount = -1 WHERE order_id = $1",
        "UPDATE payments SET currency = 'inr' WHERE order_id = $1",
        "UPDATE payments SET paid_at = NULL WHERE order_id = $1",
        "UPDATE payments SET closed = 'expired' WHERE order_id = $1",
        "UPDATE payments SET version = 0 WHERE order_id = $1",
        "UPDATE charges SET state = 'failed' WHERE order_id = $1",
        "UPDATE charges SET amount = -1 WHERE order_id = $1",
        """INSERT INTO charges SELECT provider, account, charge_id || '2', order_id, provider_order_id,
                  state, amount, currency, at, failure, failure_text, true, capture_asked, 9
           FROM charges WHERE order_id = $1""",
        "INSERT INTO payments SELECT * FROM payments WHERE order_id = $1",
    ],
)
async def test_a_forbidden_state_cannot_be_written(payments: Payments, forbidden: str) -> None:
    order_id = await paid(payments)
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.UniqueViolationError)):
        await payments.execute(forbidden, order_id)


@pytest.mark.usefixtures("payments")
async def test_the_services_role_cannot_change_tables(database_urls: DatabaseUrls) -> None:
    connection = await asyncpg.connect(plain_url(database_urls.app("payments")))
    try:
        for statement in (
            "DROP TABLE payments.payments",
            "ALTER TABLE payments.payments ADD COLUMN x integer",
            "CREATE TABLE payments.mine (x integer)",
            "SELECT * FROM notifier.inbox",
        ):
            with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)):
                await connection.execute(statement)
    finally:
        await connection.close()
