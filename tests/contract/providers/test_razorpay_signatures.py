"""Signatures against independent vectors: the SDK's own verification and worked examples."""

import asyncio
from datetime import UTC, datetime

import pytest
import razorpay
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Malformed, Rejected
from shared.providers.razorpay.signatures import checkout_signature, matches, webhook_signature
from tests.contract.providers.drivers.razorpay import razorpay_adapter_at
from tests.contract.simulator.running import KEY_SECRET, OLD_WEBHOOK_SECRET, WEBHOOK_SECRET

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ADAPTER = razorpay_adapter_at("http://127.0.0.1:9")
SDK = razorpay.Client(auth=("k", "demo_key_secret"))


def test_the_checkout_signature_is_the_published_one() -> None:
    # Razorpay docs, Standard Checkout: hmac_sha256(order_id + "|" + razorpay_payment_id, secret)
    expected = "aa4c84c87e8c9ba8f98cc54c22e0c4683a45bd263c1872cf243f69b3ec944652"
    ours = checkout_signature(b"demo_key_secret", "order_DEMO0000000001", "pay_DEMO0000000001")
    assert ours == expected
    parts = {"razorpay_order_id": "order_DEMO0000000001", "razorpay_payment_id": "pay_DEMO0000000001"}
    assert SDK.utility.verify_payment_signature({**parts, "razorpay_signature": ours})


def test_the_webhook_signature_is_the_published_one() -> None:
    body = b'{"entity":"event","event":"payment.captured"}'
    expected = "d4a7e3e33bf62c07b3b1a917cf24da69d886bf8f0d7d03e9561c6f1022a38980"
    assert webhook_signature(b"demo_webhook_secret", body) == expected
    assert SDK.utility.verify_webhook_signature(body.decode(), expected, "demo_webhook_secret")


@given(st.text(max_size=200), st.text(min_size=1, max_size=50))
def test_the_sdk_accepts_what_we_sign(body: str, secret: str) -> None:
    signature = webhook_signature(secret.encode(), body.encode())
    assert SDK.utility.verify_webhook_signature(body, signature, secret)


@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, OLD_WEBHOOK_SECRET])
def test_both_active_secrets_are_accepted(secret: str) -> None:
    body = b'{"event":"payment.captured"}'
    headers = {"x-razorpay-signature": webhook_signature(secret.encode(), body)}
    asyncio.run(ADAPTER.verify_webhook(headers, body, NOW))


GOOD = webhook_signature(WEBHOOK_SECRET.encode(), b"{}")


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        (None, b"{}"),
        ("", b"{}"),
        ("garbage", b"{}"),
        (GOOD[:-1], b"{}"),
        (GOOD + "0", b"{}"),
        (GOOD.upper(), b"{}"),
        ("ä" * 64, b"{}"),
        ("z" * 64, b"{}"),
        (GOOD, b"{} "),
        (GOOD, b'{"a":1}'),
        (webhook_signature(b"the secret of somebody else", b"{}"), b"{}"),
        (webhook_signature(KEY_SECRET.encode(), b"{}"), b"{}"),
    ],
)
def test_anything_else_is_refused(signature: str | None, body: bytes) -> None:
    headers = {} if signature is None else {"x-razorpay-signature": signature}
    with pytest.raises(Rejected, match="bad-signature"):
        asyncio.run(ADAPTER.verify_webhook(headers, body, NOW))


@given(st.text(max_size=100))
def test_no_text_breaks_the_comparison(signature: str) -> None:
    assert matches(signature, ["0" * 64]) is (signature == "0" * 64)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"0", b"{", b"\xff\xfe", b'{"event":"\\u0000"}', b"[" * 100_000]
)
def test_a_signed_body_that_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        ADAPTER.webhook_identity({}, body)


@pytest.mark.parametrize(
    "payment",
    [
        b'"amount":"100"',
        b'"amount":1.5',
        b'"amount":-1',
        b'"amount":1e30',
        b'"amount":null',
        b'"amount":99999999999999999999',
    ],
)
def test_a_webhook_with_an_odd_amount_is_archived_but_never_read_as_money(payment: bytes) -> None:
    body = (
        b'{"entity":"event","account_id":"acc_1","event":"payment.captured","payload":{"payment":{"entity":'
        b'{"id":"pay_1","order_id":"order_1","status":"captured","currency":"INR",' + payment + b"}}}}"
    )
    assert ADAPTER.webhook_identity({}, body)[1] == "order_1"
    with pytest.raises(Malformed):
        ADAPTER.read_webhook(body)
