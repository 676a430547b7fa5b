"""Every way a call can fail becomes one of our four errors, and a write that may have acted is unknown."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from shared.errors import Malformed, NotFound, OutcomeUnknown, PaystreamError, Rejected, Unavailable
from shared.messages.facts import ProviderOrderFact
from shared.providers.base import CaptureRequest, OrderRequest, RefundRequest
from shared.providers.stripe import StripeAdapter
from tests.contract.providers.conftest import Answers
from tests.contract.providers.stripe_driver import stripe_adapter_at

ORDER = OrderRequest(
    reference="attempt-0000000001", order_id="o-1", amount=50_000, currency="USD", asked_at=datetime.now(UTC)
)
CAPTURE = CaptureRequest(
    key="capture-0000000001",
    provider_order_id="pi_1",
    charge_id="ch_1",
    amount=1,
    currency="USD",
    authorized=1,
)
REFUND = RefundRequest(
    key="refund-0000000001",
    order_id="o-1",
    provider_order_id="pi_1",
    charge_id="ch_1",
    amount=1,
    currency="USD",
)
JSON = "application/json"
HTML = b"<html><body>502 Bad Gateway</body></html>"
# The abridged object of Stripe's own documentation (PaymentIntents, The PaymentIntent object).
INTENT = {
    "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "object": "payment_intent", "amount": 2000, "amount_capturable": 0,
    "amount_received": 0, "application": None, "application_fee_amount": None,
    "automatic_payment_methods": {"enabled": True}, "canceled_at": None, "cancellation_reason": None,
    "capture_method": "automatic",
    "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "confirmation_method": "automatic", "created": 1680800504, "currency": "usd", "customer": None,
    "description": None, "last_payment_error": None, "latest_charge": None, "livemode": False,
    "metadata": {"reference": "attempt-0000000001", "order_id": "o-1"}, "next_action": None,
    "payment_method": None, "payment_method_types": ["card", "link"], "processing": None,
    "status": "requires_payment_method",
}  # fmt: skip


def error(kind: str, code: str | None = None, message: str = "said Stripe") -> bytes:
    return json.dumps(
        {"error": {"type": kind, "message": message, **({"code": code} if code else {})}}
    ).encode()


INVALID = error("invalid_request_error", "parameter_invalid_integer")
Http = Callable[..., bytes]
Call = Callable[[StripeAdapter], Awaitable[object]]


async def _open(adapter: StripeAdapter) -> object:
    return await adapter.open_order(ORDER)


async def _read(adapter: StripeAdapter) -> object:
    return await adapter.read_order("pi_1")


async def error_of(call: Call, base_url: str, timeout_s: float = 2.0) -> PaystreamError:
    adapter = stripe_adapter_at(base_url, timeout_s)
    try:
        with pytest.raises(PaystreamError) as caught:
            await call(adapter)
    finally:
        await adapter.close()
    return caught.value


async def test_the_published_answer_is_read(answers: Answers, http: Http) -> None:
    answers.say = http(200, json.dumps(INTENT).encode(), JSON)
    adapter = stripe_adapter_at(answers.url)
    opened = await adapter.open_order(ORDER)
    await adapter.close()
    assert opened == ProviderOrderFact(
        provider_order_id="pi_3MtwBwLkdIwHu7ix28a3tqPa",
        reference="attempt-0000000001",
        amount=2000,
        currency="USD",
        secrets={"client_secret": str(INTENT["client_secret"]), "order_id": "o-1"},
    )
    (head,) = answers.requests
    assert b"idempotency-key: attempt-0000000001\r\n" in head.lower()
    assert b"stripe-version: 2026-10-28.endive" in head.lower()
    assert b"telemetry" not in head.lower()


@pytest.mark.parametrize(
    ("status", "body", "kind", "of_write", "of_read"),
    [
        (400, INVALID, JSON, Rejected, Rejected),
        (400, error("idempotency_error"), JSON, Rejected, Rejected),
        (400, HTML, "text/html", OutcomeUnknown, Unavailable),
        (401, error("invalid_request_error"), JSON, Unavailable, Unavailable),
        (402, error("card_error", "card_declined"), JSON, Rejected, Rejected),
        (403, error("invalid_request_error"), JSON, Unavailable, Unavailable),
        (404, error("invalid_request_error", "resource_missing"), JSON, NotFound, NotFound),
        (404, error("invalid_request_error"), JSON, Rejected, Rejected),
        (404, HTML, "text/html", OutcomeUnknown, Unavailable),
        (409, error("idempotency_error", "idempotency_key_in_use"), JSON, OutcomeUnknown, Unavailable),
        (424, error("api_error"), JSON, OutcomeUnknown, Unavailable),
        (429, error("invalid_request_error", "rate_limit"), JSON, Unavailable, Unavailable),
        (429, error("invalid_request_error", "lock_timeout"), JSON, Unavailable, Unavailable),
        (429, b"slow down", "text/plain", Unavailable, Unavailable),
        (500, error("api_error"), JSON, OutcomeUnknown, Unavailable),
        (502, HTML, "text/html", OutcomeUnknown, Unavailable),
        (503, b"", "text/html", OutcomeUnknown, Unavailable),
        (200, HTML, "text/html", OutcomeUnknown, Unavailable),
        (200, b"", JSON, OutcomeUnknown, Unavailable),
        (200, b"\xff\xfe", JSON, OutcomeUnknown, Unavailable),
        (200, b'{"id":"pi_1","amou', JSON, OutcomeUnknown, Unavailable),
        (200, b'{"unexpected":true}', JSON, OutcomeUnknown, Malformed),
        (200, b'{"id":5}', JSON, OutcomeUnknown, Malformed),
        (200, b"[]", JSON, OutcomeUnknown, Malformed),
        (200, b"null", JSON, OutcomeUnknown, Malformed),
        (200, json.dumps({**INTENT, "amount": -1}).encode(), JSON, OutcomeUnknown, Malformed),
        (200, json.dumps({**INTENT, "currency": "zzz"}).encode(), JSON, OutcomeUnknown, Malformed),
        (302, b"", "text/html", OutcomeUnknown, Unavailable),
    ],
)
async def test_each_answer_is_the_right_error(
    answers: Answers,
    http: Http,
    status: int,
    body: bytes,
    kind: str,
    of_write: type[PaystreamError],
    of_read: type[PaystreamError],
) -> None:
    answers.say = http(status, body, kind)
    assert type(await error_of(_open, answers.url)) is of_write
    assert type(await error_of(_read, answers.url)) is of_read
    assert len(answers.requests) == 2, "one request each: the SDK's own retry stays off"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda adapter: adapter.capture(CAPTURE), "capture-refused"),
        (lambda adapter: adapter.refund(REFUND), "refund-refused"),
        (_open, "provider-rejected"),
    ],
)
async def test_a_refusal_has_the_code_of_what_was_asked(
    answers: Answers, http: Http, call: Call, code: str
) -> None:
    answers.say = http(400, INVALID, JSON)
    caught = await error_of(call, answers.url)
    assert (type(caught), caught.code, caught.detail) == (Rejected, code, "said Stripe")


@pytest.mark.parametrize("body", [error("invalid_request_error", "rate_limit"), b"slow down"])
async def test_a_429_says_for_how_long_or_leaves_it_to_us(answers: Answers, body: bytes) -> None:
    for header, expected in (("retry-after: 9", 9.0), ("retry-after: soon", 2.0), ("x: y", 2.0)):
        head = f"HTTP/1.1 429 X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{header}\r\n\r\n"
        answers.say = head.encode() + body
        caught = await error_of(_open, answers.url)
        assert isinstance(caught, Unavailable)
        assert caught.retry_after_s == expected


async def test_no_connection_is_unavailable_because_nothing_was_sent() -> None:
    assert type(await error_of(_open, "http://127.0.0.1:9")) is Unavailable


async def test_no_answer_in_time_is_unknown_for_a_write(answers: Answers) -> None:
    answers.holding = True
    assert type(await error_of(_open, answers.url, 0.3)) is OutcomeUnknown
    assert type(await error_of(_read, answers.url, 0.3)) is Unavailable


@pytest.mark.parametrize("cut", [b"", b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"id":'])
async def test_a_connection_cut_after_the_request_is_unknown_for_a_write(
    answers: Answers, cut: bytes
) -> None:
    answers.say = cut
    assert type(await error_of(_open, answers.url)) is OutcomeUnknown
    assert type(await error_of(_read, answers.url)) is Unavailable


async def test_our_credentials_never_follow_a_redirect(answers: Answers) -> None:
    answers.say = b"HTTP/1.1 302 X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    await error_of(_read, answers.url)
    assert len(answers.requests) == 1


async def test_no_intent_that_may_be_paying_is_ever_asked_to_be_cancelled(
    answers: Answers, http: Http
) -> None:
    for status in ("processing", "succeeded"):
        answers.say = http(200, json.dumps({**INTENT, "status": status}).encode(), JSON)
        caught = await error_of(lambda adapter: adapter.cancel("pi_1", "cancel-0000000001"), answers.url)
        assert (type(caught), caught.code) == (Rejected, "cancel-refused")
    assert [head.split()[0] for head in answers.requests] == [b"GET"] * 2
