"""Signatures against independent vectors: the SDK's own verification and a worked example."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Malformed, Rejected
from shared.providers.stripe.signatures import signature
from tests.contract.providers.drivers.stripe import stripe_adapter_at
from tests.contract.simulator.stripe_running import OLD_STRIPE_SECRET, SECRET_KEY, STRIPE_SECRET

AT = 1_700_000_000
NOW = datetime.fromtimestamp(AT, UTC)
ADAPTER = stripe_adapter_at("http://127.0.0.1:9")
BODY = b'{"id":"evt_demo","object":"event","type":"payment_intent.succeeded"}'


def verify(header: str | None, body: bytes = BODY, now: datetime = NOW) -> None:
    headers = {} if header is None else {"stripe-signature": header}
    asyncio.run(ADAPTER.verify_webhook(headers, body, now))


def sdk_header(secret: str = STRIPE_SECRET, body: bytes = BODY, at: int = AT) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at))


def test_the_signature_is_the_worked_one() -> None:
    expected = "a0bf2fadb36b2dda63ed377cf7425da5466ee916d93c86ca27b88d18a95f457b"
    assert signature(b"whsec_demo", "1700000000", BODY) == expected
    assert stripe.WebhookSignature.verify_header(BODY, f"t=1700000000,v1={expected}", "whsec_demo")


@given(st.text(max_size=200), st.text(min_size=1, max_size=50).filter(lambda s: s.strip(" \t\r\n\f\v")))
def test_the_sdk_accepts_what_we_sign(body: str, secret: str) -> None:
    header = f"t={AT},v1={signature(secret.encode(), str(AT), body.encode())}"
    assert stripe.WebhookSignature.verify_header(body, header, secret)


@pytest.mark.parametrize("secret", [STRIPE_SECRET, OLD_STRIPE_SECRET])
def test_both_active_secrets_are_accepted(secret: str) -> None:
    verify(sdk_header(secret))


def test_one_good_signature_among_others_is_enough() -> None:
    good = sdk_header().split(",")[1]
    verify(f"t={AT},v1={'0' * 64},{good},v0={'1' * 64},v1=short,scheme,=,x=y=z")


def test_a_body_that_is_no_text_is_judged_by_its_bytes() -> None:
    body = b"\xff\xfe\x00"
    verify(f"t={AT},v1={signature(STRIPE_SECRET.encode(), str(AT), body)}", body)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_within_five_minutes_it_holds(seconds: int) -> None:
    verify(sdk_header(), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400, -(10**9)])
def test_an_old_one_and_one_from_the_future_are_stale(seconds: int) -> None:
    with pytest.raises(Rejected, match="bad-signature: stale"):
        verify(sdk_header(), now=NOW + timedelta(seconds=seconds))


GOOD = sdk_header()
V1 = GOOD.partition(",")[2]


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (None, BODY),
        ("", BODY),
        ("garbage", BODY),
        (V1, BODY),
        (f"t={AT}", BODY),
        (f"t={AT},v0={V1[3:]}", BODY),
        (f"t=,{V1}", BODY),
        (f"t=now,{V1}", BODY),
        (f"t=-{AT},{V1}", BODY),
        (f"t=0{AT},{V1}", BODY),
        (f"t={AT}.5,{V1}", BODY),
        (f"t=١٧٠٠٠٠٠٠٠٠,{V1}", BODY),
        (f"t={'9' * 400},{V1}", BODY),
        (f"t={AT},t={AT + 1},{V1}", BODY),
        (f"t={AT + 1},{V1}", BODY),
        (GOOD.upper(), BODY),
        (GOOD[:-1], BODY),
        (GOOD + "0", BODY),
        (f"t={AT},v1={'ä' * 64}", BODY),
        (f"t={AT}" + f",v1={'0' * 64}" * 500, BODY),
        (GOOD, BODY + b" "),
        (GOOD, b""),
        (sdk_header("whsec_of_somebody_else"), BODY),
        (sdk_header(SECRET_KEY), BODY),
    ],
)
def test_anything_else_is_refused(header: str | None, body: bytes) -> None:
    with pytest.raises(Rejected, match="bad-signature"):
        verify(header, body)


@given(st.text(max_size=200), st.binary(max_size=100))
def test_no_header_breaks_the_comparison(header: str, body: bytes) -> None:
    with pytest.raises(Rejected, match="bad-signature"):
        verify(header, body)


def test_only_its_own_header_is_recognised() -> None:
    assert ADAPTER.recognises({"stripe-signature": ""})
    assert not ADAPTER.recognises({"x-razorpay-signature": "x", "paypal-transmission-sig": "x"})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"0", b"{", b"\xff\xfe", b'{"id":"evt_1"}', b'{"id":"","type":"x"}',
             b'{"id":"evt_1","type":"\\u0000"}', b"[" * 100_000],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        ADAPTER.webhook_identity({}, body)
    with pytest.raises(Malformed):
        ADAPTER.read_webhook(body)
