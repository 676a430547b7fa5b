"""What is Razorpay's own: the checkout's proof, its three webhooks for one fact, its limits."""

from datetime import UTC, datetime

import pytest

from shared.errors import Rejected
from shared.providers.razorpay import RazorpayAdapter
from tests.contract.providers.contract.money_scenarios import around
from tests.contract.providers.contract.orders import giving_back, request
from tests.contract.providers.contract.payment_scenarios import paid
from tests.contract.providers.drivers.razorpay import RazorpayDriver
from tests.contract.simulator.running import eventually


async def test_the_checkouts_proof_holds_for_its_order(
    razorpay_adapter: RazorpayAdapter, razorpay: RazorpayDriver
) -> None:
    opened = await razorpay_adapter.open_order(request("INR"))
    proof = razorpay.simulator.pay(opened.provider_order_id, method="card")
    assert razorpay_adapter.check_proof(proof) == (opened.provider_order_id, proof["razorpay_payment_id"])
    with pytest.raises(Rejected, match="bad-signature"):
        razorpay_adapter.check_proof({**proof, "razorpay_order_id": "order_another"})


async def test_one_payment_is_told_by_three_webhooks(
    razorpay_adapter: RazorpayAdapter, razorpay: RazorpayDriver
) -> None:
    opened, _ = await paid(razorpay_adapter, razorpay)
    eventually(lambda: len(razorpay.heard(opened.provider_order_id)) >= 3)
    states = []
    for delivery in razorpay.heard(opened.provider_order_id):
        await razorpay_adapter.verify_webhook(delivery.headers, delivery.body, datetime.now(UTC))
        content = razorpay_adapter.read_webhook(delivery.body)
        assert content.provider_order_id == opened.provider_order_id
        states += [charge.state for charge in content.seen.charges]
    assert sorted(states) == ["authorized", "captured", "captured"]


async def test_webhooks_of_refunds_and_disputes_are_read(
    razorpay_adapter: RazorpayAdapter, razorpay: RazorpayDriver
) -> None:
    opened, charge = await paid(razorpay_adapter, razorpay)
    made = await razorpay_adapter.refund(giving_back(charge, 10_000))
    dispute_id = razorpay.dispute(charge.charge_id)

    def told() -> set[tuple[str, str]]:
        read = [razorpay_adapter.read_webhook(d.body) for d in razorpay.heard(opened.provider_order_id)]
        refunds = {(refund.refund_id, refund.state) for each in read for refund in each.seen.refunds}
        return refunds | {
            (dispute.dispute_id, dispute.state) for each in read for dispute in each.seen.disputes
        }

    eventually(lambda: told() >= {(made.refund_id, "succeeded"), (dispute_id, "open")})


async def test_a_settlement_adds_up_to_what_is_left(
    razorpay_adapter: RazorpayAdapter, razorpay: RazorpayDriver
) -> None:
    _, charge = await paid(razorpay_adapter, razorpay)
    await razorpay_adapter.refund(giving_back(charge, 10_000))
    razorpay.pay_out()
    listed = [line async for line in razorpay_adapter.list_settlement_lines(*around())]
    ours = [line for line in listed if line.charge_id == charge.charge_id]
    assert sum(line.amount for line in ours) == 50_000 - 10_000
    assert len({line.settlement_id for line in ours}) == 1
