"""`paystream doctor`, and that looks never hold up money."""

import json

import pytest

from shared.messages.payments import LookAgain, RefundPayment
from tests.integration.payments.operator import Operator, Said
from tests.integration.payments.system import Payments, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

RAZORPAY = "PAYMENTS_PROVIDERS__RAZORPAY__"


def lines(said: Said, mark: str) -> list[str]:
    """The findings with this mark, one line each."""
    cells = [[c.strip() for c in line.split("│")[1:-1]] for line in said.out.splitlines() if "│" in line]
    return [" | ".join(c) for c in cells if c and c[0] == mark]


async def test_settings_that_are_right_are_found_right(paystream: Operator) -> None:
    said = await paystream("doctor")
    assert said.code == 0, said.out + said.err
    good = lines(said, "✓")
    for subject in (
        "razorpay account",
        "razorpay mode",
        "razorpay keys",
        "razorpay lists",
        "clock, by razorpay",
    ):
        assert any(subject in line for line in good), said.out
    assert lines(said, "✗") == []


@pytest.mark.parametrize(
    ("settings", "subject", "fix"),
    [
        ({"KEY_SECRET": "another key secret"}, "razorpay keys", "make new keys at the provider"),
        ({"BASE_URL": "http://127.0.0.1:1"}, "razorpay keys", "can this machine reach"),
        ({"ACCOUNT": "my shop"}, "razorpay account", "PAYMENTS_PROVIDERS__RAZORPAY__ACCOUNT to acc_…"),
        ({"KEY_ID": "rzp_live_Contract000001"}, "razorpay mode", "use live keys in production alone"),
    ],
)
async def test_what_is_wrong_is_named_with_what_to_do(
    paystream: Operator, settings: dict[str, str], subject: str, fix: str
) -> None:
    said = await paystream("doctor", **{RAZORPAY + name: value for name, value in settings.items()})
    assert said.code == 1
    assert any(subject in line and fix in line for line in lines(said, "✗")), said.out


async def test_a_currency_that_its_provider_does_not_take_is_named(paystream: Operator) -> None:
    order = json.dumps({"INR": ["razorpay"], "ISK": ["razorpay"], "EUR": ["stripe"], "ZZZ": []})
    said = await paystream("doctor", PAYMENTS_PROVIDERS__ORDER_BY_CURRENCY=order)
    assert said.code == 1
    assert any("routing of INR" in line for line in lines(said, "✓"))
    wrong = lines(said, "✗")
    assert any("routing of EUR | stripe is not set up" in line for line in wrong), said.out
    assert any("routing of ZZZ | no such currency" in line for line in wrong)


async def test_a_doctor_with_nothing_to_examine_says_so(paystream: Operator) -> None:
    hidden = {name: "" for name in paystream.payments.environment() if name.startswith("PAYMENTS_")}
    said = await paystream("doctor", **hidden)
    assert said.code == 2
    assert "neither payments nor gateway is set up here" in said.err


async def test_a_refund_does_not_wait_for_slow_looks(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    await payments.verify(order_id, provider_order_id)
    await payments.becomes(order_id, "paid")
    others = [(await payments.opened())[0] for _ in range(14)]
    payments.simulator.faults(seed=1, api=[{"path": "GET /v1/orders/*/payments", "delay_s": [2.5, 2.5]}])
    for other in others:
        await payments.ask(LookAgain(order_id=other), other)

    async def crowded() -> bool:
        held = "SELECT 1 FROM tasks WHERE kind = 'look' AND lease_owner IS NOT NULL AND closed_at IS NULL"
        return len(await payments.fetch(held)) >= 6

    await eventually(crowded, what="every slot of looks holds a slow one")
    assert (await payments.ask(RefundPayment(order_id=order_id), order_id)).code == "ok"
    await payments.becomes(order_id, "refunded", timeout_s=10)
    open_looks = "SELECT 1 FROM tasks WHERE kind = 'look' AND closed_at IS NULL AND subject = ANY($1)"
    assert await payments.fetch(open_looks, others), "they are still being looked at"
