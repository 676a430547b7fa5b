"""Commands through real HTTP and real Kafka: what is sent, what is waited for, what is answered."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from shared.envelope import Envelope
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.orders import new_order_id, order, proof, token
from tests.integration.gateway.payments import Answer, as_the_contract_says
from tests.integration.gateway.process import RETURN_URL, SHOP_ORIGIN, server
from tests.integration.gateway.system import System


def test_order_is_held_and_its_token_opens_it(system: System, shop: httpx.Client) -> None:
    body = order()
    held = shop.post("/api/orders", json=body)
    assert held.status_code == 201, held.text
    assert held.json()["orderId"] == body["orderId"]
    assert held.json()["status"] == "created"
    (command,) = system.payments.commands
    assert command.type == "payments.register_order.v1"
    assert command.subject == body["orderId"]
    assert command.expiresat is not None
    sent = json.loads(bytes(command.data))["order"]
    assert sent["amount"] == 49900
    assert sent["customer"] == {"name": "Asha Rao", "email": "asha@example.com"}
    assert [line["unit_amount"] for line in sent["lines"]] == [20000, 9900]
    buyer = {"authorization": f"Bearer {held.json()['checkoutToken']}"}
    status = shop.get(f"/api/payments/{body['orderId']}", headers=buyer)
    assert status.status_code == 200
    assert status.json()["status"] == "created"


def test_order_that_is_held_already_is_a_200(system: System, shop: httpx.Client) -> None:
    def unchanged(envelope: Envelope) -> Answer:
        return "ok", {"order_id": envelope.subject, "status": "created", "change": "unchanged"}, ""

    system.payments.answer = unchanged
    assert shop.post("/api/orders", json=order()).status_code == 200


def test_create_order_gives_what_the_browser_needs(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    answer = http.post("/api/payments/create-order", json={"orderId": order_id}, headers=token(order_id))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    checkout = body.pop("checkout")
    assert body == {
        "provider": "razorpay",
        "keyId": "rzp_test_1DP5mmOlF5G5ag",
        "providerOrderId": "order_9A33XWu170gUtm",
        "amount": 49900,
        "currency": "INR",
    }
    assert checkout == {
        "name": "Kumo Tea",
        "prefill": {"name": "Asha Rao", "email": "asha@example.com"},
        "callbackUrl": f"{system.gateway.url}/api/payments/return/razorpay?orderId={order_id}",
        "script": "https://checkout.razorpay.com/v1/checkout.js",
    }


def test_create_order_gives_stripes_fields_their_secret(http: httpx.Client) -> None:
    order_id = new_order_id()
    asked = {"orderId": order_id, "provider": "stripe"}
    body = http.post("/api/payments/create-order", json=asked, headers=token(order_id)).json()
    assert (body["keyId"], body["providerOrderId"]) == (
        "pk_test_TYooMQauvdEDq54NiTphI7jx", "pi_3MtwBwLkdIwHu7ix28a3tqPa",
    )  # fmt: skip
    assert body["checkout"] == {
        "name": "Kumo Tea",
        "prefill": {"name": "Asha Rao", "email": "asha@example.com"},
        "script": "https://js.stripe.com/v3/",
        "clientSecret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJU",
        "returnUrl": f"{RETURN_URL}&orderId={order_id}",
    }


def test_create_order_says_where_paypals_buyers_approve(http: httpx.Client) -> None:
    order_id = new_order_id()
    asked = {"orderId": order_id, "provider": "paypal"}
    body = http.post("/api/payments/create-order", json=asked, headers=token(order_id)).json()
    assert (body["keyId"], body["providerOrderId"]) == ("AZxExampleClient", "5O190127TN364715T")
    assert body["checkout"] == {
        "name": "Kumo Tea",
        "prefill": {"name": "Asha Rao", "email": "asha@example.com"},
        "approveUrl": "https://www.paypal.com/checkoutnow?token=5O190127TN364715T",
    }


@pytest.mark.parametrize(
    ("provider", "proof", "provider_order_id"),
    [
        ("stripe", {"payment_intent": "pi_3MtwBwLkdIwHu7ix28a3tqPa"}, "pi_3MtwBwLkdIwHu7ix28a3tqPa"),
        ("paypal", {"paypal_order_id": "5O190127TN364715T"}, "5O190127TN364715T"),
    ],
)
def test_verify_of_a_proof_without_a_signature_is_a_reason_to_look(
    system: System, http: httpx.Client, provider: str, proof: dict[str, str], provider_order_id: str
) -> None:
    order_id = new_order_id()
    answer = http.post("/api/payments/verify", json={"orderId": order_id, **proof}, headers=token(order_id))
    assert answer.status_code == 200, answer.text
    (command,) = system.payments.commands
    assert json.loads(bytes(command.data)) == {
        "order_id": order_id, "provider": provider, "provider_order_id": provider_order_id,
    }  # fmt: skip


def test_verify_tells_a_declined_instrument(system: System, http: httpx.Client) -> None:
    system.payments.answer = lambda _: ("instrument-declined", {}, "choose another way to pay")
    order_id = new_order_id()
    body = {"orderId": order_id, "paypal_order_id": "5O190127TN364715T"}
    answer = http.post("/api/payments/verify", json=body, headers=token(order_id))
    assert (answer.status_code, answer.json()["code"]) == (409, "instrument-declined")


def test_verify_sends_the_ids_that_the_signature_covers(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    body = {"orderId": order_id, **proof()}
    answer = http.post("/api/payments/verify", json=body, headers=token(order_id))
    assert answer.json() == {"orderId": order_id, "status": "paid", "detail": "", "version": 4}
    (command,) = system.payments.commands
    assert json.loads(bytes(command.data)) == {
        "order_id": order_id,
        "provider": "razorpay",
        "provider_order_id": "order_9A33XWu170gUtm",
        "charge_id": "pay_29QQoUBi66xm2f",
    }


def test_verify_with_a_wrong_signature_produces_nothing(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    before = system.stored()
    body = {"orderId": order_id, **proof(), "razorpay_signature": "0" * 64}
    answer = http.post("/api/payments/verify", json=body, headers=token(order_id))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-signature")
    assert system.stored() == before


def test_order_to_be_captured_by_hand_is_taken(system: System, shop: httpx.Client) -> None:
    assert shop.post("/api/orders", json=order(capture="manual")).status_code == 201
    (command,) = system.payments.commands
    assert json.loads(bytes(command.data))["order"]["capture"] == "manual"


def test_cancel_tells_the_status(shop: httpx.Client) -> None:
    order_id = new_order_id()
    answer = shop.post(f"/api/orders/{order_id}/cancel")
    assert answer.json() == {"orderId": order_id, "status": "failed", "detail": "cancelled", "version": 2}
    assert shop.post(f"/api/orders/{order_id}/cancel", json={"reason": "changed my mind"}).status_code == 200


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("order-not-found", 404), ("order-closed", 409), ("already-paid", 409), ("attempt-in-flight", 409),
        ("attempt-mismatch", 409), ("provider-unavailable", 503), ("provider-unknown", 422),
        ("amount-out-of-range", 422), ("amount-not-representable", 422), ("currency-not-supported", 422),
        ("provider-rejected", 422), ("expired", 503), ("a-code-nobody-published", 500),
    ],
)  # fmt: skip
def test_refusal_of_payments_has_its_published_status(
    system: System, http: httpx.Client, code: str, status: int
) -> None:
    system.payments.answer = lambda _: (code, {}, "in words")
    order_id = new_order_id()
    answer = http.post("/api/payments/create-order", json={"orderId": order_id}, headers=token(order_id))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == (code if status != 500 else "internal")
    assert answer.json()["retryable"] is (status == 503)
    assert ("retry-after" in answer.headers) is (status == 503)


def test_no_answer_within_the_limit_is_a_202_and_the_repeat_gets_the_answer(
    system: System, http: httpx.Client
) -> None:
    system.payments.answer = lambda _: None
    order_id = new_order_id()
    began = time.monotonic()
    answer = http.post("/api/payments/create-order", json={"orderId": order_id}, headers=token(order_id))
    assert answer.status_code == 202
    assert answer.json() == {"orderId": order_id, "status": "processing", "repeat": True, "retryAfterS": 1}
    assert 2.5 < time.monotonic() - began < 4
    system.payments.answer = as_the_contract_says
    again = http.post("/api/payments/create-order", json={"orderId": order_id}, headers=token(order_id))
    assert again.status_code == 200
    first, second = system.payments.commands
    assert first.id != second.id
    assert first.data == second.data


def test_answers_find_their_own_caller_among_many(system: System) -> None:
    ids = [new_order_id() for _ in range(60)]

    def ask(order_id: str) -> str:
        body = {"orderId": order_id, **proof()}
        while True:  # on a busy machine Kafka may take its time: a 503 says so, and is repeated
            answer = client.post("/api/payments/verify", json=body, headers=token(order_id))
            if answer.status_code == 200:
                return str(answer.json()["orderId"])
            assert answer.json().get("retryable") or answer.json().get("repeat")

    with system.http() as client, ThreadPoolExecutor(20) as pool:
        assert list(pool.map(ask, ids)) == ids


def test_each_of_two_instances_gets_its_own_answers(system: System) -> None:
    second = system.another("2")
    second.start()
    try:
        with httpx.Client(timeout=15, verify=False) as client:
            for base in (system.gateway.url, second.url) * 5:
                order_id = new_order_id()
                body = {"orderId": order_id}
                url = f"{base}/api/payments/create-order"
                assert client.post(url, json=body, headers=token(order_id)).status_code == 200
    finally:
        assert second.stop() == 0


def test_death_after_the_acknowledgement_of_a_command_is_met_by_repeating_it(
    system: System, http: httpx.Client
) -> None:
    dying = system.another("dies", GATEWAY_FAILPOINT="gateway.after_accept:exit@1")
    dying.start()
    order_id = new_order_id()
    body, path = {"orderId": order_id}, "/api/payments/create-order"
    with httpx.Client(base_url=dying.url, verify=False) as client, pytest.raises(httpx.TransportError):
        client.post(path, json=body, headers=token(order_id))
    dying.kill()  # it is dead already: this only reaps it
    eventually(lambda: len(system.payments.commands) == 1)
    assert http.post(path, json=body, headers=token(order_id)).status_code == 200
    first, second = system.payments.commands
    assert (first.id != second.id, first.data) == (True, second.data)


# --- the return from a redirect ---------------------------------------------------------------------------


def test_return_confirms_and_leads_to_the_configured_shop(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    answer = http.post(f"/api/payments/return/razorpay?orderId={order_id}", data=proof())
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{RETURN_URL}&orderId={order_id}"
    eventually(lambda: system.payments.commands)
    (command,) = system.payments.commands
    assert command.type == "payments.confirm_checkout.v1"
    assert command.subject == order_id


def test_return_after_a_failure_leads_back_and_says_nothing_to_anyone(
    system: System, http: httpx.Client
) -> None:
    before = system.stored()
    form = {"error[code]": "BAD_REQUEST_ERROR", "error[metadata]": '{"order_id":"order_1"}'}
    answer = http.post("/api/payments/return/razorpay?orderId=order-1", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{RETURN_URL}&orderId=order-1")
    assert system.stored() == before


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("orderId=order-1", {**proof(), "razorpay_signature": "0" * 64}),
        ("orderId=order-1", {"razorpay_payment_id": "pay_1"}),
        ("orderId=order-1", {}),
        ("", proof()),
        ("orderId=../../evil", proof()),
        ("orderId=a&orderId=b", proof()),
        ("orderId=order-1%0d%0aset-cookie:x", proof()),
    ],
)
def test_return_without_a_proof_is_refused(
    system: System, http: httpx.Client, query: str, form: dict[str, str]
) -> None:
    before = system.stored()
    answer = http.post(f"/api/payments/return/razorpay?{query}", data=form)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("bad-proof", "bad-signature")
    assert system.stored() == before


def test_no_parameter_leads_the_buyer_elsewhere(http: httpx.Client) -> None:
    query = "orderId=order-1&return_url=https://evil.test&next=https://evil.test"
    answer = http.post(f"/api/payments/return/razorpay?{query}", data=proof())
    assert answer.headers["location"].startswith(f"{SHOP_ORIGIN}/")
    assert "evil" not in answer.headers["location"]


def test_server_key_cannot_take_a_buyers_part(http: httpx.Client) -> None:
    answer = http.post("/api/payments/create-order", json={"orderId": "order-1"}, headers=server("shop"))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
