"""Refunds, disputes, settlements and lists: the adapter against the simulator, which keeps the truth."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import NotFound, OutcomeUnknown, Rejected
from shared.messages.facts import ProviderOrderFact
from shared.providers.base import RefundRequest
from shared.providers.razorpay import RazorpayAdapter
from tests.contract.providers.test_razorpay_calls import pay, request
from tests.contract.simulator.running import Receiver, Simulator, eventually

AROUND = (datetime.now(UTC) - timedelta(days=3), datetime.now(UTC) + timedelta(days=3))


@pytest.fixture
async def paid(razorpay_adapter: RazorpayAdapter, simulator: Simulator) -> tuple[ProviderOrderFact, str]:
    """An order and its capture, which follows the payment at once."""
    opened = await razorpay_adapter.open_order(request())
    charge_id = pay(simulator, opened.provider_order_id)["razorpay_payment_id"]
    for _ in range(100):
        if (await razorpay_adapter.read_charge(charge_id)).state == "captured":
            break
    return opened, charge_id


def refund_request(paid: tuple[ProviderOrderFact, str], amount: int, key: str) -> RefundRequest:
    opened, charge_id = paid
    return RefundRequest(
        key=f"rf-{key}-{charge_id}",
        order_id="o-1",
        provider_order_id=opened.provider_order_id,
        charge_id=charge_id,
        amount=amount,
        currency="INR",
        reason="broken",
    )


async def test_a_refund_is_found_by_our_reference_and_read_with_its_order(
    razorpay_adapter: RazorpayAdapter, paid: tuple[ProviderOrderFact, str]
) -> None:
    wanted = refund_request(paid, 10_000, "one")
    assert await razorpay_adapter.find_refund(wanted) is None
    made = await razorpay_adapter.refund(wanted)
    assert (made.amount, made.reference, made.charge_id) == (10_000, wanted.key, paid[1])
    found = await razorpay_adapter.find_refund(wanted)
    assert found is not None
    assert found.refund_id == made.refund_id
    seen = await razorpay_adapter.read(paid[0].provider_order_id)
    assert [r.refund_id for r in seen.refunds] == [made.refund_id]
    assert seen.charges[0].state == "captured"


async def test_the_same_key_is_one_refund(
    razorpay_adapter: RazorpayAdapter, paid: tuple[ProviderOrderFact, str]
) -> None:
    wanted = refund_request(paid, 10_000, "twice")
    first, second = await razorpay_adapter.refund(wanted), await razorpay_adapter.refund(wanted)
    assert first.refund_id == second.refund_id


async def test_a_lost_answer_is_unknown_and_the_refund_is_found(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator, paid: tuple[ProviderOrderFact, str]
) -> None:
    fault = {"seed": 1, "api": [{"path": "POST /v1/payments/*", "act_then_drop": 1.0}]}
    simulator.control("PUT", "/faults", fault)
    wanted = refund_request(paid, 10_000, "lost")
    with pytest.raises(OutcomeUnknown):
        await razorpay_adapter.refund(wanted)
    simulator.control("DELETE", "/faults")
    assert await razorpay_adapter.find_refund(wanted) is not None


async def test_more_than_was_captured_is_refused_in_the_providers_words(
    razorpay_adapter: RazorpayAdapter, paid: tuple[ProviderOrderFact, str]
) -> None:
    with pytest.raises(Rejected, match="refund-refused"):
        await razorpay_adapter.refund(refund_request(paid, 50_001, "much"))


async def test_nothing_can_be_cancelled(
    razorpay_adapter: RazorpayAdapter, paid: tuple[ProviderOrderFact, str]
) -> None:
    with pytest.raises(Rejected, match="cancel-refused"):
        await razorpay_adapter.cancel(paid[0].provider_order_id, "key")


async def test_what_does_not_exist_is_not_found(razorpay_adapter: RazorpayAdapter) -> None:
    with pytest.raises(NotFound):
        await razorpay_adapter.read_charge("pay_00000000000000")


async def test_lists_hold_refunds_disputes_and_settlement_lines(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator, paid: tuple[ProviderOrderFact, str]
) -> None:
    charge_id = paid[1]
    made = await razorpay_adapter.refund(refund_request(paid, 10_000, "listed"))
    simulator.control("POST", f"/razorpay/payments/{charge_id}/dispute", {"amount": 20_000})
    simulator.control("POST", "/razorpay/settle", {})
    refunds = [r.refund_id async for r in razorpay_adapter.list_refunds(*AROUND)]
    assert refunds.count(made.refund_id) == 1
    (dispute,) = [d async for d in razorpay_adapter.list_disputes(*AROUND) if d.charge_id == charge_id]
    assert (dispute.state, dispute.money, dispute.amount) == ("open", "none", 20_000)
    lines = [x async for x in razorpay_adapter.list_settlement_lines(*AROUND) if x.charge_id == charge_id]
    assert {x.kind for x in lines} >= {"payment", "refund"}
    assert all(x.net == x.amount - x.fee for x in lines)
    assert sum(x.amount for x in lines) == 50_000 - 10_000


async def test_webhooks_of_refunds_and_disputes_are_read(
    razorpay_adapter: RazorpayAdapter,
    simulator: Simulator,
    receiver: Receiver,
    paid: tuple[ProviderOrderFact, str],
) -> None:
    opened, charge_id = paid
    made = await razorpay_adapter.refund(refund_request(paid, 10_000, "told"))
    simulator.control("POST", f"/razorpay/payments/{charge_id}/dispute", {"amount": 20_000})

    def contents() -> dict[str, object]:
        read = [razorpay_adapter.read_webhook(a.raw) for a in receiver.of(opened.provider_order_id)]
        return {c.event_type: c for c in read if c.known}

    eventually(lambda: {"refund.processed", "payment.dispute.created"} <= set(contents()))
    for content in contents().values():
        assert content.provider_order_id == opened.provider_order_id  # type: ignore[attr-defined]
    told = contents()["refund.processed"].seen.refunds  # type: ignore[attr-defined]
    assert [(r.refund_id, r.state) for r in told] == [(made.refund_id, "succeeded")]
    disputes = contents()["payment.dispute.created"].seen.disputes  # type: ignore[attr-defined]
    assert [(d.charge_id, d.state) for d in disputes] == [(charge_id, "open")]
