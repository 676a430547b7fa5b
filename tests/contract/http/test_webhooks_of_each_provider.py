"""What every provider's webhook route must do alike: believed only when signed, kept as it came."""

import base64
import json
from collections.abc import Callable

import httpx
import pytest

from tests.integration.gateway.orders import captured, webhook
from tests.integration.gateway.others import paypal_event, stripe_event, stripe_headers
from tests.integration.gateway.system import System

PATH = "/api/payments/webhook"
PROVIDERS = ["razorpay", "stripe", "paypal"]
SIGNATURES = {
    "razorpay": "x-razorpay-signature",
    "stripe": "stripe-signature",
    "paypal": "paypal-transmission-sig",
}
EVENTS: dict[str, Callable[[], bytes]] = {
    "razorpay": captured,
    "stripe": stripe_event,
    "paypal": paypal_event,
}


def signed(system: System, provider: str, body: bytes) -> dict[str, str]:
    match provider:
        case "razorpay":
            return webhook(body)
        case "stripe":
            return stripe_headers(body)
    return system.paypal.headers(body)


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_signed_event_is_kept_with_its_bytes_and_its_headers(
    system: System, http: httpx.Client, provider: str, bare: bool
) -> None:
    body = EVENTS[provider]().replace(b": ", b" :  ")
    headers = signed(system, provider, body)
    answer = http.post(PATH if bare else f"{PATH}/{provider}", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found = [(e, json.loads(bytes(e.data))) for e in system.payments.webhooks()]
    ((_, event),) = [(e, d) for e, d in found if base64.b64decode(d["body"]) == body]
    assert event["provider"] == provider
    assert event["headers"] == {n: v for n, v in headers.items() if provider in n}
    assert SIGNATURES[provider] in event["headers"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_repetition_has_the_same_id(system: System, http: httpx.Client, provider: str) -> None:
    """A provider signs each delivery anew; what makes the event the same is inside."""
    body = EVENTS[provider]()
    for _ in range(2):
        headers = signed(system, provider, body)
        assert http.post(f"{PATH}/{provider}", content=body, headers=headers).status_code == 200
    ids = [
        e.id
        for e in system.payments.webhooks()
        if base64.b64decode(json.loads(bytes(e.data))["body"]) == body
    ]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def refused(system: System, answer: httpx.Response, before: tuple[int, int]) -> tuple[int, str]:
    assert system.stored() == before
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    "signature",
    [
        None,
        b"",
        b"garbage",
        b"0" * 64,
        b"a" * 8000,
        "ä".encode() * 32,
        b"\xff" * 64,
        b"t=1,v1=",
        b"t=,v1=0",
        b"====",
        b"AAAA",
        b"t=99999999999999999999,v1=" + b"0" * 64,
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_bad_signature(system: System, http: httpx.Client, provider: str, signature: bytes | None) -> None:
    body = EVENTS[provider]()
    before = system.stored()
    headers = {n.encode(): v.encode() for n, v in signed(system, provider, body).items()}
    del headers[SIGNATURES[provider].encode()]
    if signature is not None:
        headers[SIGNATURES[provider].encode()] = signature
    answer = http.post(f"{PATH}/{provider}", content=body, headers=list(headers.items()))
    assert refused(system, answer, before) == (400, "bad-signature")


@pytest.mark.parametrize(
    "touch",
    [
        lambda body: body + b" ",
        lambda body: b" " + body,
        lambda body: json.dumps(json.loads(body), indent=1).encode(),
        lambda body: json.dumps(json.loads(body), sort_keys=True).encode(),
        lambda body: body[:-1],
        lambda _: b"",
    ],
    ids=["space after", "space before", "indented", "sorted", "cut", "empty"],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_body_that_was_touched(
    system: System, http: httpx.Client, provider: str, touch: Callable[[bytes], bytes]
) -> None:
    body = EVENTS[provider]()
    before = system.stored()
    headers = signed(system, provider, body)
    answer = http.post(f"{PATH}/{provider}", content=touch(body), headers=headers)
    assert refused(system, answer, before) == (400, "bad-signature")


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b'{"id":1}',
        b"not json",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"id":"","type":"x","event_type":"x"}',
        b'{"id":"a\\u0000b"}',
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_signed_nonsense(system: System, http: httpx.Client, provider: str, body: bytes) -> None:
    before = system.stored()
    answer = http.post(f"{PATH}/{provider}", content=body, headers=signed(system, provider, body))
    assert refused(system, answer, before) == (400, "not-an-event")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_more_than_256_kb(system: System, http: httpx.Client, provider: str) -> None:
    body = EVENTS[provider]() + b" " * 300_000
    before = system.stored()
    answer = http.post(f"{PATH}/{provider}", content=body, headers=signed(system, provider, body))
    assert refused(system, answer, before) == (413, "body-too-large")


@pytest.mark.parametrize("other", PROVIDERS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_providers_event_at_anothers_address(
    system: System, http: httpx.Client, provider: str, other: str
) -> None:
    body = EVENTS[provider]()
    before = system.stored()
    answer = http.post(f"{PATH}/{other}", content=body, headers=signed(system, provider, body))
    if other == provider:
        assert answer.status_code == 200
    else:
        assert refused(system, answer, before) == (400, "bad-signature")


def test_two_providers_signatures_at_the_bare_address(system: System, http: httpx.Client) -> None:
    body = stripe_event()
    before = system.stored()
    headers = {**stripe_headers(body), **webhook(body)}
    assert refused(system, http.post(PATH, content=body, headers=headers), before) == (400, "bad-signature")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_unknown_kind_of_event_is_taken(system: System, http: httpx.Client, provider: str) -> None:
    """What to make of it is for payments to say; a refusal would only be repeated for days."""
    bodies = {
        "razorpay": b'{"entity":"event","account_id":"acc_BFQ7uQEaa7j2z7","event":"new.thing","payload":{}}',
        "stripe": stripe_event("new.thing"),
        "paypal": paypal_event("NEW.THING"),
    }
    body = bodies[provider]
    answer = http.post(f"{PATH}/{provider}", content=body, headers=signed(system, provider, body))
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_other_methods(http: httpx.Client, provider: str, method: str) -> None:
    asked = {"origin": "http://shop.localhost:8710", "access-control-request-method": "POST"}
    answer = http.request(method, f"{PATH}/{provider}", headers=asked)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert not [name for name in answer.headers if name.startswith("access-control")]
