"""Orders and their lists, through the unmodified SDK."""

import re
from collections.abc import Callable

import pytest
import razorpay
import requests
from razorpay.errors import BadRequestError

from tests.contract.simulator.running import KEY_ID, KEY_SECRET, Json, Simulator

NewOrder = Callable[..., Json]


def test_order_has_the_published_shape(sdk: razorpay.Client) -> None:
    order = sdk.order.create({"amount": 5000, "currency": "INR", "receipt": "r#1"})
    assert re.fullmatch(r"order_[A-Za-z0-9]{14}", order.pop("id"))
    assert isinstance(order.pop("created_at"), int)
    assert order == {
        "entity": "order",
        "amount": 5000,
        "amount_paid": 0,
        "amount_due": 5000,
        "currency": "INR",
        "receipt": "r#1",
        "offer_id": None,
        "status": "created",
        "attempts": 0,
        "notes": [],
    }


def test_notes_are_an_object_when_set_and_an_array_when_not(new_order: NewOrder) -> None:
    assert new_order(notes={"cart": "42"})["notes"] == {"cart": "42"}
    assert new_order(notes={})["notes"] == []


def test_same_order_twice_is_two_orders(sdk: razorpay.Client) -> None:
    wanted = {"amount": 5000, "currency": "INR", "receipt": "sent twice"}
    first, second = sdk.order.create(dict(wanted)), sdk.order.create(dict(wanted))
    assert first["id"] != second["id"]
    found = sdk.order.all({"receipt": "sent twice"})
    assert [order["id"] for order in found["items"]] == [second["id"], first["id"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": 99}, "The amount must be at least INR 1.00"),
        ({"amount": None}, "The amount field is required."),
        ({"amount": 10.5}, "The amount must be an integer."),
        ({"amount": True}, "The amount must be an integer."),
        ({"amount": 99_991, "currency": "KWD"}, "The last digit of the amount must be 0"),
        ({"currency": None}, "The currency field is required."),
        ({"currency": "inr"}, "Currency is not supported"),
        ({"currency": "RUPEES"}, "The currency must be 3 characters."),
        ({"receipt": "x" * 41}, "The receipt may not be greater than 40 characters."),
        ({"notes": {str(n): "x" for n in range(16)}}, "Number of fields in notes"),
        ({"notes": {"long": "x" * 257}}, "exceeds 256 characters"),
        ({"status": "paid"}, "status is/are not required and should not be sent"),
        ({"payment": {"capture": "later"}}, "The selected payment.capture is invalid."),
        (
            {"payment": {"capture": "automatic", "capture_options": {"refund_speed": "normal"}}},
            "The automatic_expiry_period field is required.",
        ),
        (
            {
                "payment": {
                    "capture": "automatic",
                    "capture_options": {"automatic_expiry_period": 11, "refund_speed": "normal"},
                }
            },
            "The automatic expiry period must be at least 12.",
        ),
        (
            {
                "payment": {
                    "capture": "manual",
                    "capture_options": {"manual_expiry_period": 7201, "refund_speed": "normal"},
                }
            },
            "The manual expiry period may not be greater than 7200.",
        ),
        (
            {"payment": {"capture": "manual", "capture_options": {"manual_expiry_period": 60}}},
            "The refund speed field is required.",
        ),
    ],
)
def test_bad_orders_are_refused(sdk: razorpay.Client, change: Json, message: str) -> None:
    wanted = {"amount": 5000, "currency": "INR", "receipt": "refused", **change}
    with pytest.raises(BadRequestError, match=re.escape(message)):
        sdk.order.create({name: value for name, value in wanted.items() if value is not None})
    assert sdk.order.all({"receipt": "refused"})["count"] == 0


@pytest.mark.parametrize(("amount", "currency"), [(1, "JPY"), (99_990, "KWD"), (2000, "USD")])
def test_amounts_are_in_the_currency_s_own_minor_units(
    sdk: razorpay.Client, amount: int, currency: str
) -> None:
    order = sdk.order.create({"amount": amount, "currency": currency})
    assert (order["amount"], order["amount_due"], order["receipt"]) == (amount, amount, None)


def test_refusal_has_the_published_body(simulator: Simulator) -> None:
    answer = simulator.http.post(
        f"{simulator.base}/v1/orders", auth=(KEY_ID, KEY_SECRET), json={"currency": "INR", "amount": 5}
    )
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "code": "BAD_REQUEST_ERROR",
            "description": "The amount must be at least INR 1.00",
            "source": "business",
            "step": "payment_initiation",
            "reason": "input_validation_failed",
            "metadata": {},
            "field": "amount",
        }
    }


def test_wrong_secret_is_401_with_a_bad_request_code(simulator: Simulator) -> None:
    stranger = razorpay.Client(auth=(KEY_ID, "guessed"), base_url=simulator.base)
    with stranger.session, pytest.raises(BadRequestError, match="Authentication failed"):
        stranger.order.all()
    answer = requests.get(f"{simulator.base}/v1/orders", auth=(KEY_ID, "guessed"), timeout=5)
    assert answer.status_code == 401


def test_scheme_of_the_authorization_is_case_sensitive(simulator: Simulator) -> None:
    good = requests.Request("GET", simulator.base, auth=(KEY_ID, KEY_SECRET)).prepare()
    header = good.headers["Authorization"]
    for value, status in ((header, 200), (header.replace("Basic", "basic"), 401)):
        answer = requests.get(f"{simulator.base}/v1/orders", headers={"Authorization": value}, timeout=5)
        assert answer.status_code == status


def test_unknown_order_and_unknown_path(sdk: razorpay.Client) -> None:
    with pytest.raises(BadRequestError, match="The id provided does not exist"):
        sdk.order.fetch("order_00000000000000")
    with pytest.raises(BadRequestError, match="The requested URL was not found"):
        sdk.get("/v1/nowhere", {})


def test_fetch_edit_and_payments_of_an_order(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    assert sdk.order.fetch(order["id"]) == order
    assert sdk.order.edit(order["id"], {"notes": {"gift": "yes"}})["notes"] == {"gift": "yes"}
    paid = simulator.pay(order["id"])
    payments = sdk.order.payments(order["id"])
    assert (payments["entity"], payments["count"]) == ("collection", 1)
    assert payments["items"][0]["id"] == paid["razorpay_payment_id"]


def test_pages_come_newest_first_without_a_total(sdk: razorpay.Client, new_order: NewOrder) -> None:
    made = [new_order()["id"] for _ in range(12)]
    first = sdk.order.all()
    assert set(first) == {"entity", "count", "items"}
    assert [order["id"] for order in first["items"]] == made[:1:-1]
    second = sdk.order.all({"count": 2, "skip": 10})
    assert [order["id"] for order in second["items"]] == made[1::-1]


def test_windows_of_lists(sdk: razorpay.Client, new_order: NewOrder) -> None:
    at = new_order()["created_at"]
    assert sdk.order.all({"from": at, "to": at + 60})["count"] >= 1
    assert sdk.order.all({"from": at + 60, "to": at + 120})["count"] == 0
    with pytest.raises(BadRequestError, match="from must be between 946684800 and 4765046400"):
        sdk.order.all({"from": 1})
    with pytest.raises(BadRequestError, match="count must be between 1 and 100"):
        sdk.order.all({"count": 101})


def test_lists_filter_by_authorized_and_expand_payments(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    paid, unpaid = new_order(), new_order()
    simulator.pay(paid["id"])
    with_payment = sdk.order.all({"authorized": 1, "count": 100, "expand[]": "payments"})["items"]
    ids = {order["id"] for order in with_payment}
    assert paid["id"] in ids
    assert unpaid["id"] not in ids
    newest = next(order for order in with_payment if order["id"] == paid["id"])
    assert newest["payments"]["items"][0]["order_id"] == paid["id"]
    assert unpaid["id"] in {o["id"] for o in sdk.order.all({"authorized": 0})["items"]}
