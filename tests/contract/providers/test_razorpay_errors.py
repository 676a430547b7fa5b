"""Every way a call can fail becomes one of our four errors, and a write that may have acted is unknown."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.errors import Malformed, NotFound, OutcomeUnknown, PaystreamError, Rejected, Unavailable
from shared.providers.base import OrderRequest
from tests.contract.providers.conftest import Answers, adapter_at

ORDER = OrderRequest(
    reference="attempt-0000000001", order_id="o-1", amount=50_000, currency="INR", asked_at=datetime.now(UTC)
)
HTML = b"<html><body>502 Bad Gateway</body></html>"
BAD_REQUEST = b'{"error":{"code":"BAD_REQUEST_ERROR","description":"The amount must be an integer."}}'
SERVER_ERROR = b'{"error":{"code":"SERVER_ERROR","description":"We are facing some trouble"}}'
GATEWAY_ERROR = (
    b'{"error":{"code":"GATEWAY_ERROR","description":"bank trouble","reason":"gateway_technical_error"}}'
)

Http = Callable[..., bytes]


async def error_of_create(base_url: str, timeout_s: float = 2.0) -> PaystreamError:
    adapter = adapter_at(base_url, timeout_s)
    with pytest.raises(PaystreamError) as caught:
        await adapter.open_order(ORDER)
    await adapter.close()
    return caught.value


async def error_of_read(base_url: str, timeout_s: float = 2.0) -> PaystreamError:
    adapter = adapter_at(base_url, timeout_s)
    with pytest.raises(PaystreamError) as caught:
        await adapter.read("order_X")
    await adapter.close()
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "of_write", "of_read"),
    [
        (400, BAD_REQUEST, "application/json", Rejected, Rejected),
        (401, BAD_REQUEST, "application/json", Unavailable, Unavailable),
        (404, BAD_REQUEST, "application/json", NotFound, NotFound),
        (429, b'{"error":{"description":"Too many requests"}}', "application/json", Unavailable, Unavailable),
        (429, b"slow down", "text/plain", Unavailable, Unavailable),
        (500, SERVER_ERROR, "application/json", OutcomeUnknown, Unavailable),
        (502, GATEWAY_ERROR, "application/json", OutcomeUnknown, Unavailable),
        (502, HTML, "text/html", OutcomeUnknown, Unavailable),
        (503, HTML, "text/html", OutcomeUnknown, Unavailable),
        (200, HTML, "text/html", OutcomeUnknown, Unavailable),
        (200, b"", "application/json", OutcomeUnknown, Unavailable),
        (200, b'{"id":"order_1","amou', "application/json", OutcomeUnknown, Unavailable),
        (200, b'{"unexpected":true}', "application/json", OutcomeUnknown, Malformed),
        (200, b'{"id":5,"items":"x"}', "application/json", OutcomeUnknown, Malformed),
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
    assert type(await error_of_create(answers.url)) is of_write
    assert type(await error_of_read(answers.url)) is of_read
    assert len(answers.requests) == 2, "one request each: the SDK's own retry stays off"


async def test_no_connection_is_unavailable_because_nothing_was_sent() -> None:
    assert type(await error_of_create("http://127.0.0.1:9")) is Unavailable


async def test_no_answer_in_time_is_unknown_for_a_write(answers: Answers) -> None:
    answers.holding = True
    assert type(await error_of_create(answers.url, timeout_s=0.3)) is OutcomeUnknown
    assert type(await error_of_read(answers.url, timeout_s=0.3)) is Unavailable


async def test_a_connection_cut_after_the_request_is_unknown_for_a_write(answers: Answers) -> None:
    answers.say = b""
    assert type(await error_of_create(answers.url)) is OutcomeUnknown
    assert type(await error_of_read(answers.url)) is Unavailable


async def test_our_credentials_never_follow_a_redirect(answers: Answers) -> None:
    answers.say = b"HTTP/1.1 302 X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    await error_of_read(answers.url)
    assert len(answers.requests) == 1
