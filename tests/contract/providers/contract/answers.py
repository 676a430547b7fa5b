"""What a raw answer means, for every kind of call: the one table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from shared.errors import Malformed, NotFound, OutcomeUnknown, PaystreamError, Rejected, Unavailable
from shared.providers.base import Adapter, CaptureRequest, OrderRequest, RefundRequest
from tests.contract.providers.contract.driver import all_of
from tests.contract.providers.raw_answers import Answers, raw

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
Error = type[PaystreamError]
Call = Callable[[Adapter], Awaitable[Any]]


class Wording(Protocol):
    """How one provider says it, in the shapes of its own documents."""

    name: str
    currency: str
    order: bytes  # its answer to a create
    refused: bytes  # a bad request
    unauthorised: bytes
    missing: bytes
    under_way: tuple[int, bytes]  # the first request of this key is still running
    key_reused: tuple[int, bytes]  # this key had another request, whose outcome this does not tell
    unprocessable: tuple[int, bytes]  # a good request that its rules refuse
    slow_down: bytes
    trouble: bytes
    renews_tokens: bool  # a refused token is renewed once: two requests
    cannot: frozenset[str]  # calls that the provider does not have
    may_be_empty: frozenset[str]  # lists whose field is left out where there is nothing

    def adapter(self, url: str, timeout_s: float = 2.0) -> Adapter: ...


@dataclass(frozen=True, slots=True)
class Case:
    """One answer, and which error it is."""

    name: str
    say: bytes
    of_write: Error
    of_read: Error


def cases(wording: Wording) -> list[Case]:
    """A write that may have acted is unknown; a read is tried again; only the provider's own word refuses."""
    unclear = (OutcomeUnknown, Unavailable)
    unreadable = (OutcomeUnknown, Malformed)
    rest = (Unavailable, Unavailable)
    truncated = raw(200, wording.order)[:-20]
    status, words = wording.unprocessable
    busy_status, busy = wording.under_way
    other_status, other = wording.key_reused
    return [
        Case("400", raw(400, wording.refused), Rejected, Rejected),
        Case("400-html", raw(400, HTML, "text/html"), *unclear),
        Case("400-of-a-proxy", raw(400, b'{"message":"Bad Request"}'), *unclear),
        Case("400-null", raw(400, b"null"), *unclear),
        Case("400-error-null", raw(400, b'{"error":null}'), *unclear),
        Case("401", raw(401, wording.unauthorised), *rest),
        Case("403", raw(403, wording.unauthorised), *rest),
        Case("404", raw(404, wording.missing), Rejected, NotFound),
        Case("404-html", raw(404, HTML, "text/html"), *unclear),
        Case("unprocessable", raw(status, words), Rejected, Rejected),
        Case("429", raw(429, wording.slow_down), *rest),
        Case("429-after-9", raw(429, wording.slow_down, more="retry-after: 9\r\n"), *rest),
        Case("429-text", raw(429, b"slow down", "text/plain"), *rest),
        Case("500", raw(500, wording.trouble), *unclear),
        Case("500-html", raw(500, HTML, "text/html"), *unclear),
        Case("502-html", raw(502, HTML, "text/html"), *unclear),
        Case("502-number", raw(502, b"502"), *unclear),
        Case("502-error-text", raw(502, b'{"error":"no description"}'), *unclear),
        Case("503-empty", raw(503, b"", "text/html"), *unclear),
        Case("504-html", raw(504, HTML, "text/html"), *unclear),
        Case("302", raw(302, b"", more="location: /elsewhere\r\n"), *unclear),
        Case("200-html", raw(200, HTML, "text/html"), *unclear),
        Case("200-empty", raw(200, b""), *unclear),
        Case("200-cut", raw(200, wording.order[:20]), *unclear),
        Case("200-truncated", truncated, *unclear),
        Case("200-binary", raw(200, b"\xff\xfe\x00"), *unclear),
        Case("200-other", raw(200, b'{"unexpected":true}'), *unreadable),
        Case("200-wrong-types", raw(200, b'{"id":5,"items":"x","data":"x"}'), *unreadable),
        Case("200-list", raw(200, b"[]"), *unreadable),
        Case("200-null", raw(200, b"null"), *unreadable),
        Case("closed", b"", *unclear),
        Case("no-http", b"SSH-2.0-OpenSSH_9.7\r\n", *unclear),
        Case("under-way", raw(busy_status, busy), *unclear),
        Case("key-reused", raw(other_status, other), *unclear),
    ]


def writes(currency: str) -> dict[str, Call]:
    order = OrderRequest(
        reference="attempt-0000000001",
        order_id="o-1",
        amount=50_000,
        currency=currency,
        asked_at=datetime.now(UTC),
    )
    capture = CaptureRequest(
        key="capture-0000000001",
        provider_order_id="5O190127TN364715T",
        charge_id="3C679366HH908993F",
        amount=50_000,
        currency=currency,
        authorized=50_000,
    )
    refund = RefundRequest(
        key="refund-0000000001",
        order_id="o-1",
        provider_order_id="5O190127TN364715T",
        charge_id="3C679366HH908993F",
        amount=1000,
        currency=currency,
    )
    return {
        "open_order": lambda adapter: adapter.open_order(order),
        "capture": lambda adapter: adapter.capture(capture),
        "refund": lambda adapter: adapter.refund(refund),
    }


def reads(currency: str) -> dict[str, Call]:
    refund = RefundRequest(
        key="refund-0000000001",
        order_id="o-1",
        provider_order_id="5O190127TN364715T",
        charge_id="3C679366HH908993F",
        amount=1000,
        currency=currency,
    )
    since = datetime(2026, 3, 1, tzinfo=UTC)
    window = (since, since + timedelta(hours=1))
    return {
        "read_order": lambda adapter: adapter.read_order("5O190127TN364715T"),
        "read_charge": lambda adapter: adapter.read_charge("3C679366HH908993F"),
        "read_dispute": lambda adapter: adapter.read_dispute("PP-D-27803"),
        "find_refund": lambda adapter: adapter.find_refund(refund),
        "list_charges": lambda adapter: all_of(adapter.list_charges(*window)),
        "list_refunds": lambda adapter: all_of(adapter.list_refunds(*window)),
        "list_disputes": lambda adapter: all_of(adapter.list_disputes(*window)),
        "list_settlement_lines": lambda adapter: all_of(adapter.list_settlement_lines(*window)),
    }


async def error_of(wording: Wording, call: Call, url: str, timeout_s: float = 2.0) -> PaystreamError:
    adapter = wording.adapter(url, timeout_s)
    try:
        with pytest.raises(PaystreamError) as caught:
            await call(adapter)
    finally:
        await adapter.close()
    return caught.value


async def check(wording: Wording, case: Case, answers: Answers) -> None:
    """Every kind of call meets this answer and raises what the table says, after one request."""
    answers.say = case.say
    calls = [(name, call, case.of_write) for name, call in writes(wording.currency).items()]
    calls += [(name, call, case.of_read) for name, call in reads(wording.currency).items()]
    for name, call, expected in calls:
        if name in wording.cannot or (expected is Malformed and name in wording.may_be_empty):
            continue
        answers.requests.clear()
        error = await error_of(wording, call, answers.url)
        assert isinstance(error, expected), f"{name}: {error!r}"
        asked = 2 if case.name == "401" and wording.renews_tokens else 1
        if (
            case.name != "closed" or case.of_write is expected
        ):  # a read on a closed connection may be repeated
            assert len(answers.requests) == asked, f"{name}: nothing is repeated behind our back"
        if isinstance(error, Unavailable):
            assert error.retry_after_s == 9 if case.name == "429-after-9" else error.retry_after_s > 0
