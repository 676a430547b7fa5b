"""POST /api/orders with everything that is wrong: the documented 4xx, no row, no message, at once."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.integration.gateway.orders import order
from tests.integration.gateway.process import server
from tests.integration.gateway.system import System

SECONDS_MAX = 5.0  # 1 s is the promise; the machine may be busy with other tests
JSON = {"content-type": "application/json"}
GOOD = json.dumps(order("order-1")).encode()


def with_(path: str, value: Any) -> bytes:
    """A good order with one value changed; `path` like `customer.email` or `lines.0.name`."""
    body: Any = order("order-1")
    *parents, last = path.split(".")
    place = body
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[int(last) if last.isdigit() else last] = value
    return json.dumps(body).encode()


def literally(field: str, text: str) -> bytes:
    """A good order with the raw JSON text of one top-level value replaced."""
    marker = json.dumps(order("order-1") | {field: "@@"})
    return marker.replace('"@@"', text).encode()


def without(field: str) -> bytes:
    return json.dumps({k: v for k, v in order("order-1").items() if k != field}).encode()


def refused(
    system: System, body: bytes, headers: dict[str, str], path: str = "/api/orders"
) -> httpx.Response:
    """Posts it and shows what must be true of every refusal."""
    before = system.stored()
    began = time.monotonic()
    with system.http(headers=server("shop")) as client:
        answer = client.post(path, content=body, headers=headers)
    assert time.monotonic() - began < SECONDS_MAX
    assert answer.headers["content-type"] == "application/problem+json"
    assert 400 <= answer.status_code < 500, answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert "Traceback" not in answer.text
    assert "evil" not in answer.text
    assert system.stored() == before
    return answer


SYNTAX = {
    "empty": (b"", "empty-body"),
    "not JSON": (b"order", "not-json"),
    "truncated": (GOOD[:-5], "not-json"),
    "trailing garbage": (GOOD + b"x", "not-json"),
    "two documents": (GOOD + GOOD, "not-json"),
    "BOM": (b"\xef\xbb\xbf" + GOOD, "not-json"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "not-utf-8"),
    "UTF-16 without BOM": (GOOD.decode().encode("utf-16-le"), "not-json"),
    "UTF-32": (GOOD.decode().encode("utf-32-be"), "not-json"),
    "invalid UTF-8": (GOOD.replace(b"Asha", b"As\xffha"), "not-utf-8"),
    "overlong UTF-8": (GOOD.replace(b"Asha", b"\xc0\xaf"), "not-utf-8"),
    "lone surrogate": (GOOD.replace(b"Asha", b"\\ud800"), "not-json"),
    "raw control character": (GOOD.replace(b"Asha", b"As\x01ha"), "not-json"),
    "deep arrays": (b"[" * 30_000, "not-json"),
    "deep arrays, closed": (b"[" * 30_000 + b"]" * 30_000, "not-json"),
    "deep objects": (b'{"a":' * 12_000, "not-json"),
    "deep inside": (literally("amount", "[" * 20_000 + "]" * 20_000), "not-json"),
    "array": (b"[]", "not-an-object"),
    "number": (b"1", "not-an-object"),
    "string": (b'"order"', "not-an-object"),
    "null": (b"null", "not-an-object"),
    "true": (b"true", "not-an-object"),
    "NaN": (literally("amount", "NaN"), "not-json"),
    "Infinity": (literally("amount", "-Infinity"), "not-json"),
    "1e400": (literally("amount", "1e400"), "not-json"),
    "leading zero": (literally("amount", "0100"), "not-json"),
    "plus sign": (literally("amount", "+100"), "not-json"),
    "hexadecimal": (literally("amount", "0x64"), "not-json"),
    "5000 digits": (literally("amount", "1" * 5000), "not-json"),
    "single quotes": (GOOD.replace(b'"', b"'"), "not-json"),
    "comment": (b"/* evil */" + GOOD, "not-json"),
    "duplicate amount": (GOOD[:-1] + b', "amount": 1}', "duplicate-key"),
    "duplicate, escaped": (GOOD[:-1] + b', "\\u0061mount": 1}', "duplicate-key"),
    "duplicate inside": (with_("customer.name",
    "x").replace(b'"name": "x"', b'"name":"x","name":"y"'), "duplicate-key"),
    "unknown field": (with_("status", "paid"), "unknown-field"),
    "evil field name": (with_("evil<script>", "1"), "unknown-field"),
    "unknown field inside": (with_("customer.admin", "yes"), "unknown-field"),
    "snake case": (with_("order_id", "order-1"), "unknown-field"),
}  # fmt: skip


@pytest.mark.parametrize("name", SYNTAX)
def test_unreadable_body_is_a_400(system: System, name: str) -> None:
    body, code = SYNTAX[name]
    answer = refused(system, body, JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


VALUES: dict[str, tuple[bytes, str]] = {
    **{f"amount {n}": (literally("amount", n), "wrong-value") for n in (
        "0", "-1", "-0", "1.5", "1.0", "49900.0", "1e2", '"49900"', "true", "null", "[]", "{}",
        "9223372036854775808", "9007199254740993", "99999999999999999999999999", "100000000000",
    )},
    **{f"currency {c!r}": (with_("currency", c), "wrong-value") for c in (
        "inr", "INR\u200b", "\uff29\uff2e\uff32", "XXX", "", "IN", "INRR", "XAU", "ABC", " INR", "IN\0",
        "in\u202e",
    )},
    **{f"currency {c}": (literally("currency", c), "wrong-value") for c in ("null", "1", "[]", '["INR"]')},
    **{f"order id {i!r:.30}": (with_("orderId", i), "wrong-value") for i in (
        "", "a" * 41, "a b", "a/b", "../evil", "a\n", "a\0", "ärger", "a\u202eb", "a\u200b", "{a}", "a'--",
        "%00", "refund", "verify",
    )},
    **{f"e-mail {e!r:.40}": (with_("customer.email", e), "wrong-value") for e in (
        "asha", "asha@", "@example.com", "asha@example", "a@b\r\nBcc: evil@example.com", "a@b.com\n",
        "a@b.com,c@d.com",
        "a@b.com;c@d.com", '"a b"@example.com', "Asha <asha@example.com>", "asha@exämple.com",
        "äsha@example.com",
        "asha@example..com", ".asha@example.com", "a" * 65 + "@example.com", "a@" + "b" * 250 + ".com",
        "asha@ex ample.com",
        "asha@example.com\0", "asha@\u202eexample.com", "asha@-example.com", "asha@127.0.0.1",
        "asha@[127.0.0.1]",
    )},
    **{f"text {t!r:.40}": (with_(path, t), "text-not-allowed") for path in ("customer.name",
    "lines.0.name") for t in (
        "a\0b", "a\u0001b", "a\r\nBcc: evil@example.com", "a\tb", "evil\u202egnp.exe", "a\u200bb",
        "a\u200db", "\ufeffa",
        "a\u2066b", "a\u007fb", "a\u0085b", "a\ue000b", " a", "a ", "\u2028",
    )},
    "no amount": (without("amount"), "wrong-value"),
    "no order id": (without("orderId"), "wrong-value"),
    "no customer": (without("customer"), "wrong-value"),
    "no lines": (without("lines"), "wrong-value"),
    "empty lines": (with_("lines", []), "wrong-value"),
    "201 lines": (with_("lines", order()["lines"] * 101), "wrong-value"),
    "lines is an object": (with_("lines", {}), "wrong-value"),
    "lines of strings": (with_("lines", ["tea"]), "wrong-value"),
    "name too long": (with_("customer.name", "a" * 201), "wrong-value"),
    "name is empty": (with_("customer.name", ""), "wrong-value"),
    "name is a number": (with_("customer.name", 1), "wrong-value"),
    "5k emoji": (with_("customer.name", "\U0001f375" * 5_000), "wrong-value"),
    "quantity 0": (with_("lines.0.quantity", 0), "wrong-value"),
    "quantity -1": (with_("lines.0.quantity", -1), "wrong-value"),
    "quantity 1.5": (with_("lines.0.quantity", 1.5), "wrong-value"),
    "unit amount -1": (with_("lines.0.unitAmount", -1), "wrong-value"),
    "lines do not add up": (with_("lines.0.unitAmount", 20001), "amount-mismatch"),
    "amount below the lines": (with_("amount", 49899), "amount-mismatch"),
    "tax above the line": (with_("lines.0.taxAmount", 40001), "amount-mismatch"),
    "tax rate": (with_("lines.0.taxRate", "abc"), "wrong-value"),
    "tax rate as number": (with_("lines.0.taxRate", 18), "wrong-value"),
    "capture": (with_("capture", "evil"), "wrong-value"),
    "locale": (with_("locale", "../../evil"), "wrong-value"),
    "country": (with_("billing", {"country": "India"}), "wrong-value"),
    "billing lines": (with_("billing", {"lines": ["a"] * 7}), "wrong-value"),
    "billing text": (with_("billing", {"name": "evil\u202e"}), "text-not-allowed"),
    "below every provider's least": (
        json.dumps(order("order-1", amount=1, lines=[{"name": "a",
        "quantity": 1, "unitAmount": 1}])).encode(),
        "amount-out-of-range",
    ),
    "KWD that Razorpay cannot express": (
        json.dumps(
            order("order-1", amount=1001, currency="KWD", lines=[{"name": "a",
            "quantity": 1, "unitAmount": 1001}])
        ).encode(),
        "amount-not-representable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_value_that_is_not_allowed_is_a_422(system: System, name: str) -> None:
    body, code = VALUES[name]
    answer = refused(system, body, JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "text/plain", "text/plain;charset=utf-8", "text/json", "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x", "application/msgpack", "application/json; charset=utf-7",
        "application/json; charset=utf-16", "application/json; charset=iso-8859-1", "application/jsonp",
        "application/json, text/plain", "application/json; boundary=x", "*/*",
    ],
)  # fmt: skip
def test_other_content_types_are_a_415(system: System, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    assert refused(system, GOOD, headers).json()["code"] == "unsupported-media-type"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=UTF-8", 'Application/JSON;charset="utf-8"'],
)
def test_json_in_utf_8_is_taken(shop: httpx.Client, content_type: str) -> None:
    assert shop.post("/api/orders", content=GOOD, headers={"content-type": content_type}).status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_encoded_body_is_a_415(system: System, encoding: str) -> None:
    answer = refused(system, GOOD, {**JSON, "content-encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "encoded-body")


def test_body_over_64_kb_is_a_413(system: System) -> None:
    answer = refused(system, GOOD + b" " * 65_536, JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "PROPFIND", "OPTIONS"])
def test_other_methods_are_a_405(shop: httpx.Client, method: str) -> None:
    answer = shop.request(method, "/api/orders")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "{{7*7}}", "=cmd()|' /C calc'!A0", "' OR 1=1 --",
    "Robert'); DROP TABLE payments;--",
     "\u05d0\u05e9\u05d4", "\u0906\u0936\u093e \u0930\u093e\u0935", "\u0d36\u0d4d\u200d\u0d30\u0d40",
     "\U0001f468\u200d\U0001f469\u200d\U0001f467", "O\u2019Neil", "%s%n%x"],
)  # fmt: skip
def test_odd_but_honest_names_are_taken_as_they_are(system: System, shop: httpx.Client, name: str) -> None:
    assert shop.post("/api/orders", content=with_("customer.name", name), headers=JSON).status_code == 201
    (command,) = system.payments.commands
    assert json.loads(bytes(command.data))["order"]["customer"]["name"] == name


@pytest.mark.parametrize(
    "email", ["a@b.co", "asha.rao+tea@mail.example.co.in", "o'neil@example.com", "a" * 64 + "@example.com"]
)
def test_plain_addresses_are_taken(shop: httpx.Client, email: str) -> None:
    assert shop.post("/api/orders", content=with_("customer.email", email), headers=JSON).status_code == 201


def test_yen_has_no_decimals_and_is_taken_as_it_is(system: System, shop: httpx.Client) -> None:
    body = order(amount=1000, currency="JPY", lines=[{"name": "Tea", "quantity": 1, "unitAmount": 1000}])
    assert shop.post("/api/orders", json=body).status_code == 201
    (command,) = system.payments.commands
    assert json.loads(bytes(command.data))["order"]["amount"] == 1000
