"""Payments from the buyer's form to capture, through the unmodified SDK."""

import re
from collections.abc import Callable

import pytest
import razorpay
from razorpay.errors import BadRequestError, SignatureVerificationError

from tests.contract.simulator.running import Json, Simulator, eventually

NewOrder = Callable[..., Json]
MANUAL = {"capture": "manual", "capture_options": {"refund_speed": "normal"}}
ORDER_PAID = "the order is already paid"


def test_what_the_handler_gets_verifies_with_the_sdk(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    result = simulator.pay(order["id"])
    assert result["razorpay_order_id"] == order["id"]
    assert sdk.utility.verify_payment_signature(result)
    with pytest.raises(SignatureVerificationError):
        sdk.utility.verify_payment_signature({**result, "razorpay_order_id": new_order()["id"]})


def test_captured_payment_has_the_published_shape(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    payment = sdk.payment.fetch(simulator.pay(order["id"], method="upi")["razorpay_payment_id"])
    assert re.fullmatch(r"pay_[A-Za-z0-9]{14}", payment["id"])
    assert payment["status"] == "captured"
    assert payment["captured"] is True
    assert (payment["amount"], payment["currency"]) == (50_000, "INR")
    assert payment["order_id"] == order["id"]
    assert payment["vpa"] == "success@razorpay"
    assert (payment["fee"], payment["tax"]) == (1180, 180)  # 2 % and 18 % of that, tax within
    assert payment["notes"] == []
    assert payment["error_code"] is None
    paid = sdk.order.fetch(order["id"])
    assert (paid["status"], paid["amount_paid"], paid["amount_due"]) == ("paid", 50_000, 0)
    assert paid["attempts"] == 1


def test_paid_order_takes_no_further_payment(new_order: NewOrder, simulator: Simulator) -> None:
    order = new_order()
    simulator.pay(order["id"])
    answer = simulator.http.post(f"{simulator.base}/_sim/razorpay/orders/{order['id']}/pay", json={})
    assert answer.status_code == 400
    assert ORDER_PAID in answer.json()["error"]["description"]


@pytest.mark.parametrize(
    ("form", "reason", "code"),
    [
        ({"card": "4100280000060003"}, "card_declined", "BAD_REQUEST_ERROR"),
        ({"card": "4100280000080001"}, "insufficient_fund", "BAD_REQUEST_ERROR"),
        ({"card": "4100280000090000"}, "payment_timed_out", "BAD_REQUEST_ERROR"),
        ({"card": "4100280000070002"}, "payment_cancelled", "BAD_REQUEST_ERROR"),
        (
            {"card": "4100280000030006"},
            "card_disabled_for_online_payments",
            "BAD_REQUEST_ERROR",
        ),
        ({"card": "4100280000010008"}, "card_number_invalid", "BAD_REQUEST_ERROR"),
        ({"card": "4100280000020007"}, "gateway_technical_error", "GATEWAY_ERROR"),
        ({"card": "4100280000000009"}, "authentication_failed", "GATEWAY_ERROR"),
        ({"card": "1234"}, "card_number_invalid", "BAD_REQUEST_ERROR"),
        ({"card": "4100280000001007", "otp": "123"}, "incorrect_otp", "BAD_REQUEST_ERROR"),
        ({"method": "upi", "vpa": "failure@razorpay"}, "payment_failed", "BAD_REQUEST_ERROR"),
        ({"outcome": "declined"}, "payment_failed", "BAD_REQUEST_ERROR"),
        ({"outcome": "declined", "reason": "card_declined"}, "card_declined", "BAD_REQUEST_ERROR"),
    ],
)
def test_declines_say_why_and_the_order_can_be_tried_again(
    sdk: razorpay.Client,
    new_order: NewOrder,
    simulator: Simulator,
    form: Json,
    reason: str,
    code: str,
) -> None:
    order = new_order()
    result = simulator.pay(order["id"], **form)
    assert "razorpay_signature" not in result
    assert (result["error"]["reason"], result["error"]["code"]) == (reason, code)
    assert result["error"]["metadata"] == {
        "payment_id": result["payment_id"],
        "order_id": order["id"],
    }
    payment = sdk.payment.fetch(result["payment_id"])
    assert (payment["status"], payment["error_reason"]) == ("failed", reason)
    assert sdk.order.fetch(order["id"])["status"] == "attempted"
    assert "razorpay_signature" in simulator.pay(order["id"])
    assert sdk.order.fetch(order["id"])["attempts"] == 2


@pytest.mark.parametrize("card", ["4100280000001007", "5500670000001002", "6527658900001005"])
def test_published_cards_pay(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator, card: str
) -> None:
    result = simulator.pay(new_order()["id"], card=card)
    shown = sdk.payment.fetch(result["payment_id"], {"expand[]": "card"})["card"]
    assert shown["last4"] == card[-4:]
    assert sdk.payment.fetchCardDetails(result["payment_id"]) == shown


def test_manual_capture_waits_for_the_shop(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order(payment=MANUAL)
    payment_id = simulator.pay(order["id"])["razorpay_payment_id"]
    waiting = sdk.payment.fetch(payment_id)
    assert (waiting["status"], waiting["captured"], waiting["fee"]) == ("authorized", False, None)
    assert sdk.order.fetch(order["id"])["status"] == "attempted"
    captured = sdk.payment.capture(payment_id, 50_000, {"currency": "INR"})
    assert (captured["status"], captured["captured"]) == ("captured", True)
    assert sdk.order.fetch(order["id"])["status"] == "paid"


def test_second_payment_is_refused_while_one_is_authorized(new_order: NewOrder, simulator: Simulator) -> None:
    order = new_order(payment=MANUAL)
    simulator.pay(order["id"])
    answer = simulator.http.post(f"{simulator.base}/_sim/razorpay/orders/{order['id']}/pay", json={})
    assert answer.status_code == 400


def test_capture_refusals(sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator) -> None:
    payment_id = simulator.pay(new_order(payment=MANUAL)["id"])["razorpay_payment_id"]

    def refused(wanted_id: str, amount: object, message: str, currency: str = "INR") -> None:
        with pytest.raises(BadRequestError, match=re.escape(message)):
            sdk.payment.capture(wanted_id, amount, {"currency": currency})

    refused(payment_id, 49_999, "Capture amount must be equal to the amount authorized.")
    refused(payment_id, 50_000.5, "The amount must be an integer.")
    refused(payment_id, 50_000, "Payment currency does not match.", "USD")
    refused("pay_00000000000000", 50_000, "The id provided does not exist")
    sdk.payment.capture(payment_id, 50_000, {"currency": "INR"})
    refused(payment_id, 50_000, ORDER_PAID)
    declined = simulator.pay(new_order()["id"], outcome="declined")["payment_id"]
    refused(declined, 50_000, "Only payments which have been authorized")


def test_one_capture_for_each_captured_payment(new_order: NewOrder, simulator: Simulator) -> None:
    order = new_order()
    simulator.pay(order["id"], outcome="declined")
    paid = simulator.pay(order["id"])
    rows = simulator.ledger()["razorpay"]["captures"]
    mine = [row for row in rows if row["order_id"] == order["id"]]
    assert [row["payment_id"] for row in mine] == [paid["payment_id"]]


def test_payment_list_and_notes(sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator) -> None:
    ids = [simulator.pay(new_order()["id"])["payment_id"] for _ in range(3)]
    listed = sdk.payment.all({"count": 3, "expand[]": "card"})["items"]
    assert [payment["id"] for payment in listed] == ids[::-1]
    assert listed[0]["card"]["network"] == "Visa"
    assert sdk.payment.edit(ids[0], {"notes": {"seen": "yes"}})["notes"] == {"seen": "yes"}


def test_forced_payment_is_a_duplicate_capture_on_one_order(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    simulator.pay(order["id"])
    simulator.pay(order["id"], force=True)
    statuses = [payment["status"] for payment in sdk.order.payments(order["id"])["items"]]
    assert statuses == ["captured", "captured"]


def test_two_orders_of_one_purchase_can_both_be_captured(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    first, second = new_order(), new_order()
    for order in (first, second):
        simulator.pay(order["id"])
        assert sdk.order.fetch(order["id"])["status"] == "paid"


def test_unanswered_payment_times_out(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    """Ten minutes of the provider's time are a second here."""
    payment_id = simulator.pay(new_order()["id"], outcome="pending")["payment_id"]
    assert sdk.payment.fetch(payment_id)["status"] == "created"
    failed = eventually(lambda: _with_status(sdk, payment_id, "failed"))
    assert failed["error_reason"] == "payment_timed_out"


def test_late_authorization_turns_failed_into_captured(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    result = simulator.pay(order["id"], outcome="late", late_after_s=300)
    assert result["error"]["reason"] == "payment_timed_out"
    assert sdk.payment.fetch(result["payment_id"])["status"] == "failed"
    captured = eventually(lambda: _with_status(sdk, result["payment_id"], "captured"))
    assert captured["error_code"] is None
    assert sdk.order.fetch(order["id"])["status"] == "paid"


def test_late_authorization_past_the_automatic_period_waits_for_the_shop(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order(
        payment={
            "capture": "automatic",
            "capture_options": {"automatic_expiry_period": 12, "refund_speed": "normal"},
        }
    )
    result = simulator.pay(order["id"], outcome="late", late_after_s=13 * 60)
    eventually(lambda: _with_status(sdk, result["payment_id"], "authorized"))
    captured = sdk.payment.capture(result["payment_id"], 50_000, {"currency": "INR"})
    assert captured["status"] == "captured"


def test_late_authorization_of_a_paid_order_is_refunded_at_once(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    late = simulator.pay(order["id"], outcome="late", late_after_s=300)
    simulator.pay(order["id"])
    refunded = eventually(lambda: _with_status(sdk, late["payment_id"], "refunded"))
    assert (refunded["captured"], refunded["amount_refunded"]) == (False, 50_000)


def test_uncaptured_payment_is_given_back(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order(
        payment={
            "capture": "manual",
            "capture_options": {"manual_expiry_period": 12, "refund_speed": "normal"},
        }
    )
    payment_id = simulator.pay(order["id"])["razorpay_payment_id"]
    refunded = eventually(lambda: _with_status(sdk, payment_id, "refunded"))
    assert (refunded["captured"], refunded["refund_status"]) == (False, "full")
    assert sdk.order.fetch(order["id"])["status"] == "attempted"
    with pytest.raises(BadRequestError):
        sdk.payment.capture(payment_id, 50_000, {"currency": "INR"})


def test_a_failed_payment_can_be_marked_late(
    sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    payment_id = simulator.pay(new_order()["id"], outcome="declined")["payment_id"]
    simulator.control("POST", f"/razorpay/payments/{payment_id}/late", {"after_s": 60})
    eventually(lambda: _with_status(sdk, payment_id, "captured"))
    assert simulator.payment(payment_id)["late"] is True


def _with_status(sdk: razorpay.Client, payment_id: str, status: str) -> Json | None:
    payment: Json = sdk.payment.fetch(payment_id)
    return payment if payment["status"] == status else None
