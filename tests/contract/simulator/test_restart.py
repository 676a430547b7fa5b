"""kill -9 at any time: what was answered stands, what was due still happens."""

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import pytest
import razorpay
import requests

from tests.contract.simulator.running import (
    ROOT,
    Json,
    Receiver,
    Simulator,
    eventually,
    free_port,
)

Started = tuple[Simulator, Receiver]


@pytest.fixture
def shop(own_simulator: Callable[..., Started]) -> Started:
    return own_simulator()


def _create(sdk: razorpay.Client, receipt: str) -> Json:
    order = {"amount": 50_000, "currency": "INR", "receipt": receipt}
    return sdk.order.create(order, timeout=5)  # type: ignore[no-any-return]


def test_books_are_the_same_after_kill_9(shop: Started) -> None:
    simulator, receiver = shop
    with simulator.client().session:
        sdk = simulator.client()
        paid, declined, refunded = (_create(sdk, f"r-{number}") for number in range(3))
        simulator.pay(paid["id"])
        simulator.pay(declined["id"], outcome="declined")
        payment_id = simulator.pay(refunded["id"])["payment_id"]
        sdk.payment.refund(payment_id, {"amount": 10_000})
    eventually(lambda: len(receiver.arrivals) == 9)
    eventually(lambda: all(w["state"] == "delivered" for w in simulator.ledger()["webhooks"]))
    before = simulator.ledger()
    simulator.kill()
    simulator.start()
    after = simulator.ledger()
    for part in ("razorpay", "calls", "webhooks", "faults", "seq"):
        assert after[part] == before[part]
    assert len(receiver.arrivals) == 9


def test_every_answered_order_survives_kill_9_under_load(shop: Started) -> None:
    simulator, _ = shop
    answered: list[str] = []

    def create_many(worker: int) -> None:
        sdk = simulator.client()
        with sdk.session, suppress(requests.RequestException):
            numbers = count()
            while True:
                order = _create(sdk, f"w{worker}-{next(numbers)}")
                answered.append(order["id"])

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(create_many, worker) for worker in range(4)]
        eventually(lambda: len(answered) >= 100)
        simulator.kill()
        for worker in workers:
            worker.result()
    simulator.start()
    kept = {order["id"] for order in simulator.ledger()["razorpay"]["orders"]}
    assert len(answered) >= 100
    assert set(answered) <= kept


def test_half_written_last_line_is_taken_off(shop: Started) -> None:
    simulator, _ = shop
    _create(simulator.client(), "whole")
    simulator.kill()
    path = simulator.data_dir / "ledger.jsonl"
    with path.open("ab") as file:
        file.write(b'{"seq":99,"at":1.0,"action":"cut of')
    simulator.start()
    _create(simulator.client(), "next")
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    receipts = [order["receipt"] for order in simulator.ledger()["razorpay"]["orders"]]
    assert receipts == ["whole", "next"]


def test_what_was_due_happens_after_the_restart(shop: Started) -> None:
    simulator, receiver = shop
    receiver.answer = lambda _arrival: 503
    sdk = simulator.client()
    late, pending = _create(sdk, "late"), _create(sdk, "pending")
    late_id = simulator.pay(late["id"], outcome="late", late_after_s=600)["payment_id"]
    pending_id = simulator.pay(pending["id"], outcome="pending")["payment_id"]
    eventually(lambda: receiver.of(late["id"]))
    simulator.kill()
    receiver.answer = lambda _arrival: 200
    simulator.start()
    eventually(lambda: sdk.payment.fetch(late_id)["status"] == "captured")
    eventually(lambda: sdk.payment.fetch(pending_id)["status"] == "failed")
    eventually(lambda: "order.paid" in receiver.events(late["id"]))
    first = receiver.of(late["id"])[0]
    again = [a for a in receiver.of(late["id"]) if a.event_id == first.event_id and a.status == 200]
    assert [arrival.event for arrival in again] == ["payment.failed"]


def test_faults_and_their_draws_go_on_after_the_restart(shop: Started) -> None:
    simulator, _ = shop
    sdk = simulator.client()
    simulator.faults(api=[{"path": "POST /v1/orders", "next": [{"do": "status_502", "times": 2}]}])
    with pytest.raises(requests.exceptions.JSONDecodeError):
        _create(sdk, "before")
    simulator.kill()
    simulator.start()
    with pytest.raises(requests.exceptions.JSONDecodeError):
        _create(sdk, "after")
    assert _create(sdk, "third")["receipt"] == "third"
    assert len(simulator.bites()) == 2


def test_refund_key_still_stands_for_its_refund_after_kill_9(shop: Started) -> None:
    simulator, _ = shop
    sdk = simulator.client()
    payment_id = simulator.pay(_create(sdk, "keyed")["id"])["payment_id"]
    headers = {"X-Refund-Idempotency": "refund-of-keyed"}
    first = sdk.payment.refund(payment_id, {"amount": 100}, headers=dict(headers))
    simulator.kill()
    simulator.start()
    assert sdk.payment.refund(payment_id, {"amount": 100}, headers=dict(headers)) == first


def test_second_simulator_on_one_ledger_is_refused(shop: Started) -> None:
    simulator, _ = shop
    second = subprocess.run(
        [*simulator.command, "--port", str(free_port())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert second.returncode == 1
    assert "is written by another simulator" in second.stderr.splitlines()[-1]
