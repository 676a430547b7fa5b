"""The providers' clock behind real time: days of the past, played one after the other."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import razorpay
import requests

from tests.contract.simulator.running import Json, Receiver, Simulator, eventually

Started = tuple[Simulator, Receiver]
DAY_S = 86_400
WEEK_S = 7 * DAY_S


@pytest.fixture
def shop(own_simulator: Callable[..., Started]) -> Started:
    return own_simulator(time_scale=1, refund_pending_s=2 * DAY_S)


@pytest.fixture
def sdk(shop: Started) -> razorpay.Client:
    return shop[0].client()


def _paid(simulator: Simulator, sdk: razorpay.Client, receipt: str) -> Json:
    order = sdk.order.create({"amount": 50_000, "currency": "INR", "receipt": receipt})
    return sdk.payment.fetch(simulator.pay(order["id"])["payment_id"])  # type: ignore[no-any-return]


def test_a_week_is_played_in_the_past_day_by_day(shop: Started, sdk: razorpay.Client) -> None:
    simulator, receiver = shop
    simulator.control("PUT", "/clock", {"behind_s": WEEK_S})
    assert simulator.control("GET", "/health")["behind_s"] == WEEK_S
    began = int(datetime.now(UTC).timestamp()) - WEEK_S
    first = _paid(simulator, sdk, "the first day")
    assert began - 1 <= first["created_at"] <= began + 30
    refund = sdk.payment.refund(first["id"], {"amount": 20_000})
    assert (refund["status"], refund["created_at"] - first["created_at"] < 30) == ("pending", True)

    simulator.control("PUT", "/clock", {"behind_s": WEEK_S - DAY_S})
    second = _paid(simulator, sdk, "the second day")
    assert DAY_S <= second["created_at"] - first["created_at"] < DAY_S + 30
    listed = [sdk.payment.all({"from": began - 1 + n * DAY_S, "to": began + 60 + n * DAY_S}) for n in (0, 1)]
    assert [[p["id"] for p in page["items"]] for page in listed] == [[first["id"]], [second["id"]]]
    assert sdk.refund.fetch(refund["id"])["status"] == "pending"

    simulator.control("PUT", "/clock", {"behind_s": WEEK_S - 2 * DAY_S})
    eventually(lambda: sdk.refund.fetch(refund["id"])["status"] == "processed")
    told = eventually(lambda: [a for a in receiver.arrivals if a.event == "refund.processed"])
    assert 2 * DAY_S <= int(str(told[0].body["created_at"])) - refund["created_at"] < 2 * DAY_S + 30
    assert simulator.ledger()["now"] == pytest.approx(began + 2 * DAY_S, abs=60)


@pytest.mark.parametrize(
    "body", ["", "{}", '{"behind_s": -1}', '{"behind_s": "1"}', '{"behind_s": 1, "ahead_s": 1}',
             '{"behind_s": 1e999}', '{"behind_s": 31622401}', "[]"],
)  # fmt: skip
def test_what_is_no_time_is_refused(simulator: Simulator, body: str) -> None:
    answer = requests.put(f"{simulator.base}/_sim/clock", data=body, timeout=5)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert simulator.control("GET", "/health")["behind_s"] == 0


def test_once_something_has_happened_time_only_goes_forward(shop: Started, sdk: razorpay.Client) -> None:
    simulator, _ = shop
    simulator.control("PUT", "/clock", {"behind_s": DAY_S})
    simulator.control("PUT", "/clock", {"behind_s": 2 * DAY_S})
    _paid(simulator, sdk, "the only one")
    answer = requests.put(f"{simulator.base}/_sim/clock", json={"behind_s": 3 * DAY_S}, timeout=5)
    assert (answer.status_code, "only moves forward" in answer.text) == (400, True)
    assert simulator.control("PUT", "/clock", {"behind_s": 0})["behind_s"] == 0
