"""Misbehaviour on request: each fault bites, leaves its proof, and repeats from its seed."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import razorpay
import requests
from razorpay.errors import BadRequestError, ServerError

from tests.contract.simulator.running import ROOT, Json, Receiver, Simulator, eventually

NewOrder = Callable[..., Json]
Started = tuple[Simulator, Receiver]
CREATE = "POST /v1/orders"


def _create(sdk: razorpay.Client, receipt: str) -> Json:
    order = {"amount": 50_000, "currency": "INR", "receipt": receipt}
    return sdk.order.create(order, timeout=5)  # type: ignore[no-any-return]


def _last_create(simulator: Simulator) -> Json:
    calls = [call for call in simulator.ledger()["calls"] if call["method"] == "POST"]
    return calls[-1]  # type: ignore[no-any-return]


def test_act_then_drop_makes_the_order_and_loses_the_answer(
    simulator: Simulator, sdk: razorpay.Client
) -> None:
    simulator.faults(api=[{"path": CREATE, "next": [{"do": "act_then_drop", "times": 2}]}])
    for receipt in ("lost-1", "lost-2"):
        with pytest.raises(requests.ConnectionError):
            _create(sdk, receipt)
        found = sdk.order.all({"receipt": receipt})
        assert found["count"] == 1
        call = _last_create(simulator)
        assert (call["acted"], call["answer"], call["status"]) == (True, "dropped", 200)
        assert call["result"] == found["items"][0]["id"]
    assert _create(sdk, "answered")["receipt"] == "answered"
    assert [bite["what"] for bite in simulator.bites()[-2:]] == ["act_then_drop"] * 2


def test_drop_before_acts_not(simulator: Simulator, sdk: razorpay.Client) -> None:
    simulator.faults(api=[{"path": CREATE, "next": [{"do": "drop_before"}]}])
    with pytest.raises(requests.ConnectionError):
        _create(sdk, "never made")
    assert sdk.order.all({"receipt": "never made"})["count"] == 0
    call = _last_create(simulator)
    assert (call["acted"], call["answer"], call["result"]) == (False, "dropped", None)


@pytest.mark.parametrize(
    ("effect", "status", "error"),
    [
        ("status_500_html", 500, requests.exceptions.JSONDecodeError),
        ("status_502", 502, requests.exceptions.JSONDecodeError),
        ("status_500", 500, ServerError),
        ("status_429", 429, BadRequestError),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_errors_strike_before_or_after_the_act(
    simulator: Simulator,
    sdk: razorpay.Client,
    effect: str,
    status: int,
    error: type[Exception],
    before: bool,
) -> None:
    simulator.faults(api=[{"path": CREATE, "next": [{"do": effect, "before": before}]}])
    receipt = f"{effect} {before}"
    with pytest.raises(error):
        _create(sdk, receipt)
    assert sdk.order.all({"receipt": receipt})["count"] == (0 if before else 1)
    call = _last_create(simulator)
    assert (call["status"], call["acted"], call["fault"]) == (status, not before, effect)


def test_answers_can_come_late(simulator: Simulator, sdk: razorpay.Client) -> None:
    simulator.faults(api=[{"path": CREATE, "delay_s": 0.4}])
    with pytest.raises(requests.ReadTimeout):
        sdk.order.create({"amount": 100, "currency": "INR", "receipt": "slow"}, timeout=0.2)
    assert sdk.order.all({"receipt": "slow"})["count"] == 1
    assert _create(sdk, "patient")["receipt"] == "patient"


def test_webhook_can_arrive_before_the_create_is_answered(simulator: Simulator, receiver: Receiver) -> None:
    held = {"do": "hold", "delay_s": 1.0, "pay": {"method": "upi"}}
    simulator.faults(api=[{"path": CREATE, "next": [held]}])
    before = len(receiver.arrivals)
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(_create, simulator.client(), "held")
        eventually(lambda: len(receiver.arrivals) >= before + 3)
        assert not creating.done()
        order = creating.result()
    assert order["status"] == "created"
    assert receiver.events(order["id"])[-1] == "order.paid"


def test_answers_can_be_altered(simulator: Simulator, sdk: razorpay.Client, new_order: NewOrder) -> None:
    payment_id = simulator.pay(new_order()["id"])["payment_id"]
    simulator.faults(api=[{"path": "GET /v1/payments/*", "alter": {"amount": 1}}])
    assert sdk.payment.fetch(payment_id)["amount"] == 1
    simulator.control("DELETE", "/faults")
    assert sdk.payment.fetch(payment_id)["amount"] == 50_000


def test_dropped_webhooks_never_come(simulator: Simulator, receiver: Receiver, new_order: NewOrder) -> None:
    simulator.faults(webhooks={"drop": 1.0})
    order = new_order()
    simulator.pay(order["id"])
    assert [row["state"] for row in simulator.webhooks(order["id"])] == ["dropped"] * 3
    simulator.control("DELETE", "/faults")
    later = new_order()
    simulator.pay(later["id"])
    eventually(lambda: len(receiver.of(later["id"])) == 3)
    assert receiver.of(order["id"]) == []


def test_duplicates_come_at_once_with_the_same_event_id(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    simulator.faults(webhooks={"next": [{"do": "duplicate", "copies": 10}]})
    order = new_order()
    simulator.pay(order["id"], outcome="declined")
    eventually(lambda: len(receiver.of(order["id"])) == 10)
    assert len({arrival.event_id for arrival in receiver.of(order["id"])}) == 1
    eventually(lambda: len(simulator.webhooks(order["id"])[0]["tries"]) == 10)


def test_reordered_webhook_is_overtaken(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    overtaken = {"do": "reorder", "event": "payment.authorized"}
    simulator.faults(webhooks={"next": [overtaken]})
    order = new_order()
    simulator.pay(order["id"])
    eventually(lambda: len(receiver.of(order["id"])) == 3)
    assert receiver.events(order["id"]) == ["payment.captured", "order.paid", "payment.authorized"]


def test_delayed_webhook_comes_late(simulator: Simulator, receiver: Receiver, new_order: NewOrder) -> None:
    simulator.faults(webhooks={"delay_s": [0.3, 0.6]})
    order = new_order()
    result = simulator.pay(order["id"], outcome="declined")
    eventually(lambda: receiver.of(order["id"]))
    row = simulator.webhooks(order["id"])[0]
    arrival = receiver.of(order["id"])[0]
    assert 0.3 <= arrival.at - row["created_at"] < 1.5
    assert result["outcome"] == "declined"


def test_late_authorization_on_request(
    simulator: Simulator, sdk: razorpay.Client, new_order: NewOrder
) -> None:
    simulator.faults(late_authorization={"probability": 1.0, "after_s": [60, 120]})
    result = simulator.pay(new_order()["id"])
    assert result["outcome"] == "late"
    eventually(lambda: sdk.payment.fetch(result["payment_id"])["status"] == "captured")
    assert simulator.bites()[-1]["what"] == "late_authorization"


def _run(simulator: Simulator, sdk: razorpay.Client, seed: int, receipts: list[str]) -> list[str]:
    """What each of the same requests met."""
    simulator.faults(
        seed=seed,
        api=[{"path": CREATE, "act_then_drop": 0.3, "status_502": 0.3, "before": 0.5}],
        webhooks={"duplicate": 0.3, "drop": 0.2, "reorder": 0.3, "reorder_hold_s": 0.01},
    )
    known = len(simulator.bites())
    for receipt in receipts:
        try:
            order = _create(sdk, receipt)
        except requests.RequestException:
            continue
        simulator.pay(order["id"])
    return sorted(f"{bite['what']} {bite['identity']}" for bite in simulator.bites()[known:])


def test_one_seed_repeats_and_another_differs(simulator: Simulator, sdk: razorpay.Client) -> None:
    receipts = [f"seeded-{number}" for number in range(20)]
    first = _run(simulator, sdk, 11, receipts)
    again = _run(simulator, sdk, 11, receipts[::-1])
    other = _run(simulator, sdk, 12, receipts)
    assert len(first) > 10
    assert again == first
    assert other != first


def test_repeated_request_is_drawn_anew(simulator: Simulator, sdk: razorpay.Client) -> None:
    simulator.faults(seed=3, api=[{"path": CREATE, "status_502": 0.5, "before": 1.0}])
    outcomes = set()
    for _ in range(20):
        try:
            _create(sdk, "again and again")
            outcomes.add("made")
        except requests.exceptions.JSONDecodeError:
            outcomes.add("refused")
    assert outcomes == {"made", "refused"}


def test_wrong_faults_are_refused(simulator: Simulator) -> None:
    answer = simulator.http.put(f"{simulator.base}/_sim/faults", json={"webhook": {}})
    assert answer.status_code == 400
    assert "webhook" in answer.json()["error"]


def test_documented_example_is_accepted(simulator: Simulator) -> None:
    page = (ROOT / "docs" / "simulator.md").read_text()
    [example] = re.findall(r"```json\n(\{\"seed\".*?)```", page, re.DOTALL)
    simulator.faults(**json.loads(example))
    shown = simulator.control("GET", "/faults")
    assert shown["webhooks"]["next"] == [
        {"do": "drop", "event": "order.paid", "times": 1, "delay_s": 0.0, "copies": 2}
    ]
