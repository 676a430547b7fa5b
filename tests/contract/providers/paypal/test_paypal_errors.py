"""What only PayPal answers, beside the common table: tokens, issues, reports."""

import asyncio
import json
import threading
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import Malformed, OutcomeUnknown, PaystreamError, Rejected, Unavailable
from shared.messages.facts import RefundFact
from shared.providers.base import CaptureRequest, OrderRequest, RefundRequest
from shared.providers.paypal import PayPalAdapter
from tests.contract.providers.drivers.paypal import paypal_adapter_at
from tests.contract.providers.drivers.wordings import paypal_error
from tests.contract.providers.raw_answers import Answers, raw

ORDER = OrderRequest(
    reference="attempt-0000000001", order_id="o-1", amount=10_000, currency="USD", asked_at=datetime.now(UTC)
)
CAPTURE = CaptureRequest(
    key="capture-0000000001",
    provider_order_id="5O190127TN364715T",
    charge_id="",
    amount=10_000,
    currency="USD",
    authorized=10_000,
)
REFUND = RefundRequest(
    key="refund-0000000001",
    order_id="o-1",
    provider_order_id="5O190127TN364715T",
    charge_id="3C679366HH908993F",
    amount=1_000,
    currency="USD",
)
HTML = b"<html><body>502 Bad Gateway</body></html>"


TOKEN_ERROR = b'{"error":"invalid_token","error_description":"Token signature verification failed"}'
GONE = paypal_error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
UNDER_WAY = paypal_error("UNPROCESSABLE_ENTITY", "ORDER_COMPLETION_IN_PROGRESS")
RATE = b'{"name":"RATE_LIMIT_REACHED","message":"Too many requests.","debug_id":"1","links":[]}'
INTERNAL = paypal_error("INTERNAL_SERVER_ERROR")


async def failure(adapter: PayPalAdapter, call: Awaitable[Any]) -> PaystreamError:
    with pytest.raises(PaystreamError) as caught:
        await call
    await adapter.close()
    return caught.value


async def of_create(url: str, timeout_s: float = 3.0) -> PaystreamError:
    adapter = paypal_adapter_at(url, timeout_s)
    return await failure(adapter, adapter.open_order(ORDER))


async def of_read(url: str, timeout_s: float = 3.0) -> PaystreamError:
    adapter = paypal_adapter_at(url, timeout_s)
    return await failure(adapter, adapter.read_charge("3C679366HH908993F"))


@pytest.mark.parametrize(
    ("status", "body", "of_a_write", "of_a_read"),
    [
        (403, paypal_error("NOT_AUTHORIZED", "PERMISSION_DENIED"), Unavailable, Unavailable),
        (422, UNDER_WAY, OutcomeUnknown, Unavailable),
        (503, paypal_error("SERVICE_UNAVAILABLE"), OutcomeUnknown, Unavailable),
        (201, b'{"id":"5O190127TN364715T","status":"CREATED"}', OutcomeUnknown, Malformed),
    ],
)
async def test_what_only_paypal_says(
    answers: Answers,
    status: int,
    body: bytes,
    of_a_write: type[PaystreamError],
    of_a_read: type[PaystreamError],
) -> None:
    answers.say = raw(status, body)
    assert type(await of_create(answers.url)) is of_a_write
    assert type(await of_read(answers.url)) is of_a_read


async def test_the_shops_reason_for_a_refund_is_not_mailed_to_the_buyer(answers: Answers) -> None:
    """It is for the shop's own records (docs/http.md); a note to the payer is mailed by PayPal."""
    answers.say = raw(201, b'{"id":"1JU08902781691411","status":"COMPLETED"}')
    adapter = paypal_adapter_at(answers.url)
    await adapter.refund(replace(REFUND, reason="suspected fraud"))
    await adapter.close()
    (asked,) = answers.requests
    assert json.loads(asked.body) == {
        "amount": {"currency_code": "USD", "value": "10.00"},
        "invoice_id": REFUND.key,
        "custom_id": REFUND.key,
    }


@pytest.mark.parametrize(
    "states", [("DECLINED", "COMPLETED"), ("COMPLETED", "DECLINED"), ("PENDING", "FAILED")]
)
async def test_the_capture_that_took_the_money_is_the_answer_wherever_it_stands(
    answers: Answers, states: tuple[str, str]
) -> None:
    amount = {"currency_code": "USD", "value": "100.00"}
    captures = [{"id": f"{state}1", "status": state, "amount": amount} for state in states]
    unit = {"amount": amount, "payments": {"captures": captures}}
    order = {"id": CAPTURE.provider_order_id, "status": "COMPLETED", "purchase_units": [unit]}
    answers.say = raw(201, json.dumps(order).encode())
    adapter = paypal_adapter_at(answers.url)
    taken = await adapter.capture(CAPTURE)
    await adapter.close()
    assert taken.state in ("captured", "pending")


async def test_addresses_that_are_not_set_are_left_out(answers: Answers) -> None:
    """PayPal refuses what is no address: every order would fail."""
    answers.say = raw(201, b'{"id":"5O190127TN364715T","status":"CREATED"}')
    adapter = paypal_adapter_at(answers.url, return_url="https://shop.example/back", cancel_url="")
    await failure(adapter, adapter.open_order(ORDER))
    (asked,) = answers.requests
    context = json.loads(asked.body)["payment_source"]["paypal"]["experience_context"]
    assert context["return_url"] == "https://shop.example/back?order=o-1"
    assert "cancel_url" not in context


async def test_a_token_that_is_refused_is_renewed_once(answers: Answers) -> None:
    answers.say = raw(401, TOKEN_ERROR)
    caught = await of_create(answers.url)
    assert isinstance(caught, Unavailable)
    assert caught.code == "provider-misconfigured"
    assert (len(answers.requests), answers.tokens) == (2, 2)


@pytest.mark.parametrize(("status", "body"), [(500, INTERNAL), (200, b"<html>"), (503, HTML), (429, RATE)])
async def test_without_a_token_nothing_is_sent(answers: Answers, status: int, body: bytes) -> None:
    answers.token_status, answers.token = status, body
    assert type(await of_create(answers.url)) is Unavailable
    assert answers.requests == []


async def test_callers_at_once_ask_for_one_token(answers: Answers) -> None:
    answers.say = raw(404, GONE)
    answers.token_delay = threading.Event()
    adapter = paypal_adapter_at(answers.url)
    reads = [asyncio.create_task(adapter.read("5O190127TN364715T")) for _ in range(8)]
    deadline = asyncio.get_running_loop().time() + 5
    while not answers.tokens:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    answers.token_delay.set()
    assert all(seen.cancelled for seen in await asyncio.gather(*reads))
    await adapter.close()
    assert answers.tokens == 1


@pytest.mark.parametrize(
    ("issue", "code"),
    [
        ("INSTRUMENT_DECLINED", "instrument-declined"),
        ("ORDER_NOT_APPROVED", "capture-refused"),
        ("PAYER_ACTION_REQUIRED", "capture-refused"),
        ("DUPLICATE_INVOICE_ID", "capture-refused"),
        ("COMPLIANCE_VIOLATION", "capture-refused"),
        ("ORDER_EXPIRED", "capture-refused"),
    ],
)
async def test_a_refused_capture_says_why(answers: Answers, issue: str, code: str) -> None:
    answers.say = raw(422, paypal_error("UNPROCESSABLE_ENTITY", issue))
    adapter = paypal_adapter_at(answers.url)
    caught = await failure(adapter, adapter.capture(CAPTURE))
    assert isinstance(caught, Rejected)
    assert caught.code == code
    assert issue in caught.detail
    assert "90957fca61718" in caught.detail, "the debug id is what PayPal's support asks for"


async def test_a_capture_that_was_made_but_cannot_be_read_is_unknown(answers: Answers) -> None:
    answers.say = raw(422, paypal_error("UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED"))
    adapter = paypal_adapter_at(answers.url)
    caught = await failure(adapter, adapter.capture(CAPTURE))
    assert type(caught) is OutcomeUnknown
    assert [asked.method for asked in answers.requests] == ["POST", "GET"]


@pytest.mark.parametrize(
    "issue", ["REFUND_AMOUNT_EXCEEDED", "CAPTURE_FULLY_REFUNDED", "TRANSACTION_DISPUTED"]
)
async def test_a_refused_refund_says_why(answers: Answers, issue: str) -> None:
    answers.say = raw(422, paypal_error("UNPROCESSABLE_ENTITY", issue))
    adapter = paypal_adapter_at(answers.url)
    caught = await failure(adapter, adapter.refund(REFUND))
    assert caught.code == "refund-refused"
    assert issue in caught.detail


async def test_a_minimal_refund_answer_is_enough(answers: Answers) -> None:
    """The published sample of `Prefer: return=minimal`: an id and a status."""
    answers.say = raw(201, b'{"id":"1JU08902781691411","status":"COMPLETED","links":[]}')
    adapter = paypal_adapter_at(answers.url)
    made = await adapter.refund(REFUND)
    await adapter.close()
    assert made == RefundFact(
        refund_id="1JU08902781691411",
        charge_id=REFUND.charge_id,
        state="succeeded",
        amount=1_000,
        currency="USD",
        reference=REFUND.key,
    )


async def test_a_write_carries_our_key_and_a_number_as_a_decimal_text(answers: Answers) -> None:
    answers.say = raw(500, INTERNAL)
    await of_create(answers.url)
    (asked,) = answers.requests
    assert (asked.method, asked.path) == ("POST", "/v2/checkout/orders")
    assert asked.headers["paypal-request-id"] == ORDER.reference
    assert asked.headers["authorization"] == "Bearer A21AAtest"
    (unit,) = json.loads(asked.body)["purchase_units"]
    assert unit["amount"] == {"currency_code": "USD", "value": "100.00"}
    assert (unit["custom_id"], unit["invoice_id"]) == (ORDER.order_id, ORDER.reference)


async def test_a_report_that_is_too_large_is_asked_for_in_halves(answers: Answers) -> None:
    answers.say = raw(422, paypal_error("UNPROCESSABLE_ENTITY", "RESULTSET_TOO_LARGE"))
    adapter = paypal_adapter_at(answers.url)
    since = datetime(2026, 3, 1, tzinfo=UTC)
    lines = adapter.list_charges(since, since + timedelta(seconds=8))
    with pytest.raises(Rejected):
        await anext(aiter(lines))
    await adapter.close()
    ends = [each.path.split("end_date=")[1][:20] for each in answers.requests]
    assert [end.replace("%3A", ":")[17:19] for end in ends] == ["07", "03", "01", "00"]
