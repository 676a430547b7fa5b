"""Who may call what: every route against every kind of caller; tokens that must not open anything."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from services.gateway.app import ROUTES
from tests.integration.gateway.orders import key, order, proof, token
from tests.integration.gateway.process import API_KEYS, SIGNING_KEY, server
from tests.integration.gateway.system import System

ORDER_ID = "order-1"
# Made when they are needed: a token that was made when the tests were collected may be over by then.
CALLERS: dict[str, Callable[[], dict[str, str]]] = {
    "nobody": dict,
    "buyer": lambda: token(ORDER_ID),
    "other buyer": lambda: token("order-2"),
    "shop": lambda: server("shop"),
    "reader": lambda: server("reader"),
    "till": lambda: server("till"),
    "no scopes": lambda: server("nothing"),
}
# Route: (how to call it, what each of the callers above gets, in their order).
POLICY: dict[str, tuple[tuple[str, str, Any], tuple[int, ...]]] = {
    "place_order": (("POST", "/api/orders", order(ORDER_ID)), (401, 403, 403, 201, 403, 403, 403)),
    "cancel_order": (("POST", f"/api/orders/{ORDER_ID}/cancel", None), (401, 403, 403, 200, 403, 403, 403)),
    "create_order": (
        ("POST", "/api/payments/create-order", {"orderId": ORDER_ID}),
        (401, 200, 404, 403, 403, 403, 403),
    ),
    "verify": (
        ("POST", "/api/payments/verify", {"orderId": ORDER_ID, **proof()}),
        (401, 200, 404, 403, 403, 403, 403),
    ),
    "refund": (("POST", "/api/payments/refund", {"orderId": ORDER_ID}), (401, 403, 403, 403, 403, 201, 403)),
    "capture": (
        ("POST", "/api/payments/capture", {"orderId": ORDER_ID}),
        (401, 403, 403, 403, 403, 200, 403),
    ),
    "read_refund": (("GET", "/api/payments/refunds/unknown", None), (401, 403, 403, 404, 404, 403, 403)),
    "options": (("GET", f"/api/payments/{ORDER_ID}/options", None), (401, 503, 404, 404, 404, 403, 403)),
    "status": (("GET", f"/api/payments/{ORDER_ID}", None), (401, 200, 404, 404, 404, 403, 403)),
    "events": (("GET", f"/api/payments/{ORDER_ID}/events", None), (401, 200, 404, 404, 404, 403, 403)),
    "changes": (("GET", "/api/payments", None), (401, 403, 403, 200, 200, 403, 403)),
    "return_razorpay": (
        ("POST", "/api/payments/return/razorpay", None),
        (400, 400, 400, 400, 400, 400, 400),
    ),
}


def test_every_route_has_a_policy() -> None:
    assert {route.fn.__name__ for route in ROUTES} == set(POLICY)
    assert all(route.opt.get("access") for route in ROUTES)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", POLICY)
def test_caller_gets_what_the_policy_says(http: httpx.Client, route: str, caller: str) -> None:
    (method, path, body), expected = POLICY[route]
    with http.stream(method, path, json=body, headers={**CALLERS[caller](), **key()}) as answer:
        status = answer.status_code
        headers = answer.headers
    assert status == expected[list(CALLERS).index(caller)]
    assert ("www-authenticate" in headers) is (status == 401)


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts)


def encoded(key: str = SIGNING_KEY, algorithm: str = "HS256", **claims: Any) -> str:
    body = {"sub": ORDER_ID, "aud": "paystream-checkout", "exp": int(time.time()) + 600, **claims}
    return jwt.encode({k: v for k, v in body.items() if v is not None}, key, algorithm=algorithm)


CLAIMS = {"sub": ORDER_ID, "aud": "paystream-checkout", "exp": 9_999_999_999}
BAD_TOKENS = {
    "algorithm none": forged({"alg": "none", "typ": "JWT"}, CLAIMS),
    "algorithm None": forged({"alg": "None"}, CLAIMS),
    "HS384": encoded(algorithm="HS384"),
    "HS512": encoded(algorithm="HS512"),
    "RS256 in the header": forged({"alg": "RS256"}, CLAIMS, b"x" * 256),
    "other key": encoded(key="another-key-another-key-another-key-0"),
    "empty key": forged({"alg": "HS256"}, CLAIMS, b"x" * 32),
    "key from the header": forged({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, CLAIMS, b"x" * 32),
    "kid with a path": forged({"alg": "HS256", "kid": "../../dev/null"}, CLAIMS, b"x" * 32),
    "unknown critical header": forged({"alg": "HS256", "crit": ["b64"], "b64": False}, CLAIMS, b"x" * 32),
    "expired": encoded(exp=int(time.time()) - 60),
    "no expiry": encoded(exp=None),
    "expiry as text": forged({"alg": "HS256"}, {**CLAIMS, "exp": "never"}, b"x" * 32),
    "other audience": encoded(aud="paystream-console"),
    "no audience": encoded(aud=None),
    "list of audiences": encoded(aud=["paystream-checkout", "x"]),
    "no subject": encoded(sub=None),
    "subject with a path": encoded(sub="../order-1"),
    "not before": encoded(nbf=int(time.time()) + 600),
    "garbage": "garbage",
    "dots": "..",
    "many dots": "." * 500,
    "very long": "a" * 10_000,
    "deep JSON": base64.urlsafe_b64encode(b"[" * 2500).decode() + ".e30.e30",
    "not UTF-8": base64.urlsafe_b64encode(b"\xff\xfe").decode() + ".e30.e30",
    "key name": "shop",
    "key with a tail": API_KEYS["shop"][0] + "x",
    "half a key": API_KEYS["shop"][0][:10],
    "key in upper case": API_KEYS["shop"][0].upper(),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_bad_credential_is_a_401(http: httpx.Client, name: str) -> None:
    headers = {"authorization": f"Bearer {BAD_TOKENS[name]}"}
    answer = http.get(f"/api/payments/{ORDER_ID}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("start", ["Basic ", "Token ", "", "BearerX ", "Bearer", "Bearer, "])
def test_other_schemes_are_a_401(http: httpx.Client, start: str) -> None:
    answer = http.get("/api/payments", headers={"authorization": start + API_KEYS["shop"][0]})
    assert answer.status_code == 401


def test_credential_in_the_address_is_not_taken(http: httpx.Client) -> None:
    assert http.get(f"/api/payments/{ORDER_ID}?token={encoded()}").status_code == 401


def test_token_lives_as_long_as_it_says(http: httpx.Client) -> None:
    good = {"authorization": f"Bearer {encoded(exp=int(time.time()) + 2)}"}
    assert http.get(f"/api/payments/{ORDER_ID}", headers=good).status_code == 200


def test_credentials_and_personal_data_are_not_logged(system: System, shop: httpx.Client) -> None:
    body = order(customer={"name": "Canary Name", "email": "canary@example.com"})
    assert shop.post("/api/orders", json=body).status_code == 201
    given = {"authorization": f"Bearer {encoded(key='canary-key-canary-key-canary-key-00')}"}
    shop.get(f"/api/payments/{ORDER_ID}", headers=given)
    log = system.gateway.log.read_text()
    for secret in (
        "canary@example.com",
        "Canary Name",
        API_KEYS["shop"][0],
        SIGNING_KEY,
        given["authorization"],
    ):
        assert secret not in log
