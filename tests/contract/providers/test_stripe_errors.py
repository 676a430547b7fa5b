"""What only Stripe answers, beside the common table."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from shared.errors import Malformed, OutcomeUnknown, PaystreamError, Rejected, Unavailable
from shared.messages.facts import ProviderOrderFact
from shared.providers.base import OrderRequest
from shared.providers.stripe import StripeAdapter
from tests.contract.providers.drivers.stripe import stripe_adapter_at
from tests.contract.providers.drivers.wordings import STRIPE_INTENT, stripe_error
from tests.contract.providers.raw_answers import Answers, raw

ORDER = OrderRequest(
    reference="attempt-0000000001", order_id="o-1", amount=50_000, currency="USD", asked_at=datetime.now(UTC)
)
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


async def test_the_published_answer_is_read(answers: Answers) -> None:
    answers.say = raw(200, json.dumps(STRIPE_INTENT).encode())
    adapter = stripe_adapter_at(answers.url)
    opened = await adapter.open_order(ORDER)
    await adapter.close()
    assert opened == ProviderOrderFact(
        provider_order_id="pi_3MtwBwLkdIwHu7ix28a3tqPa",
        reference="attempt-0000000001",
        amount=2000,
        currency="USD",
        secrets={"client_secret": str(STRIPE_INTENT["client_secret"]), "order_id": "o-1"},
    )
    (asked,) = answers.requests
    assert asked.headers["idempotency-key"] == "attempt-0000000001"
    assert asked.headers["stripe-version"] == "2026-10-28.endive"
    assert not any("telemetry" in name for name in asked.headers)


@pytest.mark.parametrize(
    ("status", "body", "of_write", "of_read"),
    [
        (404, stripe_error("invalid_request_error"), Rejected, Rejected),
        (424, stripe_error("api_error"), OutcomeUnknown, Unavailable),
        (429, stripe_error("invalid_request_error", "lock_timeout"), Unavailable, Unavailable),
        (200, json.dumps({**STRIPE_INTENT, "amount": -1}).encode(), OutcomeUnknown, Malformed),
        (200, json.dumps({**STRIPE_INTENT, "currency": "zzz"}).encode(), OutcomeUnknown, Malformed),
    ],
)
async def test_what_only_stripe_says(
    answers: Answers,
    status: int,
    body: bytes,
    of_write: type[PaystreamError],
    of_read: type[PaystreamError],
) -> None:
    answers.say = raw(status, body)
    assert type(await error_of(_open, answers.url)) is of_write
    assert type(await error_of(_read, answers.url)) is of_read


@pytest.mark.parametrize("body", [stripe_error("invalid_request_error", "rate_limit"), b"slow down"])
async def test_a_429_says_for_how_long_or_leaves_it_to_us(answers: Answers, body: bytes) -> None:
    for header, expected in (("retry-after: 9", 9.0), ("retry-after: soon", 2.0), ("x: y", 2.0)):
        head = f"HTTP/1.1 429 X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{header}\r\n\r\n"
        answers.say = head.encode() + body
        caught = await error_of(_open, answers.url)
        assert isinstance(caught, Unavailable)
        assert caught.retry_after_s == expected


async def test_no_intent_that_may_be_paying_is_ever_asked_to_be_cancelled(answers: Answers) -> None:
    for status in ("processing", "succeeded"):
        answers.say = raw(200, json.dumps({**STRIPE_INTENT, "status": status}).encode())
        caught = await error_of(lambda adapter: adapter.cancel("pi_1", "cancel-0000000001"), answers.url)
        assert (type(caught), caught.code) == (Rejected, "cancel-refused")
    assert [asked.method for asked in answers.requests] == ["GET"] * 2
