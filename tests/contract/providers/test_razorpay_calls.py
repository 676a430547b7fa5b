"""The adapter's calls, through the official SDK, against the simulator."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import OutcomeUnknown, Rejected
from shared.messages.facts import ProviderOrderFact
from shared.providers.base import CaptureRequest, OrderRequest
from shared.providers.razorpay import RazorpayAdapter
from tests.contract.simulator.running import Receiver, Simulator, eventually

_numbers = itertools.count(1)


def request(amount: int = 50_000, *, capture_automatically: bool = True) -> OrderRequest:
    reference = f"contract-{next(_numbers):06d}"
    return OrderRequest(
        reference=reference,
        order_id="o-1",
        amount=amount,
        currency="INR",
        asked_at=datetime.now(UTC),
        capture_automatically=capture_automatically,
    )


def taking(opened: ProviderOrderFact, charge_id: str, amount: int) -> CaptureRequest:
    return CaptureRequest(
        key=f"capture-{charge_id}",
        provider_order_id=opened.provider_order_id,
        charge_id=charge_id,
        amount=amount,
        currency=opened.currency,
        authorized=opened.amount,
    )


def pay(simulator: Simulator, order_id: str, outcome: str = "success") -> dict[str, str]:
    answer: dict[str, str] = simulator.control(
        "POST", f"/razorpay/orders/{order_id}/pay", {"method": "card", "outcome": outcome}
    )
    return answer


async def test_an_opened_order_is_found_by_our_reference(razorpay_adapter: RazorpayAdapter) -> None:
    wanted = request()
    opened = await razorpay_adapter.open_order(wanted)
    assert (opened.amount, opened.currency, opened.reference) == (50_000, "INR", wanted.reference)
    assert await razorpay_adapter.find_order(wanted) == opened
    assert await razorpay_adapter.read_order(opened.provider_order_id) == opened
    assert await razorpay_adapter.find_order(request()) is None


async def test_a_paid_order_is_read_with_its_capture(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator
) -> None:
    opened = await razorpay_adapter.open_order(request())
    proof = pay(simulator, opened.provider_order_id)
    assert razorpay_adapter.check_proof(proof) == (opened.provider_order_id, proof["razorpay_payment_id"])
    (charge,) = (await razorpay_adapter.read(opened.provider_order_id)).charges
    assert (charge.charge_id, charge.amount) == (proof["razorpay_payment_id"], 50_000)
    assert charge.state in ("authorized", "captured")


async def test_a_decline_is_read_with_its_reason(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator
) -> None:
    opened = await razorpay_adapter.open_order(request())
    pay(simulator, opened.provider_order_id, "declined")
    (charge,) = (await razorpay_adapter.read(opened.provider_order_id)).charges
    assert charge.state == "failed"
    assert charge.failure
    assert charge.failure_text


async def test_an_authorisation_is_captured_once_and_a_second_capture_is_refused(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator
) -> None:
    opened = await razorpay_adapter.open_order(request(capture_automatically=False))
    proof = pay(simulator, opened.provider_order_id)
    charge_id = proof["razorpay_payment_id"]
    assert (await razorpay_adapter.read_charge(charge_id)).state == "authorized"
    with pytest.raises(Rejected):
        await razorpay_adapter.capture(taking(opened, charge_id, 49_999))
    assert (await razorpay_adapter.capture(taking(opened, charge_id, 50_000))).state == "captured"
    with pytest.raises(Rejected):
        await razorpay_adapter.capture(taking(opened, charge_id, 50_000))


async def test_a_lost_answer_is_unknown_and_the_order_is_found_by_its_receipt(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator
) -> None:
    simulator.control(
        "PUT", "/faults", {"seed": 1, "api": [{"path": "POST /v1/orders", "act_then_drop": 1.0}]}
    )
    wanted = request()
    with pytest.raises(OutcomeUnknown):
        await razorpay_adapter.open_order(wanted)
    simulator.control("DELETE", "/faults")
    found = await razorpay_adapter.find_order(wanted)
    assert found is not None
    assert found.reference == wanted.reference


async def test_calls_run_side_by_side_without_mixing_their_amounts(razorpay_adapter: RazorpayAdapter) -> None:
    requests = [request(10_000 + n) for n in range(20)]
    opened = await asyncio.gather(*(razorpay_adapter.open_order(r) for r in requests))
    assert [o.amount for o in opened] == [r.amount for r in requests]
    assert [o.reference for o in opened] == [r.reference for r in requests]


async def test_a_window_lists_every_payment_once_across_pages(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.providers.razorpay.adapter.PAGE", 3)
    ids = set()
    for _ in range(7):
        opened = await razorpay_adapter.open_order(request())
        ids.add(pay(simulator, opened.provider_order_id)["razorpay_payment_id"])
    now = datetime.now(UTC)
    listed = [
        c.charge_id
        async for c in razorpay_adapter.list_charges(now - timedelta(days=30), now + timedelta(days=30))
    ]
    assert len(listed) == len(set(listed))
    assert ids <= set(listed)


async def test_the_simulators_webhooks_are_verified_and_read(
    razorpay_adapter: RazorpayAdapter, simulator: Simulator, receiver: Receiver
) -> None:
    opened = await razorpay_adapter.open_order(request())
    pay(simulator, opened.provider_order_id)
    eventually(lambda: len(receiver.of(opened.provider_order_id)) >= 3)
    states = []
    for arrival in receiver.of(opened.provider_order_id):
        headers = {"x-razorpay-signature": arrival.signature}
        await razorpay_adapter.verify_webhook(headers, arrival.raw, datetime.now(UTC))
        content = razorpay_adapter.read_webhook(arrival.raw)
        assert content.account == razorpay_adapter.account
        assert content.known
        assert content.provider_order_id == opened.provider_order_id
        states += [c.state for c in content.seen.charges]
    assert sorted(states) == ["authorized", "captured", "captured"]


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (99, "INR", "amount-out-of-range"),
        (12_345, "KWD", "amount-not-representable"),
        (500, "VND", "currency-not-supported"),
    ],
)
def test_what_razorpay_cannot_take_is_refused_up_front(
    razorpay_adapter: RazorpayAdapter, amount: int, currency: str, code: str
) -> None:
    with pytest.raises(Rejected, match=code):
        razorpay_adapter.check_amount(amount, currency)


@pytest.mark.parametrize(("amount", "currency"), [(100, "INR"), (500, "JPY"), (12_340, "KWD"), (50, "USD")])
def test_what_razorpay_takes(razorpay_adapter: RazorpayAdapter, amount: int, currency: str) -> None:
    razorpay_adapter.check_amount(amount, currency)
