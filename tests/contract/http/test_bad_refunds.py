"""Refund and capture: bad input gets its documented answer, no row, no message."""

from typing import Any

import httpx
import pytest

from tests.integration.gateway.orders import key
from tests.integration.gateway.process import server
from tests.integration.gateway.system import System

PATHS = ["/api/payments/refund", "/api/payments/capture"]
GOOD = {"orderId": "order-1", "amount": 100}

BODIES: list[tuple[Any, int, str]] = [
    ({}, 422, "wrong-value"),
    ({"orderId": 1}, 422, "wrong-value"),
    ({"orderId": "../evil"}, 422, "wrong-value"),
    ({"orderId": "a" * 41}, 422, "wrong-value"),
    ([GOOD], 400, "not-an-object"),
    ({**GOOD, "amount": 0}, 422, "wrong-value"),
    ({**GOOD, "amount": -1}, 422, "wrong-value"),
    ({**GOOD, "amount": 1.5}, 422, "wrong-value"),
    ({**GOOD, "amount": 1.0}, 422, "wrong-value"),
    ({**GOOD, "amount": "100"}, 422, "wrong-value"),
    ({**GOOD, "amount": True}, 422, "wrong-value"),
    ({**GOOD, "amount": []}, 422, "wrong-value"),
    ({**GOOD, "amount": {}}, 422, "wrong-value"),
    ({**GOOD, "amount": 2**53 + 1}, 422, "wrong-value"),
    ({**GOOD, "amount": 2**63}, 422, "wrong-value"),
    ({**GOOD, "currency": "USD"}, 400, "unknown-field"),
    ({**GOOD, "status": "succeeded"}, 400, "unknown-field"),
    ({**GOOD, "refundId": "x"}, 400, "unknown-field"),
    ({**GOOD, "by": "somebody else"}, 400, "unknown-field"),
    ({**GOOD, "idempotency": {}}, 400, "unknown-field"),
    ({**GOOD, "reason": "a" * 201}, 422, "wrong-value"),
    ({**GOOD, "reason": 1}, 422, "wrong-value"),
    ({**GOOD, "reason": "a\u0000b"}, 422, "text-not-allowed"),
    ({**GOOD, "reason": "a\r\nb"}, 422, "text-not-allowed"),
    ({**GOOD, "reason": "\u202egnp.exe"}, 422, "text-not-allowed"),
]
RAW: list[tuple[bytes, int, str]] = [
    (b"", 400, "empty-body"),
    (b"{", 400, "not-json"),
    (b'{"orderId":"order-1","amount":1e2}', 422, "wrong-value"),
    (b'{"orderId":"order-1","amount":-0}', 422, "wrong-value"),
    (b'{"orderId":"order-1","amount":0100}', 400, "not-json"),
    (b'{"orderId":"order-1","amount":NaN}', 400, "not-json"),
    (b'{"orderId":"order-1","amount":1e400}', 400, "not-json"),
    (b'{"orderId":"order-1","amount":' + b"9" * 5000 + b"}", 400, "not-json"),
    (b'{"orderId":"order-1","amount":1,"amount":2}', 400, "duplicate-key"),
    (b'\xef\xbb\xbf{"orderId":"order-1"}', 400, "not-json"),
    (b'{"orderId":"\xff"}', 400, "not-utf-8"),
    (b"[" * 30_000, 400, "not-json"),
    (b'{"orderId":"order-1"} x', 400, "not-json"),
    (b" " * 70_000, 413, "body-too-large"),
]


def refused(system: System, answer: httpx.Response, before: tuple[int, int]) -> tuple[int, str]:
    """(status, code), after looking that nothing was left behind and the answer came at once."""
    assert system.stored() == before
    assert answer.elapsed.total_seconds() < 1
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(("body", "status", "code"), BODIES)
@pytest.mark.parametrize("path", PATHS)
def test_bad_body(system: System, http: httpx.Client, path: str, body: Any, status: int, code: str) -> None:
    before = system.stored()
    answer = http.post(path, json=body, headers={**server("till"), **key()})
    assert refused(system, answer, before) == (status, code)


@pytest.mark.parametrize(("body", "status", "code"), RAW)
@pytest.mark.parametrize("path", PATHS)
def test_unreadable_body(
    system: System, http: httpx.Client, path: str, body: bytes, status: int, code: str
) -> None:
    before = system.stored()
    headers = {**server("till"), **key(), "content-type": "application/json"}
    assert refused(system, http.post(path, content=body, headers=headers), before) == (status, code)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-7"],
)
@pytest.mark.parametrize("path", PATHS)
def test_other_media_types(system: System, http: httpx.Client, path: str, content_type: str) -> None:
    before = system.stored()
    headers = {**server("till"), **key(), "content-type": content_type}
    answer = http.post(path, content=b'{"orderId":"order-1"}', headers=headers)
    assert refused(system, answer, before) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    "charge_id", ["", "../pay_1", "pay_1'--", "pay_1\u0000", "a" * 101, 1, ["pay_1"], {"id": "pay_1"}]
)
def test_bad_charge_id(system: System, http: httpx.Client, charge_id: Any) -> None:
    before = system.stored()
    headers = {**server("till"), **key()}
    answer = http.post(PATHS[0], json={**GOOD, "chargeId": charge_id}, headers=headers)
    assert refused(system, answer, before) == (422, "wrong-value")


KEY = b"8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ([], "idempotency-key-missing"),
        ([b""], "idempotency-key-malformed"),
        ([b"short"], "idempotency-key-malformed"),
        ([b"a" * 15], "idempotency-key-malformed"),
        ([b"a" * 256], "idempotency-key-malformed"),
        ([b"a" * 5000], "idempotency-key-malformed"),
        (["ключ-ключ-ключ-ключ".encode()], "idempotency-key-malformed"),
        ([b"\xff" * 20], "idempotency-key-malformed"),
        ([KEY[:10] + b" " + KEY[10:]], "idempotency-key-malformed"),
        ([b'"' + KEY], "idempotency-key-malformed"),
        ([KEY + b'"'], "idempotency-key-malformed"),
        ([b'"short"'], "idempotency-key-malformed"),
        ([KEY + b'";x=1'], "idempotency-key-malformed"),
        ([KEY, KEY], "idempotency-key-malformed"),
        ([KEY, b"another-key-of-good-length"], "idempotency-key-malformed"),
        ([KEY + b"," + KEY], "idempotency-key-malformed"),
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_bad_key(system: System, http: httpx.Client, path: str, keys: list[bytes], code: str) -> None:
    before = system.stored()
    headers = [(n.encode(), v.encode()) for n, v in server("till").items()]
    headers += [(b"content-type", b"application/json")] + [(b"idempotency-key", k) for k in keys]
    answer = http.post(path, content=b'{"orderId":"order-1","amount":100}', headers=headers)
    assert refused(system, answer, before) == (400, code)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", PATHS)
def test_other_methods(system: System, http: httpx.Client, path: str, method: str) -> None:
    before = system.stored()
    answer = http.request(method, path, headers={**server("till"), **key()})
    assert answer.status_code == 405
    assert system.stored() == before


@pytest.mark.parametrize("scopes", ["reader", "shop", "nothing"])
@pytest.mark.parametrize("path", PATHS)
def test_key_without_the_scope(system: System, http: httpx.Client, path: str, scopes: str) -> None:
    before = system.stored()
    answer = http.post(path, json=GOOD, headers={**server(scopes), **key()})
    assert refused(system, answer, before) == (403, "scope-missing")
