"""What is special about a Stripe signature's time and a PayPal signature's certificate."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.integration.gateway.others import (
    CERTIFICATE_PATH,
    PAYPAL_NAME,
    STRIPE_SECRETS,
    certificate,
    paypal_event,
    pem,
    stripe_event,
    stripe_headers,
)
from tests.integration.gateway.system import System

STRIPE = "/api/payments/webhook/stripe"
PAYPAL = "/api/payments/webhook/paypal"


def v1(headers: dict[str, str]) -> tuple[str, str]:
    """(time, signature) of a good header."""
    moment, signature = headers["stripe-signature"].split(",")
    return moment.removeprefix("t="), signature.removeprefix("v1=")


@pytest.mark.parametrize(("age_s", "status"), [(0, 200), (290, 200), (-290, 200), (310, 400), (-310, 400)])
def test_stripes_time_may_differ_by_five_minutes_either_way(
    http: httpx.Client, age_s: int, status: int
) -> None:
    body = stripe_event()
    headers = stripe_headers(body, at=int(time.time()) - age_s)
    assert http.post(STRIPE, content=body, headers=headers).status_code == status


@pytest.mark.parametrize("secret", STRIPE_SECRETS)
def test_either_of_stripes_two_active_secrets_is_good(http: httpx.Client, secret: str) -> None:
    body = stripe_event()
    assert http.post(STRIPE, content=body, headers=stripe_headers(body, secret)).status_code == 200


def test_any_of_several_v1_is_good(http: httpx.Client) -> None:
    body = stripe_event()
    moment, signature = v1(stripe_headers(body))
    header = f"t={moment},v1={'0' * 64},v1={signature},v0={'1' * 64}"
    assert http.post(STRIPE, content=body, headers={"stripe-signature": header}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "t={t},v0={s}",
        "v1={s}",
        "t={t}",
        "t={t},t={t},v1={s}",
        "t={t}; v1={s}",
        "t={t},v1={s}0",
        "t=-{t},v1={s}",
        "t=0{t},v1={s}",
        "t={t}.5,v1={s}",
        "t= {t},v1={s}",
        "t=٣,v1={s}",
        "T={t},V1={s}",
    ],
)
def test_stripe_header_of_another_form_is_a_400(system: System, http: httpx.Client, header: str) -> None:
    body = stripe_event()
    before = system.stored()
    moment, signature = v1(stripe_headers(body))
    given = header.format(t=moment, s=signature).encode()
    answer = http.post(STRIPE, content=body, headers=[(b"stripe-signature", given)])
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-signature")
    assert system.stored() == before


def test_a_thousand_v1_are_refused_at_once(system: System, http: httpx.Client) -> None:
    body = stripe_event()
    before = system.stored()
    moment, signature = v1(stripe_headers(body))
    header = ",".join([f"t={moment}", *[f"v1={'0' * 64}"] * 200, f"v1={signature}"])
    answer = http.post(STRIPE, content=body, headers={"stripe-signature": header})
    assert answer.status_code == 400
    assert answer.elapsed.total_seconds() < 0.5
    assert system.stored() == before


@pytest.mark.parametrize(
    "secret", ["whsec_of_another_endpoint", "whsec_test_secret", "", "rzp-key-secret-of-this-stack"]
)
def test_another_secret_than_stripes_is_a_400(system: System, http: httpx.Client, secret: str) -> None:
    body = stripe_event()
    before = system.stored()
    assert http.post(STRIPE, content=body, headers=stripe_headers(body, secret)).status_code == 400
    assert system.stored() == before


@pytest.mark.parametrize(
    "changes", [{"account": "acct_OfAnother"}, {"livemode": True}, {"data": {"object": {"id": "x" * 5000}}}]
)
def test_stripe_event_of_another_account_or_mode_is_taken(
    http: httpx.Client, changes: dict[str, Any]
) -> None:
    body = stripe_event(**changes)
    assert http.post(STRIPE, content=body, headers=stripe_headers(body)).status_code == 200


# --- PayPal's certificate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://evil.test" + CERTIFICATE_PATH,
        "https://api.paypal.com.evil.test" + CERTIFICATE_PATH,
        "https://api.paypal.com@evil.test" + CERTIFICATE_PATH,
        "https://evil.test#api.paypal.com" + CERTIFICATE_PATH,
        "https://127.0.0.1" + CERTIFICATE_PATH,
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "{origin}/v1/notifications/certs/../../x",
        "{origin}/other/CERT-1",
        "{origin}:1" + CERTIFICATE_PATH,
        "{origin}" + CERTIFICATE_PATH + "?x=1",
        "{origin}" + CERTIFICATE_PATH + "#x",
        "HTTP://127.0.0.1" + CERTIFICATE_PATH,
    ],
)
def test_certificate_elsewhere_is_a_400_and_is_not_fetched(
    system: System, http: httpx.Client, url: str
) -> None:
    body = paypal_event()
    before, asked = system.stored(), len(system.paypal.asked)
    headers = {**system.paypal.headers(body), "paypal-cert-url": url.format(origin=system.paypal.origin)}
    answer = http.post(PAYPAL, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-signature")
    assert (system.stored(), len(system.paypal.asked)) == (before, asked)


FORGED: dict[str, Callable[[], bytes]] = {
    "another root": lambda: pem(certificate(PAYPAL_NAME, "paypal", "Evil Root", "evil")),
    "another name": lambda: pem(certificate("api.paypal.com.evil.test", "paypal", "Test Root", "root")),
    "signed by itself": lambda: pem(certificate(PAYPAL_NAME, "paypal", "Test Root", "paypal")),
    "expired": lambda: pem(certificate(PAYPAL_NAME, "paypal", "Test Root", "root", days=-1)),
    "no certificate": lambda: b"<html>502 Bad Gateway</html>",
    "empty": lambda: b"",
    "huge": lambda: b"-----BEGIN CERTIFICATE-----\n" * 400_000,
}


@pytest.mark.parametrize("name", FORGED)
def test_certificate_that_is_not_paypals_is_a_400(system: System, http: httpx.Client, name: str) -> None:
    body, path = paypal_event(), f"/v1/notifications/certs/CERT-{name.replace(' ', '-')}"
    before = system.stored()
    system.paypal.answers[path] = (200, FORGED[name]())
    answer = http.post(PAYPAL, content=body, headers=system.paypal.headers(body, path=path))
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-signature")
    assert system.stored() == before


def test_paypals_certificate_with_another_key_is_a_400(system: System, http: httpx.Client) -> None:
    body = paypal_event()
    before = system.stored()
    assert http.post(PAYPAL, content=body, headers=system.paypal.headers(body, key="evil")).status_code == 400
    assert system.stored() == before


def test_certificate_that_cannot_be_had_is_a_503_and_good_once_it_can(
    system: System, http: httpx.Client
) -> None:
    """PayPal sends it again; a 400 would lose it."""
    body, path = paypal_event(), "/v1/notifications/certs/CERT-away"
    before = system.stored()
    system.paypal.answers[path] = (503, b"")
    answer = http.post(PAYPAL, content=body, headers=system.paypal.headers(body, path=path))
    assert (answer.status_code, answer.json()["code"]) == (503, "webhook-unverifiable")
    assert int(answer.headers["retry-after"]) >= 1
    assert system.stored() == before
    system.paypal.answers[path] = system.paypal.answers[CERTIFICATE_PATH]
    deadline = time.monotonic() + 10
    while http.post(PAYPAL, content=body, headers=system.paypal.headers(body, path=path)).status_code != 200:
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("paypal-auth-algo", "SHA1withRSA"),
        ("paypal-auth-algo", "none"),
        ("paypal-auth-algo", ""),
        ("paypal-transmission-id", "another"),
        ("paypal-transmission-id", "a|b"),
        ("paypal-transmission-id", ""),
        ("paypal-transmission-time", "2026-03-01T09:00:01Z"),
        ("paypal-transmission-time", ""),
    ],
)
def test_header_that_is_signed_too_cannot_be_changed(
    system: System, http: httpx.Client, header: str, value: str
) -> None:
    body = paypal_event()
    before = system.stored()
    headers = {**system.paypal.headers(body), header: value}
    assert http.post(PAYPAL, content=body, headers=headers).status_code == 400
    assert system.stored() == before


def test_paypals_certificate_is_fetched_once(system: System, http: httpx.Client) -> None:
    bodies = [paypal_event() for _ in range(20)]
    for body in bodies:
        assert http.post(PAYPAL, content=body, headers=system.paypal.headers(body)).status_code == 200
    assert system.paypal.asked.count(CERTIFICATE_PATH) == 1
