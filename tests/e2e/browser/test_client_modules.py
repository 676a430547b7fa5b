"""The client's pure parts, run by the browser that they are written for. Only the shop's files are needed."""

from typing import Any

import pytest
from playwright.async_api import Page

from shared.money import Money, currencies
from tests.e2e.browser.modules import files, page, run

__all__ = ["files", "page"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


READ = """async ({ readEvents }, chunks) => {
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    start(out) { chunks.forEach((chunk) => out.enqueue(encoder.encode(chunk))); out.close(); },
  });
  const events = [];
  for await (const { event, data } of readEvents(body)) events.push([event, data]);
  return events;
}"""


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        ("data: one\n\ndata: two\n\n", [["message", "one"], ["message", "two"]]),
        ("event: status\ndata: a\ndata: b\n\n", [["status", "a\nb"]]),
        (": still here\n\nretry: 1000\nid: 7\ndata:x\n\n", [["message", "x"]]),
        ("data: windows\r\n\r\ndata: old mac\r\r", [["message", "windows"], ["message", "old mac"]]),
        ("data: ₹\n\n", [["message", "₹"]]),
        ("data: cut off", []),
    ],
)
async def test_events_are_read_however_the_stream_is_cut(
    page: Page, stream: str, events: list[list[str]]
) -> None:
    assert await run(page, "sse.js", READ, [stream]) == events
    assert await run(page, "sse.js", READ, list(stream)) == events


@pytest.mark.parametrize(
    ("current", "incoming", "status"),
    [
        ({"status": "created", "version": 1}, {"status": "pending_payment", "version": 2}, "pending_payment"),
        ({"status": "processing", "version": 4}, {"status": "failed", "version": 3}, "processing"),
        ({"status": "failed", "version": 3}, {"status": "processing", "version": 4}, "processing"),
        ({"status": "paid", "version": 5}, {"status": "processing", "version": 5}, "paid"),
        ({"status": "paid"}, {"status": "processing"}, "paid"),
        ({"status": "paid", "version": 5}, {"status": "refunded", "version": 7}, "refunded"),
        ({"status": "refunded", "version": 7}, {"status": "paid", "version": 8}, "paid"),
    ],
)
async def test_the_later_status_stands(
    page: Page, current: dict[str, Any], incoming: dict[str, Any], status: str
) -> None:
    both = [current | {"orderId": "o", "amount": 1}, incoming | {"orderId": "o", "amount": 1}]
    stands = await run(page, "payment.js", "({ later }, [a, b]) => later(a, b)", both)
    assert stands["status"] == status


async def test_verify_tells_only_what_it_knows(page: Page) -> None:
    both = [
        {"orderId": "o", "status": "pending_payment", "version": 2, "amount": 54_000, "currency": "INR"},
        {"orderId": "o", "status": "paid", "detail": "", "version": 4},
    ]
    stands = await run(page, "payment.js", "({ later }, [a, b]) => later(a, b)", both)
    assert (stands["status"], stands["amount"], stands["currency"]) == ("paid", 54_000, "INR")


async def test_verify_does_not_tell_whether_it_may_be_tried_again(page: Page) -> None:
    """While money may be moving nobody may try again; the decline that ends it does not close the order."""
    both = [
        {"orderId": "o", "status": "processing", "version": 2, "amount": 54_000, "canRetry": False},
        {"orderId": "o", "status": "failed", "detail": "declined", "version": 3},
    ]
    script = "({ later, closedForGood }, [a, b]) => closedForGood(later(a, b))"
    assert await run(page, "payment.js", script, both) is False


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (132_000, "INR", "₹1,320.00"),
        (12_345_678_90, "INR", "₹1,23,45,678.90"),
        (500, "JPY", "JP¥500"),
        (1_250, "KWD", "KWD\xa01.250"),
        (5, "USD", "$0.05"),
        (-199, "INR", "-₹1.99"),
        (9_007_199_254_740_991, "INR", "₹9,00,71,99,25,47,409.91"),
    ],
)
async def test_money_is_written_exactly(page: Page, amount: int, currency: str, text: str) -> None:
    script = "({ formatMoney }, [amount, currency]) => formatMoney(amount, currency, 'en-IN')"
    assert await run(page, "money.js", script, [amount, currency]) == text


async def test_every_currency_is_written_in_the_units_of_the_gateway(page: Page) -> None:
    """Browsers know the decimals in daily use; where ISO 4217 has more, a price would read a hundredfold."""
    script = """({ formatMoney }, currencies) => currencies.map((currency) =>
      formatMoney(1234567, currency, 'en').replace(/[^0-9.]/g, ''))"""
    wanted = {currency: Money(1_234_567, currency).decimal() for currency in sorted(currencies())}
    written = await run(page, "money.js", script, list(wanted))
    assert dict(zip(wanted, written, strict=True)) == wanted


def state(status: str | None, step: str = "idle", **more: Any) -> dict[str, Any]:
    """A checkout's state around one status of the gateway."""
    payment = {"orderId": "o", "version": 3, "canRetry": True, "status": status} | more.pop("payment", {})
    blank: dict[str, Any] = {
        "options": [],
        "place": None,
        "hint": None,
        "waiting": None,
        "markBefore": "",
        "connection": "live",
    }
    return blank | {"step": step, "payment": payment if status else None} | more


DECLINED = {"kind": "declined", "reason": "card_declined"}
INSTRUMENT = {"kind": "problem", "problem": {"code": "instrument-declined", "status": 409}}
PROBLEM = {"kind": "problem", "problem": {"code": "attempt-in-flight", "status": 409}}


@pytest.mark.parametrize(
    ("state", "screen", "can_pay", "says"),
    [
        (state(None, "loading"), "loading", False, ""),
        (state("created"), "pay", True, ""),
        (state("pending_payment"), "resume", True, ""),
        (state("pending_payment", hint=DECLINED), "pay", True, "did not approve"),
        (state("pending_payment", hint={"kind": "dismissed"}), "pay", True, "wait a moment"),
        (state("failed", payment={"failure": "insufficient_funds"}), "pay", True, "not enough money"),
        (state("failed", payment={"failure": "Bank is closed today"}), "pay", True, "Bank is closed today."),
        (state("failed", payment={"canRetry": False, "detail": "expired"}), "closed", False, ""),
        (state("created", "opening"), "opening", False, ""),
        (state("failed", "open"), "open", False, ""),
        (state("failed", "open", place="popup"), "open", False, ""),
        (state("failed", "open", place="form"), "form", False, ""),
        (state("processing", "open", place="form"), "form", False, ""),
        (state("pending_payment", "open", place="page"), "leaving", False, ""),
        (state("paid", "open", place="form"), "paid", False, ""),
        (state("pending_payment", hint=INSTRUMENT), "pay", True, "choose another one there"),
        (state("failed", payment={"failure": "expired_card"}), "pay", True, "has expired"),
        (
            state("failed", payment={"failure": "payment_intent_authentication_failure"}),
            "pay",
            True,
            "confirm that it was you",
        ),
        (state("pending_payment", "confirming"), "confirming", False, ""),
        (state("processing"), "processing", False, ""),
        # What the page knew before the buyer came back is no news; the same status, newer, is.
        (state("failed", "following", markBefore="3/failed/"), "processing", False, ""),
        (state("failed", "following", markBefore="2/failed/"), "pay", True, "did not go through"),
        (
            state("pending_payment", "following", markBefore="3/pending_payment/", hint=PROBLEM),
            "processing",
            False,
            "",
        ),
        (state("paid"), "paid", False, ""),
        (state("refunded"), "refunded", False, ""),
        # Whatever this page is doing, money that the gateway has is paid.
        (state("paid", "open"), "paid", False, ""),
        (state("paid", "stopped"), "paid", False, ""),
        (state("paid", "confirming"), "paid", False, ""),
        (state("processing", "stopped", hint=PROBLEM), "stopped", False, ""),
    ],
)
async def test_what_is_shown_follows_from_the_state(
    page: Page, state: dict[str, Any], screen: str, can_pay: bool, says: str
) -> None:
    view = await run(page, "view.js", "({ viewOf }, state) => viewOf(state)", state)
    notice = view["notice"] or {"title": "", "text": ""}
    assert (view["screen"], view["canPay"]) == (screen, can_pay)
    assert says in f"{notice['title']} {notice['text']}"
    assert view["title"]


@pytest.mark.parametrize(
    ("status", "amounts", "text"),
    [
        ("paid", {"captured": 500}, "Thank you! Your receipt is on its way by e-mail."),
        (
            "paid",
            {"refundPending": 20000},
            "A refund of ₹200.00 is on its way. Banks take a few days to show it.",
        ),
        (
            "partially_refunded",
            {"refunded": 900, "refundPending": 100},
            "₹9.00 was sent back to you. A refund of ₹1.00 is on its way. Banks take a few days to show it.",
        ),
        ("refunded", {"refunded": 50000}, "₹500.00 was sent back to you. Banks take a few days to show it."),
    ],
)
async def test_money_sent_back_is_named(page: Page, status: str, amounts: dict[str, int], text: str) -> None:
    known = {"currency": "INR", "amounts": amounts}
    view = await run(page, "view.js", "({ viewOf }, state) => viewOf(state)", state(status, payment=known))
    assert (view["screen"], view["text"]) == (status, text)


@pytest.mark.parametrize("step", ["loading", "idle", "opening", "open", "confirming", "following", "stopped"])
@pytest.mark.parametrize("status", ["created", "pending_payment", "processing", "failed"])
async def test_paid_is_never_the_pages_own_idea(page: Page, status: str, step: str) -> None:
    view = await run(page, "view.js", "({ viewOf }, state) => viewOf(state)", state(status, step))
    assert view["screen"] not in ("paid", "partially_refunded", "refunded")
    assert view["tone"] != "good"
