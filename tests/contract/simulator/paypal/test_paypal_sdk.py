"""The official SDK, unmodified but for its address, as a client of the simulator."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from paypalserversdk.exceptions.error_exception import ErrorException
from paypalserversdk.models.money import Money
from paypalserversdk.models.refund_request import RefundRequest
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient

from tests.contract.simulator.paypal.running import PayPalSimulator, Receiver, order_body
from tests.contract.simulator.running import Json, eventually

MakeOrder = Callable[..., Json]
Start = Callable[..., tuple[PayPalSimulator, Receiver]]


def capture(sdk: PaypalServersdkClient, order_id: str, key: str | None = None, **more: str) -> Any:
    return sdk.orders.capture_order({"id": order_id, "paypal_request_id": key or f"cap-{order_id}", **more})


def issue(call: Callable[[], object]) -> tuple[int, str]:
    """(status, issue) of a refused call."""
    with pytest.raises(ErrorException) as caught:
        call()
    error = caught.value
    assert error.debug_id
    return error.response_code, error.details[0].issue if error.details else error.name


def test_an_order_is_approved_captured_and_refunded(
    sdk: PaypalServersdkClient, make_order: MakeOrder, simulator: PayPalSimulator, receiver: Receiver
) -> None:
    made = make_order()
    assert made["status"] == "PAYER_ACTION_REQUIRED"
    assert [link["rel"] for link in made["links"]] == ["self", "payer-action"]
    went = simulator.paypal(f"orders/{made['id']}/approve")
    assert went["redirect"].startswith(f"http://127.0.0.1:9/back?token={made['id']}&PayerID=")
    assert sdk.orders.get_order({"id": made["id"]}).body.status == "APPROVED"
    taken = capture(sdk, made["id"])
    assert taken.status_code == 201
    (payment,) = taken.body.purchase_units[0].payments.captures
    assert (payment.status, payment.amount.value, payment.final_capture) == ("COMPLETED", "100.00", True)
    breakdown = payment.seller_receivable_breakdown
    assert float(breakdown.net_amount.value) == 100 - float(breakdown.paypal_fee.value)
    body = RefundRequest(amount=Money(currency_code="USD", value="30.00"), invoice_id=f"r-{made['id']}")
    asked = {"capture_id": payment.id, "paypal_request_id": f"r-{made['id']}", "body": body}
    asked["prefer"] = "return=representation"
    refund = sdk.payments.refund_captured_payment(asked)
    assert (refund.status_code, refund.body.status) == (201, "COMPLETED")
    assert refund.body.seller_payable_breakdown.total_refunded_amount.value == "30.00"
    again = sdk.payments.refund_captured_payment(asked)
    assert (again.status_code, again.body.id) == (200, refund.body.id)
    assert sdk.payments.get_refund({"refund_id": refund.body.id}).body.amount.value == "30.00"
    assert sdk.payments.get_captured_payment({"capture_id": payment.id}).body.status == "PARTIALLY_REFUNDED"
    order = sdk.orders.get_order({"id": made["id"]}).body
    assert [each.id for each in order.purchase_units[0].payments.refunds] == [refund.body.id]
    eventually(lambda: "PAYMENT.CAPTURE.REFUNDED" in receiver.events(payment.id))
    row = simulator.row("captures", payment.id)
    assert (row["amount"], row["refunded"]) == (10_000, 3_000)


def test_a_key_answers_with_the_latest_state(
    sdk: PaypalServersdkClient, make_order: MakeOrder, simulator: PayPalSimulator
) -> None:
    made = make_order()
    invoice_id = simulator.row("orders", made["id"])["invoice_id"]
    simulator.paypal(f"orders/{made['id']}/approve")
    body = order_body(invoice_id, "100.00", "USD", "http://127.0.0.1:9/back")
    again = sdk.orders.create_order({"body": body, "paypal_request_id": invoice_id})
    assert (again.status_code, again.body.id, again.body.status) == (200, made["id"], "APPROVED")
    first, second = capture(sdk, made["id"]), capture(sdk, made["id"])
    assert (first.status_code, second.status_code) == (201, 200)
    assert json.loads(first.text) == json.loads(second.text)
    assert issue(lambda: capture(sdk, made["id"], "another-key")) == (422, "ORDER_ALREADY_CAPTURED")
    captures = simulator.ledger()["paypal"]["captures"]
    assert sum(row["order_id"] == made["id"] for row in captures) == 1


def test_orders_that_cannot_be_captured_say_why(
    sdk: PaypalServersdkClient, make_order: MakeOrder, simulator: PayPalSimulator
) -> None:
    made = make_order()
    assert issue(lambda: capture(sdk, made["id"])) == (422, "ORDER_NOT_APPROVED")
    simulator.paypal(f"orders/{made['id']}/approve", {"outcome": "declined"})
    assert issue(lambda: capture(sdk, made["id"])) == (422, "INSTRUMENT_DECLINED")
    assert sdk.orders.get_order({"id": made["id"]}).body.status == "PAYER_ACTION_REQUIRED"
    simulator.paypal(f"orders/{made['id']}/approve")
    mock = '{"mock_application_codes":"COMPLIANCE_VIOLATION"}'
    refused = issue(lambda: capture(sdk, made["id"], paypal_mock_response=mock))
    assert refused == (422, "COMPLIANCE_VIOLATION")
    simulator.paypal(f"orders/{made['id']}/expire")
    assert issue(lambda: capture(sdk, made["id"])) == (422, "ORDER_EXPIRED")
    assert issue(lambda: sdk.orders.get_order({"id": made["id"]})) == (404, "INVALID_RESOURCE_ID")


@pytest.mark.parametrize(
    ("value", "currency", "refused"),
    [
        ("1.001", "USD", (422, "DECIMAL_PRECISION")),
        ("100.00", "HUF", (422, "DECIMAL_PRECISION")),
        ("0.00", "USD", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("-1.00", "USD", (422, "CANNOT_BE_ZERO_OR_NEGATIVE")),
        ("1,00", "USD", (400, "INVALID_PARAMETER_SYNTAX")),
        ("1.00", "KWD", (422, "CURRENCY_NOT_SUPPORTED")),
    ],
)
def test_amounts_that_paypal_does_not_take(
    make_order: MakeOrder, value: str, currency: str, refused: tuple[int, str]
) -> None:
    assert issue(lambda: make_order(value, currency)) == refused


def test_refunds_are_bounded_by_what_is_left(
    sdk: PaypalServersdkClient, make_order: MakeOrder, simulator: PayPalSimulator
) -> None:
    made = make_order()
    simulator.paypal(f"orders/{made['id']}/approve")
    capture_id = capture(sdk, made["id"]).body.purchase_units[0].payments.captures[0].id

    def refund(value: str, key: str) -> Any:
        body = RefundRequest(amount=Money(currency_code="USD", value=value), invoice_id=key)
        asked = {"capture_id": capture_id, "paypal_request_id": key, "body": body}
        return sdk.payments.refund_captured_payment(asked)

    refund("60.00", f"{made['id']}-1")
    assert issue(lambda: refund("40.01", f"{made['id']}-2")) == (422, "REFUND_AMOUNT_EXCEEDED")
    assert refund("40.00", f"{made['id']}-2").status_code == 201, "a refusal uses no key up"
    assert issue(lambda: refund("1.00", f"{made['id']}-3")) == (422, "CAPTURE_FULLY_REFUNDED")


def test_the_report_is_paged_and_lags(own_simulator: Start) -> None:
    simulator, _ = own_simulator(report_lag_s=1200)
    sdk = simulator.sdk()
    now = datetime.now(UTC)
    asked = {
        "start_date": (now - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end_date": (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "page_size": 2,
    }
    taken = set()
    for number in range(3):
        body = order_body(f"attempt-{number}", "10.00", "USD", "http://127.0.0.1:9/back")
        order = sdk.orders.create_order({"body": body, "paypal_request_id": f"attempt-{number}"}).body
        simulator.paypal(f"orders/{order.id}/approve")
        (payment,) = capture(sdk, order.id).body.purchase_units[0].payments.captures
        taken.add(payment.id)

    def search(**more: object) -> Any:
        return sdk.transaction_search.search_transactions({**asked, **more}).body

    assert search().transaction_details == [], "its lag is 2 s here"
    page = eventually(lambda: body if len((body := search()).transaction_details) == 2 else None)
    eventually(lambda: search().total_items == 3)
    last = search(page=2).transaction_details
    assert {each.transaction_info.transaction_id for each in page.transaction_details + last} == taken
    info = last[0].transaction_info
    assert (info.transaction_event_code, info.transaction_amount.value) == ("T0006", "10.00")
    assert info.fee_amount.value.startswith("-")


def test_a_rate_limit_is_paypals_own(make_order: MakeOrder, simulator: PayPalSimulator) -> None:
    simulator.faults(seed=1, api=[{"path": "POST /v2/checkout/orders", "status_429": 1.0, "before": 1.0}])
    assert issue(make_order) == (429, "RATE_LIMIT_REACHED")


def test_a_restart_keeps_orders_keys_and_certificates(own_simulator: Start) -> None:
    simulator, _ = own_simulator()
    sdk = simulator.sdk()
    body = order_body("attempt-1", "10.00", "USD", "http://127.0.0.1:9/back")
    made = sdk.orders.create_order({"body": body, "paypal_request_id": "attempt-1"}).body
    root = simulator.authorities.read_bytes()
    simulator.kill()
    simulator.start()
    sdk = simulator.sdk()
    again = sdk.orders.create_order({"body": body, "paypal_request_id": "attempt-1"})
    assert (again.status_code, again.body.id) == (200, made.id)
    simulator.paypal(f"orders/{made.id}/approve")
    assert capture(sdk, made.id).status_code == 201
    assert simulator.authorities.read_bytes() == root
