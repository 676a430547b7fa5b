"""A provider that does not answer: left alone for a while, said in the metrics, and back by itself."""

import pytest

from shared.messages.payments import LookAgain
from tests.integration.payments.system import Payments, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOKS = '{operation="look",provider="razorpay"}'


async def metric(payments: Payments, name: str) -> float:
    _, text = await payments.ops("/metrics")
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


async def test_its_circuit_opens_the_service_stays_ready_and_the_money_is_found_when_it_is_back(
    payments: Payments,
) -> None:
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    faults = [{"path": "GET /v1/orders/*/payments", "next": [{"do": "status_502", "times": 500}]}]
    payments.simulator.faults(seed=1, api=faults)
    assert (await payments.ask(LookAgain(order_id=order_id), order_id)).code == "ok"

    async def opened() -> bool:
        return await metric(payments, f"paystream_circuit_open{LOOKS}") == 1

    await eventually(opened, what="the circuit of looks is open")
    assert await metric(payments, f"paystream_circuit_opened_total{LOOKS}") >= 1
    assert (await payments.ops("/health/ready"))[0] == 200
    assert (await payments.row(order_id))["status"] == "pending_payment"
    other = await payments.opened()
    assert other[1], "creates have a circuit of their own"

    payments.simulator.control("DELETE", "/faults")
    await payments.becomes(order_id, "paid")
    assert await metric(payments, f"paystream_circuit_open{LOOKS}") == 0


async def test_a_payment_that_a_look_told_us_first_is_counted(payments: Payments) -> None:
    by_look = 'paystream_payments_learned_total{how="look",provider="razorpay"}'
    before = await metric(payments, by_look)
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    await payments.verify(order_id, provider_order_id)
    await payments.becomes(order_id, "paid")
    assert await metric(payments, by_look) == before + 1
