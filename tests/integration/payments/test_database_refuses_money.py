"""The database itself refuses refunds, disputes and captures that cannot be, whoever writes them."""

from datetime import UTC, datetime

import asyncpg
import pytest

from shared.envelope import new_id
from tests.integration.payments.system import AMOUNT, Payments, captured

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = (asyncpg.CheckViolationError, asyncpg.UniqueViolationError, asyncpg.NotNullViolationError)
ABSENT = asyncpg.ForeignKeyViolationError


async def paid(payments: Payments) -> str:
    order_id, provider_order_id = await payments.opened()
    await payments.webhook(captured(provider_order_id, f"pay_{order_id}"))
    await payments.becomes(order_id, "paid")
    return order_id


async def insert(payments: Payments, table: str, row: dict[str, object]) -> None:
    names, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await payments.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", *row.values())


def refund(order_id: str, **changes: object) -> dict[str, object]:
    """A whole row that is allowed, but for these changes."""
    row: dict[str, object] = {
        "id": f"rf-{new_id()}", "order_id": order_id, "n": 0, "provider": "razorpay",
        "charge_id": f"pay_{order_id}", "provider_order_id": "order_1", "provider_refund_id": None,
        "state": "requested", "amount": 100, "currency": "INR", "origin": "api", "reason": "",
        "asked_by": "test", "failure": "", "succeeded": False, "unknown": False,
        "created_at": datetime.now(UTC),
    }  # fmt: skip
    return row | changes


def dispute(order_id: str, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "provider": "razorpay", "dispute_id": f"disp_{order_id}", "order_id": order_id, "n": 0,
        "charge_id": f"pay_{order_id}", "kind": "chargeback", "state": "open", "money": "withdrawn",
        "amount": AMOUNT, "currency": "INR", "reason": "",
    }  # fmt: skip
    return row | changes


def charge(order_id: str, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "provider": "razorpay", "account": "acc_1", "charge_id": f"pay_2_{order_id}", "order_id": order_id,
        "provider_order_id": "order_1", "state": "authorized", "amount": AMOUNT, "currency": "INR",
        "failure": "", "failure_text": "", "stands": False, "capture_asked": False, "n": 1,
    }  # fmt: skip
    return row | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": AMOUNT + 1},
        {"amount": 0},
        {"amount": -100},
        {"currency": "inr"},
        {"state": "done"},
        {"origin": "somebody"},
        {"id": "rf-1"},
        {"id": "rf 1 with spaces"},
        {"charge_id": "pay_of_nobody"},
        {"provider": "stripe"},  # which has taken nothing for this order
        {"state": "succeeded"},
        {"state": "succeeded", "succeeded": True},  # the provider never named it
        {"state": "succeeded", "provider_refund_id": "rfnd_0"},  # succeeded, and says that it did not
        {"state": "pending"},
        {"state": "failed", "unknown": True},
        {"asked_by": None},
    ],
)
async def test_a_forbidden_refund_cannot_be_written(payments: Payments, changes: dict[str, object]) -> None:
    order_id = await paid(payments)
    with pytest.raises(REFUSED):
        await insert(payments, "refunds", refund(order_id, **changes))
    await insert(payments, "refunds", refund(order_id))  # as it stands it can be


async def test_refunds_together_cannot_exceed_the_capture(payments: Payments) -> None:
    order_id = await paid(payments)
    part = AMOUNT * 6 // 10
    first, second = refund(order_id, amount=part), refund(order_id, amount=part)
    await insert(payments, "refunds", first)
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(payments, "refunds", second)
    with pytest.raises(asyncpg.CheckViolationError):
        await payments.execute("UPDATE refunds SET amount = $2 WHERE id = $1", first["id"], AMOUNT + 1)
    await payments.execute("UPDATE refunds SET state = 'failed' WHERE id = $1", first["id"])
    await insert(payments, "refunds", second)  # what failed has given nothing back
    with pytest.raises(asyncpg.CheckViolationError):
        await payments.execute("UPDATE refunds SET state = 'requested' WHERE id = $1", first["id"])


async def test_a_refund_made_at_the_provider_is_written_whatever_it_is(payments: Payments) -> None:
    """It happened: our rules have no say in it."""
    order_id = await paid(payments)
    await insert(payments, "refunds", refund(order_id, amount=AMOUNT))
    made = {"origin": "provider", "state": "succeeded", "succeeded": True, "provider_refund_id": new_id()}
    await insert(payments, "refunds", refund(order_id, amount=AMOUNT, **made))
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(payments, "refunds", refund(order_id, **made))


async def test_what_was_not_captured_cannot_go_back(payments: Payments) -> None:
    order_id = await paid(payments)
    await insert(payments, "charges", charge(order_id))
    with pytest.raises(asyncpg.CheckViolationError):
        await insert(payments, "refunds", refund(order_id, charge_id=f"pay_2_{order_id}"))


@pytest.mark.parametrize("row", [refund("o-of-nobody"), dispute("o-of-nobody"), charge("o-of-nobody")])
async def test_nothing_hangs_under_an_order_that_is_not_there(
    payments: Payments, row: dict[str, object]
) -> None:
    table = "refunds" if "origin" in row else "disputes" if "dispute_id" in row else "charges"
    with pytest.raises((ABSENT, asyncpg.CheckViolationError)):
        await insert(payments, table, row)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "complaint"},
        {"state": "pending"},
        {"money": "lost"},
        {"amount": -1},
        {"dispute_id": None},
    ],
)
async def test_a_forbidden_dispute_cannot_be_written(payments: Payments, changes: dict[str, object]) -> None:
    order_id = await paid(payments)
    with pytest.raises(REFUSED):
        await insert(payments, "disputes", dispute(order_id, **changes))
    await insert(payments, "disputes", dispute(order_id))
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert(payments, "disputes", dispute(order_id))


@pytest.mark.parametrize(
    "changes",
    [
        {"provider": "hand", "state": "captured"},  # marked by nobody
        {"capture_amount": -1},
        {"state": "taken"},
        {"stands": True},
        {"stands": True, "state": "captured"},  # beside the one that stands
    ],
)
async def test_a_forbidden_charge_cannot_be_written(payments: Payments, changes: dict[str, object]) -> None:
    order_id = await paid(payments)
    with pytest.raises(REFUSED):
        await insert(payments, "charges", charge(order_id, **changes))
    await insert(payments, "charges", charge(order_id))


@pytest.mark.parametrize(
    "forbidden",
    [
        "UPDATE payment_attempts SET captures_declined = -1 WHERE order_id = $1",
        "UPDATE payment_attempts SET captures_declined = captures_asked + 1 WHERE order_id = $1",
        "UPDATE payment_attempts SET status = 'paid' WHERE order_id = $1",
        "UPDATE payments SET previous_status = 'refunded', status = 'failed' WHERE order_id = $1",
        "UPDATE payments SET previous_status = 'partially_refunded', status = 'failed' WHERE order_id = $1",
    ],
)
async def test_a_forbidden_step_of_money_cannot_be_written(payments: Payments, forbidden: str) -> None:
    order_id = await paid(payments)
    with pytest.raises(asyncpg.CheckViolationError):
        await payments.execute(forbidden, order_id)
