"""Refunds and their idempotency key, through the unmodified SDK."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import razorpay
from razorpay.errors import BadRequestError

from tests.contract.simulator.running import KEY_ID, KEY_SECRET, Json, Receiver, Simulator, eventually

NewOrder = Callable[..., Json]
Started = tuple[Simulator, Receiver]


@pytest.fixture
def paid(new_order: NewOrder, simulator: Simulator) -> str:
    """A captured payment of 500.00 rupees."""
    return str(simulator.pay(new_order()["id"])["razorpay_payment_id"])


def test_full_refund_has_the_published_shape(sdk: razorpay.Client, paid: str) -> None:
    refund = sdk.payment.refund(paid, {})
    assert re.fullmatch(r"rfnd_[A-Za-z0-9]{14}", refund.pop("id"))
    assert isinstance(refund.pop("created_at"), int)
    assert refund == {
        "entity": "refund",
        "amount": 50_000,
        "currency": "INR",
        "payment_id": paid,
        "notes": [],
        "receipt": None,
        "acquirer_data": {"arn": None},
        "batch_id": None,
        "status": "processed",
        "speed_processed": "normal",
        "speed_requested": "normal",
    }
    payment = sdk.payment.fetch(paid)
    assert (payment["status"], payment["refund_status"]) == ("refunded", "full")
    assert sdk.order.fetch(payment["order_id"])["status"] == "paid"


def test_partial_refunds_add_up_and_stop_at_the_amount(sdk: razorpay.Client, paid: str) -> None:
    sdk.payment.refund(paid, {"amount": 20_000, "receipt": "r-1", "notes": {"why": "late"}})
    payment = sdk.payment.fetch(paid)
    assert (payment["status"], payment["refund_status"]) == ("captured", "partial")
    assert payment["amount_refunded"] == 20_000
    with pytest.raises(BadRequestError, match="greater than amount captured"):
        sdk.payment.refund(paid, {"amount": 30_001})
    sdk.payment.refund(paid, {"amount": "30000"})
    with pytest.raises(BadRequestError, match="fully refunded already"):
        sdk.payment.refund(paid, {"amount": 100})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"amount": 99}, "The amount must be at least INR 1.00"),
        ({"amount": 1.5}, "The amount must be an integer."),
        ({"speed": "fast"}, "The selected speed is invalid."),
        ({"currency": "INR"}, "currency is/are not required and should not be sent"),
    ],
)
def test_bad_refunds_are_refused(sdk: razorpay.Client, paid: str, body: Json, message: str) -> None:
    with pytest.raises(BadRequestError, match=re.escape(message)):
        sdk.payment.refund(paid, body)
    assert sdk.payment.fetch(paid)["amount_refunded"] == 0


def test_refund_needs_captured_money(sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator) -> None:
    declined = simulator.pay(new_order()["id"], outcome="declined")["payment_id"]
    with pytest.raises(BadRequestError, match="should be captured"):
        sdk.payment.refund(declined, {})


def test_every_way_to_read_a_refund(sdk: razorpay.Client, paid: str) -> None:
    refund = sdk.refund.create({"payment_id": paid, "amount": 10_000})
    assert sdk.refund.fetch(refund["id"]) == refund
    assert sdk.payment.fetch_refund_id(paid, refund["id"]) == refund
    assert sdk.payment.fetch_multiple_refund(paid)["items"] == [refund]
    assert sdk.refund.all({"count": 1})["items"] == [refund]
    assert sdk.refund.edit(refund["id"], {"notes": {"seen": "yes"}})["notes"] == {"seen": "yes"}


def _keyed(sdk: razorpay.Client, payment_id: str, key: str, body: Json) -> Json:
    headers = {"X-Refund-Idempotency": key}
    return sdk.payment.refund(payment_id, body, headers=headers)  # type: ignore[no-any-return]


def test_same_key_and_body_is_one_refund(sdk: razorpay.Client, paid: str) -> None:
    first = _keyed(sdk, paid, "refund-0001", {"amount": 10_000})
    again = _keyed(sdk, paid, "refund-0001", {"amount": 10_000})
    assert again == first
    assert sdk.payment.fetch(paid)["amount_refunded"] == 10_000


def test_same_key_with_another_body_is_409(simulator: Simulator, paid: str) -> None:
    def post(amount: int) -> tuple[int, Json]:
        answer = simulator.http.post(
            f"{simulator.base}/v1/payments/{paid}/refund",
            auth=(KEY_ID, KEY_SECRET),
            json={"amount": amount},
            headers={"X-Refund-Idempotency": "refund-0002"},
        )
        return answer.status_code, answer.json()

    assert post(10_000)[0] == 200
    status, body = post(20_000)
    assert (status, body["error"]["code"]) == (409, "BAD_REQUEST_ERROR")
    assert body["error"]["description"].startswith("Different request with the same idempotency")


def test_key_in_use_is_409_until_it_is_answered(
    sdk: razorpay.Client, simulator: Simulator, paid: str
) -> None:
    held = {"do": "hold", "delay_s": 1.0}
    simulator.faults(api=[{"path": "POST /v1/payments/*/refund", "next": [held]}])
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_keyed, simulator.client(), paid, "refund-0003", {"amount": 100})
        eventually(lambda: sdk.payment.fetch(paid)["amount_refunded"] == 100)
        with pytest.raises(BadRequestError, match="still in progress"):
            _keyed(sdk, paid, "refund-0003", {"amount": 100})
        answered = first.result()
    assert _keyed(sdk, paid, "refund-0003", {"amount": 100}) == answered


@pytest.mark.parametrize(
    ("key", "message"),
    [("short", "at least 10 characters long"), ("with a space", "must only contain")],
)
def test_bad_keys_are_refused(sdk: razorpay.Client, paid: str, key: str, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        _keyed(sdk, paid, key, {"amount": 10_000})


def test_pending_refund_is_processed_later_and_can_fail_after_that(
    own_simulator: Callable[..., Started],
) -> None:
    simulator, receiver = own_simulator(refund_pending_s=60)
    sdk = simulator.client()
    order = sdk.order.create({"amount": 50_000, "currency": "INR"})
    payment_id = simulator.pay(order["id"])["payment_id"]
    refund = sdk.payment.refund(payment_id, {"amount": 20_000})
    assert refund["status"] == "pending"
    eventually(lambda: sdk.refund.fetch(refund["id"])["status"] == "processed")
    simulator.control("POST", f"/razorpay/refunds/{refund['id']}/fail")
    assert sdk.refund.fetch(refund["id"])["status"] == "failed"
    payment = sdk.payment.fetch(payment_id)
    assert (payment["amount_refunded"], payment["refund_status"]) == (0, None)
    told = ["refund.created", "refund.processed", "refund.failed"]
    eventually(lambda: receiver.events(order["id"])[3:] == told)
    sdk.session.close()
