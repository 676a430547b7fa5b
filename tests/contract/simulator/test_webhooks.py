"""Webhooks as a shop's server sees them: signatures, order, snapshots, retries, giving up."""

import hashlib
import hmac
import json
from collections.abc import Callable
from itertools import pairwise

import razorpay

from tests.contract.simulator.running import (
    ACCOUNT_ID,
    OLD_WEBHOOK_SECRET,
    WEBHOOK_SECRET,
    Arrival,
    Json,
    Receiver,
    Simulator,
    eventually,
)

NewOrder = Callable[..., Json]
Started = tuple[Simulator, Receiver]
PAID = ["payment.authorized", "payment.captured", "order.paid"]


def _signed(arrival: Arrival, secret: str = WEBHOOK_SECRET) -> bool:
    wanted = hmac.new(secret.encode(), arrival.raw, hashlib.sha256).hexdigest()
    return arrival.signature == wanted


def _arrived(receiver: Receiver, order_id: str, count: int) -> list[Arrival]:
    def all_of_them() -> list[Arrival] | None:
        found = receiver.of(order_id)
        return found if len(found) >= count else None

    return eventually(all_of_them)


def test_three_events_of_a_paid_order_in_order_and_signed(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder, sdk: razorpay.Client
) -> None:
    order = new_order()
    simulator.pay(order["id"])
    arrivals = _arrived(receiver, order["id"], 3)
    assert [arrival.event for arrival in arrivals] == PAID
    for arrival in arrivals:
        assert _signed(arrival)
        assert sdk.utility.verify_webhook_signature(arrival.raw.decode(), arrival.signature, WEBHOOK_SECRET)
    assert len({arrival.event_id for arrival in arrivals}) == 3


def test_bodies_are_snapshots_in_the_published_envelope(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    order = new_order(receipt="snapshot")
    simulator.pay(order["id"], method="upi")
    authorized, captured, paid = (arrival.body for arrival in _arrived(receiver, order["id"], 3))
    assert (authorized["entity"], authorized["account_id"]) == ("event", ACCOUNT_ID)
    assert (authorized["contains"], paid["contains"]) == (["payment"], ["payment", "order"])
    payment = authorized["payload"]["payment"]["entity"]
    assert (payment["status"], payment["captured"], payment["fee"]) == ("authorized", False, None)
    payment = captured["payload"]["payment"]["entity"]
    assert (payment["status"], payment["fee"], payment["base_amount"]) == ("captured", 1180, 50_000)
    assert paid["payload"]["order"]["entity"]["status"] == "paid"
    assert paid["payload"]["order"]["entity"]["receipt"] == "snapshot"


def test_card_events_have_the_oddities_of_the_samples(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    order = new_order()
    simulator.pay(order["id"], method="card")
    arrival = _arrived(receiver, order["id"], 1)[0]
    payment = arrival.body["payload"]["payment"]["entity"]
    assert (payment["status"], payment["captured"]) == ("authorized", True)
    assert (payment["error_code"], payment["notes"]) == ("", [])
    assert list(arrival.body) == sorted(arrival.body)


def test_body_encoded_again_no_longer_verifies(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    order = new_order(notes={"page": "a/b", "name": "Žofia"})
    simulator.pay(order["id"], notes={"page": "a/b", "name": "Žofia"})
    arrival = _arrived(receiver, order["id"], 1)[0]
    again = json.dumps(arrival.body, separators=(",", ":"), ensure_ascii=False).encode()
    assert json.loads(again) == arrival.body
    assert not _signed(Arrival(0, "", arrival.signature, again, 200))


def test_refused_webhooks_come_again_as_they_were(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    refused = iter([500, 302, 404])
    receiver.answer = lambda _arrival: next(refused, 200)
    order = new_order()
    simulator.pay(order["id"], outcome="declined")
    tries = _arrived(receiver, order["id"], 4)
    assert [arrival.status for arrival in tries] == [500, 302, 404, 200]
    assert len({(arrival.event_id, arrival.raw, arrival.signature) for arrival in tries}) == 1
    waits = [later.at - earlier.at for earlier, later in pairwise(tries)]
    assert waits == sorted(waits)  # each wait about twice the one before
    webhook = eventually(lambda: _delivered(simulator, order["id"]))
    assert [each["status"] for each in webhook["tries"]] == [500, 302, 404, 200]


def test_failing_webhook_does_not_hold_up_the_next(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    refused = iter([500])
    receiver.answer = lambda _arrival: next(refused, 200)
    order = new_order()
    simulator.pay(order["id"])
    arrivals = _arrived(receiver, order["id"], 4)
    assert [arrival.event for arrival in arrivals] == [*PAID, "payment.authorized"]


def test_no_answer_within_five_seconds_is_a_failure(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    receiver.hold_s = 5.5
    order = new_order()
    simulator.pay(order["id"], outcome="declined")
    _arrived(receiver, order["id"], 1)
    receiver.hold_s = 0.0
    webhook = eventually(lambda: _delivered(simulator, order["id"]), 20)
    first, second = webhook["tries"]
    assert (first["status"], first["error"]) == (None, "no answer within the deadline")
    assert 4900 <= first["took_ms"] <= 5400
    assert second["status"] == 200


def test_after_a_day_of_failures_the_endpoint_is_disabled(
    own_simulator: Callable[..., Started],
) -> None:
    """A day is a second here."""
    simulator, receiver = own_simulator(time_scale=86_400)
    receiver.answer = lambda _arrival: 503
    sdk = simulator.client()
    with sdk.session:
        first = sdk.order.create({"amount": 100, "currency": "INR"})
        simulator.pay(first["id"], outcome="declined")
        eventually(lambda: simulator.webhooks(first["id"])[0]["state"] == "given_up")
        tries = simulator.webhooks(first["id"])[0]["tries"]
        assert len(tries) > 5
        assert simulator.ledger()["endpoints"][0]["disabled_at"] is not None

        receiver.answer = lambda _arrival: 200
        second = sdk.order.create({"amount": 100, "currency": "INR"})
        simulator.pay(second["id"])
        assert {row["state"] for row in simulator.webhooks(second["id"])} == {"endpoint_disabled"}
        simulator.control("POST", "/endpoints/razorpay/enable")
        third = sdk.order.create({"amount": 100, "currency": "INR"})
        simulator.pay(third["id"])
        assert [a.event for a in _arrived(receiver, third["id"], 3)] == PAID
        assert receiver.of(second["id"]) == []


def test_any_webhook_can_be_sent_again(simulator: Simulator, receiver: Receiver, new_order: NewOrder) -> None:
    order = new_order()
    simulator.pay(order["id"], outcome="declined")
    first = _arrived(receiver, order["id"], 1)[0]
    eventually(lambda: _delivered(simulator, order["id"]))
    simulator.control("POST", f"/webhooks/{first.event_id}/resend")
    second = _arrived(receiver, order["id"], 2)[1]
    assert (second.event_id, second.raw) == (first.event_id, first.raw)


def test_events_made_by_hand_are_signed_like_the_others(simulator: Simulator, receiver: Receiver) -> None:
    before = len(receiver.arrivals)
    made = {"event": "payment.odd", "payload": {"x": {"entity": {}}}, "account_id": "acc_Foreign"}
    simulator.control("POST", "/razorpay/webhooks", made)
    simulator.control("POST", "/razorpay/webhooks", {"event": "raw", "body": "not json"})
    eventually(lambda: len(receiver.arrivals) == before + 2)
    odd, raw = receiver.arrivals[before:]
    assert odd.body["account_id"] == "acc_Foreign"
    assert raw.raw == b"not json"
    assert _signed(odd)
    assert _signed(raw)


def test_rotation_signs_new_events_anew_and_retries_as_before(
    own_simulator: Callable[..., Started],
) -> None:
    simulator, receiver = own_simulator()
    order = simulator.client().order.create({"amount": 100, "currency": "INR"})
    refused = iter([500])
    receiver.answer = lambda _arrival: next(refused, 200)
    simulator.pay(order["id"], outcome="declined")
    _arrived(receiver, order["id"], 1)
    simulator.control("PUT", "/razorpay/webhook-secret", {"webhook_secret": "the new one"})
    simulator.pay(order["id"], outcome="declined")
    arrivals = _arrived(receiver, order["id"], 3)
    by_event: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        by_event.setdefault(arrival.event_id, []).append(arrival)
    first, second = by_event.values()
    assert [_signed(arrival) for arrival in first] == [True, True]
    assert [_signed(arrival, "the new one") for arrival in second] == [True]


def test_some_events_may_be_signed_with_the_old_secret_or_a_wrong_one(
    simulator: Simulator, receiver: Receiver, new_order: NewOrder
) -> None:
    simulator.faults(webhooks={"next": [{"do": "old_secret"}, {"do": "bad_signature"}]})
    order = new_order()
    simulator.pay(order["id"])
    old, wrong, good = _arrived(receiver, order["id"], 3)
    assert _signed(old, OLD_WEBHOOK_SECRET)
    assert not _signed(wrong)
    assert not _signed(wrong, OLD_WEBHOOK_SECRET)
    assert _signed(good)


def _delivered(simulator: Simulator, order_id: str) -> Json | None:
    row: Json = simulator.webhooks(order_id)[0]
    return row if row["state"] == "delivered" else None
