"""What every answer carries, and to which pages it may be shown."""

import json

import httpx
import pytest

from tests.contract.http.raw import ask
from tests.integration.gateway.orders import captured, key, order, proof, token, webhook
from tests.integration.gateway.process import SHOP_ORIGIN, server
from tests.integration.gateway.system import System

WANTED = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
WEBHOOK = captured()
ANSWERS = {
    "order": ("POST", "/api/orders", server("shop"), json.dumps(order()).encode()),
    "cancel": ("POST", "/api/orders/order-1/cancel", server("shop"), b""),
    "create-order": ("POST", "/api/payments/create-order", token("order-1"), b'{"orderId":"order-1"}'),
    "verify": (
        "POST",
        "/api/payments/verify",
        token("order-1"),
        json.dumps({"orderId": "order-1", **proof()}).encode(),
    ),
    "return": (
        "POST",
        "/api/payments/return/razorpay?orderId=order-1",
        {"content-type": "application/x-www-form-urlencoded"},
        httpx.QueryParams(proof()).__str__().encode(),
    ),
    "refund": ("POST", "/api/payments/refund", {**server("till"), **key()}, b'{"orderId":"order-1"}'),
    "capture": ("POST", "/api/payments/capture", {**server("till"), **key()}, b'{"orderId":"order-1"}'),
    "read refund": ("GET", "/api/payments/refunds/unknown", server("reader"), b""),
    "status": ("GET", "/api/payments/order-1", token("order-1"), b""),
    "events": ("GET", "/api/payments/order-1/events", token("order-1"), b""),
    "changes": ("GET", "/api/payments", server("reader"), b""),
    "schema": ("GET", "/schema/openapi.json", {}, b""),
    "webhook": ("POST", "/api/payments/webhook/razorpay", webhook(WEBHOOK), WEBHOOK),
    "401": ("GET", "/api/payments", {}, b""),
    "404": ("GET", "/nowhere", {}, b""),
    "404 of a webhook": ("POST", "/api/payments/webhook/nobody", {}, b""),
    "405": ("DELETE", "/api/orders", server("shop"), b""),
    "413": ("POST", "/api/orders", server("shop"), b" " * 70_000),
    "415": ("POST", "/api/orders", {**server("shop"), "content-type": "text/plain"}, b"{}"),
    "422": ("POST", "/api/orders", server("shop"), b"{}"),
    "preflight": ("OPTIONS", "/api/orders", {"access-control-request-method": "POST"}, b""),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_has_the_security_headers_and_names_no_server(http: httpx.Client, name: str) -> None:
    method, path, headers, body = ANSWERS[name]
    headers = {"content-type": "application/json", **headers} if body else headers
    with http.stream(method, path, headers=headers, content=body) as answer:
        given = answer.headers
        assert answer.status_code < 500
    assert {k: given.get(k) for k in WANTED} == WANTED
    assert "server" not in given
    assert "x-powered-by" not in given
    assert all(len(given.get_list(name)) == 1 for name in WANTED)


@pytest.mark.parametrize("name", [n for n in ANSWERS if "webhook" not in n])
def test_the_shops_page_may_read_every_answer(http: httpx.Client, name: str) -> None:
    method, path, headers, body = ANSWERS[name]
    headers = {"content-type": "application/json", **headers} if body else headers
    with http.stream(method, path, headers={**headers, "origin": SHOP_ORIGIN}, content=body) as answer:
        assert answer.headers["access-control-allow-origin"] == SHOP_ORIGIN
        assert "origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("name", ["webhook", "404 of a webhook"])
def test_no_page_may_read_a_webhooks_answer(http: httpx.Client, name: str) -> None:
    method, path, headers, body = ANSWERS[name]
    answer = http.request(method, path, headers={**headers, "origin": SHOP_ORIGIN}, content=body)
    assert not [n for n in answer.headers if n.startswith("access-control")]


STRANGERS = [
    "http://evil.test", "null", "http://shop.localhost:8710.evil.test", "http://shopXlocalhost:8710",
    "https://shop.localhost:8710", "http://shop.localhost", "http://shop.localhost:87100", "http://SHOP.localhost:8710",
    "http://shop.localhost:8710/", "*", "", "file://", "http://evil.test, http://shop.localhost:8710",
]  # fmt: skip


@pytest.mark.parametrize("origin", STRANGERS)
def test_other_origins_are_told_nothing(http: httpx.Client, origin: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "GET"}
    preflight = http.options("/api/payments/order-1", headers=asked)
    answer = http.get("/api/payments/order-1", headers={**token("order-1"), "origin": origin})
    for given in (preflight.headers, answer.headers):
        assert not [n for n in given if n.startswith("access-control")]
        assert "origin" in given["vary"]


def test_two_origins_are_none(system: System) -> None:
    request = (
        b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: " + SHOP_ORIGIN.encode()
        + b"\r\nOrigin: http://evil.test\r\n\r\n"
    )  # fmt: skip
    assert "access-control-allow-origin" not in ask(system.gateway.port, request).headers


def test_preflight_allows_what_the_checkout_needs(http: httpx.Client) -> None:
    asked = {
        "origin": SHOP_ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    answer = http.options("/api/payments/create-order", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SHOP_ORIGIN
    assert answer.headers["access-control-allow-methods"] == "GET, POST"
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type"} <= set(allowed)
    assert http.options("/api/orders", headers={"origin": SHOP_ORIGIN}).status_code == 405
