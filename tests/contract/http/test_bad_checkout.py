"""create-order, verify, cancel, reads: bad input gets its documented answer, no row, no message."""

import time
from typing import Any

import httpx
import pytest

from tests.integration.gateway.events import created
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.orders import proof, token
from tests.integration.gateway.process import server
from tests.integration.gateway.system import System

PROOF = {"orderId": "order-1", **proof()}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "wrong-value"),
        ({"orderId": 1}, 422, "wrong-value"),
        ({"orderId": "../evil"}, 422, "wrong-value"),
        ({"orderId": "order-2"}, 404, "order-not-found"),
        ({"orderId": "order-1", "provider": "../stripe"}, 422, "wrong-value"),
        ({"orderId": "order-1", "provider": "Razorpay"}, 422, "wrong-value"),
        ({"orderId": "order-1", "provider": ["razorpay"]}, 422, "wrong-value"),
        ({"orderId": "order-1", "amount": 1}, 400, "unknown-field"),
        ({"orderId": "order-1", "returnUrl": "https://evil.test"}, 400, "unknown-field"),
    ],
)
def test_bad_create_order(system: System, http: httpx.Client, body: Any, status: int, code: str) -> None:
    before = system.stored()
    answer = http.post("/api/payments/create-order", json=body, headers=token("order-1"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert system.stored() == before


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"razorpay_signature": None}, 400, "bad-proof"),
        ({"razorpay_signature": ""}, 400, "bad-proof"),
        ({"razorpay_signature": ["a"]}, 400, "bad-proof"),
        ({"razorpay_signature": 1}, 400, "bad-proof"),
        ({"razorpay_signature": "a" * 201}, 400, "bad-proof"),
        ({"razorpay_payment_id": None}, 400, "bad-proof"),
        ({"razorpay_payment_id": "pay_1|x"}, 400, "bad-proof"),
        ({"razorpay_order_id": {}}, 400, "bad-proof"),
        ({"razorpay_order_id": "order_1\u0000"}, 400, "bad-proof"),
        ({"razorpay_signature": "0" * 64}, 400, "bad-signature"),
        ({"razorpay_signature": "ä" * 64}, 400, "bad-proof"),
        ({"payment_intent": "pi_3MtwBwLkdIwHu7ix28a3tqPa"}, 400, "bad-proof"),
        ({"razorpay_signature": None, "paypal_order_id": "5O190127TN364715T"}, 400, "bad-proof"),
        ({"razorpay_signature": "zz"}, 400, "bad-signature"),
        ({"razorpay_signature": proof()["razorpay_signature"].upper()}, 400, "bad-signature"),
        ({"razorpay_payment_id": "pay_OfAnotherOrder"}, 400, "bad-signature"),
        ({"razorpay_order_id": "order_OfAnother"}, 400, "bad-signature"),
        ({"orderId": "order-2"}, 404, "order-not-found"),
        ({"status": "paid"}, 400, "unknown-field"),
    ],
)
def test_bad_proof_produces_nothing(
    system: System, http: httpx.Client, changes: dict[str, Any], status: int, code: str
) -> None:
    before = system.stored()
    body = {k: v for k, v in {**PROOF, **changes}.items() if v is not None}
    answer = http.post("/api/payments/verify", json=body, headers=token("order-1"))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert system.stored() == before


BAD_IDS: list[Any] = [
    "",
    "a" * 201,
    "../pi_1",
    "pi_1?expand[]=x",
    "pi_1\u0000",
    "pi_1\n",
    "pi 1",
    "\u202epi_1",
    "ｐｉ_1",
    "pi_1'--",
    1,
    True,
    None,
    ["pi_1"],
    {"id": "pi_1"},
]


@pytest.mark.parametrize("value", BAD_IDS)
@pytest.mark.parametrize("field", ["payment_intent", "paypal_order_id"])
def test_bad_id_of_the_other_providers_produces_nothing(
    system: System, http: httpx.Client, field: str, value: Any
) -> None:
    before = system.stored()
    answer = http.post(
        "/api/payments/verify", json={"orderId": "order-1", field: value}, headers=token("order-1")
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-proof")
    assert system.stored() == before


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"payment_intent": "pi_1", "paypal_order_id": "5O1"},
        {"payment_intent": "pi_1", **proof()},
        {"razorpay_payment_id": "pay_1"},
        {"razorpay_payment_id": "pay_1", "payment_intent": "pi_1"},
    ],
)
def test_proof_is_one_providers_and_whole(system: System, http: httpx.Client, proof: dict[str, str]) -> None:
    before = system.stored()
    answer = http.post("/api/payments/verify", json={"orderId": "order-1", **proof}, headers=token("order-1"))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-proof")
    assert system.stored() == before


@pytest.mark.parametrize(
    "field", ["payment_intent_client_secret", "redirect_status", "PayerID", "token", "status"]
)
def test_what_else_a_return_address_says_is_not_taken(system: System, http: httpx.Client, field: str) -> None:
    before = system.stored()
    body = {"orderId": "order-1", "payment_intent": "pi_1", field: "succeeded"}
    answer = http.post("/api/payments/verify", json=body, headers=token("order-1"))
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-field")
    assert system.stored() == before


@pytest.mark.parametrize("field", ["payment_intent", "paypal_order_id"])
def test_unsigned_proof_of_a_foreign_order_is_a_404(system: System, http: httpx.Client, field: str) -> None:
    before = system.stored()
    answer = http.post(
        "/api/payments/verify", json={"orderId": "order-2", field: "pi_1"}, headers=token("order-1")
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "order-not-found")
    assert system.stored() == before


@pytest.mark.parametrize(
    "order_id",
    [
        "order-2", "order-00001", "a" * 41, "{0d1f0cb4-7b4b-4d7a-9a44-0f3c3b1c8d7e}", "' OR 1=1",
        "order-1%00",
        "order-1%0a", "%F0%9F%8D%B5", "a;b", "nan", "order-1'--",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/payments/{}", "/api/payments/{}/options", "/api/payments/{}/events"])
def test_foreign_unknown_and_impossible_orders_get_one_answer(
    system: System, http: httpx.Client, path: str, order_id: str
) -> None:
    before = system.stored()
    answer = http.get(path.format(order_id), headers=token("order-1"))
    foreign = http.get(path.format("order-of-somebody"), headers=token("order-1"))
    assert answer.status_code == 404
    assert answer.content == foreign.content
    assert answer.json()["code"] == "order-not-found"
    assert system.stored() == before


def test_foreign_and_unknown_orders_take_the_same_time(system: System, http: httpx.Client) -> None:
    """Whether an order exists does not show in how long its 404 takes."""
    system.payments.publish(created("order-that-exists"), "order-that-exists", 1)
    eventually(lambda: system.query("SELECT 1 FROM payments WHERE order_id = 'order-that-exists'"))

    fastest = {"order-that-exists": 9.0, "order-that-does-not": 9.0}
    for _ in range(60):  # in turn, so that both meet the same machine
        for order_id, best in fastest.items():
            began = time.perf_counter()
            assert http.get(f"/api/payments/{order_id}", headers=token("order-1")).status_code == 404
            fastest[order_id] = min(best, time.perf_counter() - began)
    existing, missing = fastest.values()
    assert abs(existing - missing) < 0.002


@pytest.mark.parametrize(
    "query",
    [
        "limit=nan", "limit=inf", "limit=-1", "limit=0", "limit=1e3", "limit=1001", "limit=1000000000",
        "limit=",
        "limit=%D9%A1", "limit=1&limit=2", "page=-1", "sort=;drop table payments", "filter=" + "a" * 5000,
        "updatedSince=nan", "updatedSince=yesterday", "updatedSince=", "updatedSince=2026-01-01",
        "updatedSince=2026-01-01T00:00:00", "updatedSince=0001-01-01T00:00:00%2B14:00",
        "updatedSince=9999-12-31T23:59:59-23:59", "updatedSince=2026-01-01T00:00:00Z%00",
        "updatedSince=%FF%FE",
        "cursor=", "cursor=x", "cursor=1", "cursor=1.2", "cursor=-1.0.", "cursor=99999999999999999999.0.a",
        "cursor=9223372036854775807.0.a", "cursor=4000000000000000000.0.a", "cursor=1.0.a%00",
        "cursor=1.0.a'--",
        "cursor=%D9%A1.0.", "cursor=1.99999999999999.", "%00=1", "=&=&=", "a" * 100, "%FF",
    ],
)  # fmt: skip
def test_bad_query_is_a_422(system: System, http: httpx.Client, query: str) -> None:
    before = system.stored()
    answer = http.get(f"/api/payments?{query}", headers=server("reader"))
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] in ("wrong-value", "unknown-parameter", "cursor-invalid")
    assert system.stored() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "text/nonsense"}, {"accept": ";;;"}, {"range": "bytes=0-1"}, {"if-none-match": "*"},
        {"if-modified-since": "nonsense"},
        {"accept-encoding": "gzip;q=nonsense"},
        {"accept-language": "x;q=nonsense"},
        {"x-forwarded-for": "not an address"},
        {"x-forwarded-proto": "gopher"},
        {"x-http-method-override": "DELETE"},
        {"cookie": "session=admin"}, {"origin": "null"},
    ],
)  # fmt: skip
def test_nonsense_in_other_headers_changes_nothing(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.get("/api/payments/order-1", headers={**token("order-1"), **headers})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
