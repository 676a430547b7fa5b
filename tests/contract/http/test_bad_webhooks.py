"""Webhooks that must not be believed: 400 without a row or a message; and those that must be taken."""

import json
import time

import httpx
import pytest

from tests.integration.gateway.orders import captured, webhook
from tests.integration.gateway.process import KEY_SECRET, WEBHOOK_SECRETS
from tests.integration.gateway.system import System

RAZORPAY = "/api/payments/webhook/razorpay"
PATHS = ["/api/payments/webhook", RAZORPAY]
BODY = captured("pay_29QQoUBi66xm2f")
SIGNED = webhook(BODY)
GOOD_SIGNATURE = SIGNED["x-razorpay-signature"]


def signed(signature: str | bytes | None) -> list[tuple[bytes, bytes]]:
    headers = [(b"content-type", b"application/json")]
    if signature is not None:
        raw = signature if isinstance(signature, bytes) else signature.encode()
        headers.append((b"x-razorpay-signature", raw))
    return headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "signature",
    [
        None, "", "garbage",
        "0" * 64, "0" * 63, "0" * 65, "zz" * 32, "ä".encode() * 32, b"\xff" * 64, "a" * 8000,
        GOOD_SIGNATURE.upper(), GOOD_SIGNATURE + " x", "sha256=" + GOOD_SIGNATURE, GOOD_SIGNATURE[:-1],
        GOOD_SIGNATURE + "," + GOOD_SIGNATURE, webhook(BODY, KEY_SECRET)["x-razorpay-signature"],
        webhook(BODY, "an-expired-secret")["x-razorpay-signature"], webhook(BODY, "")["x-razorpay-signature"],
    ],
)  # fmt: skip
def test_bad_signature_is_a_400_and_leaves_nothing(
    system: System, http: httpx.Client, path: str, signature: str | bytes | None
) -> None:
    before = system.stored()
    answer = http.post(path, content=BODY, headers=signed(signature))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-signature")
    assert system.stored() == before


@pytest.mark.parametrize(
    "body",
    [
        BODY + b" ", b" " + BODY, json.dumps(json.loads(BODY), indent=1).encode(),
        json.dumps(json.loads(BODY), sort_keys=True).encode(), BODY.replace(b"49900", b"49901"), b"",
    ],
)  # fmt: skip
def test_body_that_was_touched_is_a_400(system: System, http: httpx.Client, body: bytes) -> None:
    before = system.stored()
    answer = http.post(RAZORPAY, content=body, headers=SIGNED)
    assert answer.json()["code"] == "bad-signature"
    assert system.stored() == before


def test_two_signatures_are_not_one_of_them(system: System, http: httpx.Client) -> None:
    before = system.stored()
    headers = [(b"x-razorpay-signature", b"0" * 64), (b"x-razorpay-signature", GOOD_SIGNATURE.encode())]
    assert http.post(RAZORPAY, content=BODY, headers=headers).status_code == 400
    assert system.stored() == before


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"1", b'"x"', b"{}", b'{"event":1}', b"not json", b"\xff\xfe", b"[" * 50_000,
        b'{"event":"a\\u0000b","account_id":"acc_BFQ7uQEaa7j2z7"}', BODY[:-3], BODY + BODY,
    ],
)  # fmt: skip
def test_signed_nonsense_is_a_400(system: System, http: httpx.Client, body: bytes) -> None:
    before = system.stored()
    answer = http.post(RAZORPAY, content=body, headers=webhook(body))
    assert (answer.status_code, answer.json()["code"]) == (400, "not-an-event")
    assert system.stored() == before


@pytest.mark.parametrize("signed_well", [True, False])
def test_more_than_256_kb_is_a_413(system: System, http: httpx.Client, signed_well: bool) -> None:
    body = BODY + b" " * 300_000
    before = system.stored()
    answer = http.post(RAZORPAY, content=body, headers=webhook(body) if signed_well else SIGNED)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert system.stored() == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_a_405_without_cors(http: httpx.Client, path: str, method: str) -> None:
    preflight = {"origin": "http://shop.localhost:8710", "access-control-request-method": "POST"}
    answer = http.request(method, path, headers=preflight)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "provider", ["evil", "Stripe", "paypal%2f", "Razorpay", "razorpay/x", "razorpay%00", ""]
)
def test_unknown_provider_is_a_404(system: System, http: httpx.Client, provider: str) -> None:
    before = system.stored()
    answer = http.post(f"/api/payments/webhook/{provider}", content=BODY, headers=SIGNED)
    assert answer.status_code == 404
    assert system.stored() == before


def test_forgeries_are_counted_by_reason(system: System, http: httpx.Client) -> None:
    def counted(reason: str) -> float:
        name = f'paystream_webhooks_total{{provider="razorpay",verdict="{reason}"}} '
        lines = [line for line in system.gateway.metrics().splitlines() if line.startswith(name)]
        return float(lines[0].split()[-1]) if lines else 0.0

    missing, wrong = counted("missing"), counted("wrong")
    http.post(RAZORPAY, content=BODY)
    http.post(RAZORPAY, content=BODY, headers=signed("0" * 64))
    assert (counted("missing"), counted("wrong")) == (missing + 1, wrong + 1)


def test_forgeries_are_refused_quickly_and_do_not_fill_the_log(system: System, http: httpx.Client) -> None:
    size = system.gateway.log.stat().st_size
    times = []
    for _ in range(200):
        began = time.perf_counter()
        assert http.post(RAZORPAY, content=BODY, headers=signed("0" * 64)).status_code == 400
        times.append(time.perf_counter() - began)
    assert sorted(times)[100] < 0.05
    assert system.gateway.log.stat().st_size - size < 2_000


@pytest.mark.parametrize("secret", WEBHOOK_SECRETS)
def test_either_of_two_active_secrets_is_good(http: httpx.Client, secret: str) -> None:
    body = captured()
    assert http.post(RAZORPAY, content=body, headers=webhook(body, secret)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"entity":"event","account_id":"acc_BFQ7uQEaa7j2z7","event":"something.new","contains":[],"payload":{}}',
        b'{"entity":"event","account_id":"acc_OfAnother00000","event":"payment.captured","payload":{}}',
        captured().replace(b"49900", b"-1"),
        captured().replace(b"49900", b'"49900"'),
        captured().replace(b'"INR"', b'"XXX"'),
        captured().replace(b'"order_9A33XWu170gUtm"', b"null"),
        captured().replace(b'"order_9A33XWu170gUtm"', b'"' + b"x" * 5000 + b'"'),
        captured().replace(b'"pay_', '"päy \u202e'.encode()),
    ],
    ids=["unknown type", "other account", "negative", "string amount", "currency", "no order", "long id",
    "odd id"],
)  # fmt: skip
def test_whatever_the_provider_signed_is_taken_as_it_is(
    system: System, http: httpx.Client, body: bytes
) -> None:
    """What to make of it is for payments to say; a refusal would only be repeated for a day."""
    before = system.payments.produced()
    assert http.post(RAZORPAY, content=body, headers=webhook(body)).status_code == 200
    assert system.payments.produced() == before + 1
