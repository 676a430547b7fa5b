"""Disputes, settlements and the recon report, through the unmodified SDK."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
import razorpay
from razorpay.errors import BadRequestError

from tests.contract.simulator.running import Json, Receiver, Simulator, eventually

Started = tuple[Simulator, Receiver]


@pytest.fixture
def shop(own_simulator: Callable[..., Started]) -> Started:
    return own_simulator()


@pytest.fixture
def sdk(shop: Started) -> razorpay.Client:
    return shop[0].client()


def _paid(simulator: Simulator, sdk: razorpay.Client, amount: int) -> str:
    order = sdk.order.create({"amount": amount, "currency": "INR", "receipt": f"r-{amount}"})
    return str(simulator.pay(order["id"])["payment_id"])


def test_recon_explains_every_settled_rupee(shop: Started, sdk: razorpay.Client) -> None:
    simulator, receiver = shop
    kept, returned = _paid(simulator, sdk, 100_000), _paid(simulator, sdk, 50_000)
    dear = _paid(simulator, sdk, 10_000)
    simulator.control("POST", f"/razorpay/payments/{dear}/fee", {"fee": 900})
    refund = sdk.payment.refund(returned, {"amount": 20_000})
    settled = simulator.control("POST", "/razorpay/settle")
    india = datetime.now(UTC).astimezone(timezone(timedelta(hours=5, minutes=30)))
    day = {"year": india.year, "month": india.month, "day": india.day}
    lines = sdk.settlement.report({**day, "count": 1000})["items"]

    by_id = {line["entity_id"]: line for line in lines}
    assert set(by_id) == {kept, returned, dear, refund["id"]}
    assert by_id[dear]["fee"] == 900 != sdk.payment.fetch(dear)["fee"]
    for line in lines:
        fee = line["fee"] if line["type"] == "payment" else 0
        assert line["credit"] - line["debit"] == (
            line["amount"] - fee if line["type"] == "payment" else -line["amount"]
        )
        assert line["settlement_id"] == settled["id"]
    assert sum(line["credit"] - line["debit"] for line in lines) == settled["amount"]
    assert by_id[refund["id"]]["payment_id"] == returned
    assert by_id[kept]["order_receipt"] == "r-100000"

    shown = sdk.settlement.fetch(settled["id"])
    assert (shown["status"], shown["amount"]) == ("processed", settled["amount"])
    assert sdk.settlement.all()["items"] == [shown]
    assert sdk.settlement.report({**day, "day": 1 + day["day"] % 28})["count"] == 0
    eventually(lambda: [a for a in receiver.arrivals if a.event == "settlement.processed"])
    with pytest.raises(BadRequestError, match="The month field is required"):
        sdk.settlement.report({"year": 2026})


def test_dispute_is_contested_and_won(shop: Started, sdk: razorpay.Client) -> None:
    simulator, receiver = shop
    payment_id = _paid(simulator, sdk, 70_000)
    raised = simulator.control("POST", f"/razorpay/payments/{payment_id}/dispute", {"amount": 70_000})
    dispute = sdk.dispute.fetch(raised["id"], {"expand[]": "payment"})
    assert (dispute["status"], dispute["phase"]) == ("open", "chargeback")
    assert (dispute["amount_deducted"], dispute["payment"]["id"]) == (0, payment_id)
    draft = sdk.dispute.contest(raised["id"], {"summary": "delivered", "action": "draft"})
    assert (draft["status"], draft["evidence"]["summary"]) == ("open", "delivered")
    sent = sdk.dispute.contest(raised["id"], {"action": "submit"})
    assert sent["status"] == "under_review"
    simulator.control("POST", f"/razorpay/disputes/{raised['id']}/won")
    assert sdk.dispute.all()["items"][0]["status"] == "won"
    told = [f"payment.dispute.{what}" for what in ("created", "under_review", "won")]
    eventually(lambda: _dispute_events(receiver) == told)


def test_accepted_dispute_is_lost_and_deducted(shop: Started, sdk: razorpay.Client) -> None:
    simulator, _ = shop
    payment_id = _paid(simulator, sdk, 70_000)
    raised = simulator.control("POST", f"/razorpay/payments/{payment_id}/dispute")
    lost = sdk.dispute.accept(raised["id"])
    assert (lost["status"], lost["amount_deducted"]) == ("lost", 70_000)
    fee = sdk.payment.fetch(payment_id)["fee"]
    assert simulator.control("POST", "/razorpay/settle")["amount"] == -fee
    with pytest.raises(BadRequestError, match="cannot become"):
        sdk.dispute.accept(raised["id"])


def _dispute_events(receiver: Receiver) -> list[str]:
    bodies: list[Json] = [arrival.body for arrival in receiver.arrivals]
    return [b["event"] for b in bodies if b["event"].startswith("payment.dispute.")]
