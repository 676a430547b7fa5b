"""The checkout popup in a real browser, on a shop page with a strict content security policy."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import razorpay
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.contract.simulator.browser import Shop, chromium, selling
from tests.contract.simulator.running import KEY_ID, Json, Simulator, eventually

pytestmark = pytest.mark.browser
NewOrder = Callable[..., Json]
Open = Callable[..., FrameLocator]
Log = list[tuple[str, Any]]  # what happened, and the value the page was given
DISMISSED: Log = [("dismissed", None)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def shop(simulator: Simulator) -> Iterator[Shop]:
    with selling(simulator.base) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 900, "height": 760}, locale="en-IN")
    opened.set_default_timeout(10_000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert errors == []


@pytest.fixture
def open_popup(shop: Shop, page: Page) -> Open:
    """Opens the shop, presses buy, and gives the popup's frame."""

    def opening(order: Json, **options: object) -> FrameLocator:
        shop.options = {
            "key": KEY_ID,
            "amount": order["amount"],
            "currency": order["currency"],
            "name": "Chai & Leaf",
            "order_id": order["id"],
            "prefill": {"email": "asha@example.com", "contact": "+919000090000"},
            **options,
        }
        page.goto(shop.base)
        page.click("#buy")
        return page.frame_locator("iframe.razorpay-checkout-frame")

    return opening


def _log(page: Page) -> Log:
    return [(what, value) for what, value in json.loads(page.inner_text("#log") or "[]")]


def _heard(page: Page, count: int = 1) -> Log:
    def enough() -> Log | None:
        log = _log(page)
        return log if len(log) >= count else None

    return eventually(enough)


def test_buyer_pays_and_the_handler_gets_a_signature(
    open_popup: Open, page: Page, new_order: NewOrder, sdk: razorpay.Client
) -> None:
    order = new_order(amount=1_249_900)
    popup = open_popup(order)
    expect(popup.locator("#sim-shop-name")).to_have_text("Chai & Leaf")
    expect(popup.locator("#sim-amount")).to_have_text("₹12,499.00")
    expect(popup.locator(".ribbon")).to_contain_text("Test mode")
    popup.locator("#sim-pay").click()
    expect(popup.locator("#sim-success")).to_be_visible()
    [(what, response)] = _heard(page)
    assert what == "handler"
    assert set(response) == {"razorpay_payment_id", "razorpay_order_id", "razorpay_signature"}
    assert sdk.utility.verify_payment_signature(response)
    payment = sdk.payment.fetch(response["razorpay_payment_id"])
    assert (payment["status"], payment["email"]) == ("captured", "asha@example.com")
    expect(page.locator("iframe")).to_have_count(0)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(4500, "JPY", "¥4,500"), (99_990, "KWD", "99.990"), (2000, "USD", "$20.00")],
)
def test_amount_is_shown_as_the_currency_writes_it(
    open_popup: Open, new_order: NewOrder, amount: int, currency: str, shown: str
) -> None:
    popup = open_popup(new_order(amount=amount, currency=currency))
    expect(popup.locator("#sim-amount")).to_contain_text(shown)


def test_declined_card_can_be_tried_again(
    open_popup: Open, page: Page, new_order: NewOrder, sdk: razorpay.Client
) -> None:
    order = new_order()
    popup = open_popup(order)
    popup.locator("#sim-card-choice").select_option("4100280000080001")
    popup.locator("#sim-pay").click()
    expect(popup.locator("#sim-reason")).to_have_text("insufficient_fund")
    [(what, error)] = _heard(page)
    assert (what, error["reason"]) == ("failed", "insufficient_fund")
    assert error["metadata"]["order_id"] == order["id"]
    popup.locator("#sim-retry").click()
    popup.locator("#sim-card-choice").select_option("4100280000001007")
    popup.locator("#sim-pay").click()
    assert [what for what, _ in _heard(page, 2)] == ["failed", "handler"]
    assert sdk.order.fetch(order["id"])["attempts"] == 2


def test_decline_button(open_popup: Open, page: Page, new_order: NewOrder) -> None:
    popup = open_popup(new_order())
    popup.locator("#sim-decline").click()
    expect(popup.locator("#sim-failed-title")).to_have_text("Payment failed")
    assert _heard(page)[0][1]["reason"] == "card_declined"


def test_upi_addresses_decide(open_popup: Open, page: Page, new_order: NewOrder) -> None:
    popup = open_popup(new_order())
    popup.locator("#sim-method-upi").click()
    popup.get_by_role("button", name="failure@razorpay").click()
    popup.locator("#sim-pay").click()
    expect(popup.locator("#sim-reason")).to_have_text("payment_failed")
    popup.locator("#sim-retry").click()
    popup.get_by_role("button", name="success@razorpay").click()
    popup.locator("#sim-pay").click()
    assert [what for what, _ in _heard(page, 2)] == ["failed", "handler"]


def test_closing_tells_the_page_and_no_server(
    open_popup: Open, page: Page, new_order: NewOrder, sdk: razorpay.Client
) -> None:
    order = new_order()
    popup = open_popup(order)
    popup.locator("#sim-pay").wait_for()
    popup.locator("#sim-close").click()
    assert _heard(page) == DISMISSED
    assert sdk.order.fetch(order["id"])["attempts"] == 0


def test_escape_closes_unless_the_shop_says_no(open_popup: Open, page: Page, new_order: NewOrder) -> None:
    popup = open_popup(new_order(), modal={"escape": False})
    popup.locator("#sim-pay").press("Escape")
    popup.locator("#sim-pay").wait_for()
    assert _log(page) == []
    popup = open_popup(new_order())
    popup.locator("#sim-pay").press("Escape")
    assert _heard(page) == DISMISSED


def test_paid_unknown_and_wrongly_priced_orders_are_explained(
    open_popup: Open, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    simulator.pay(order["id"])
    error = open_popup(order).locator("#sim-error")
    expect(error).to_contain_text("the order is already paid")
    error = open_popup(order, order_id="order_00000000000000").locator("#sim-error")
    expect(error).to_contain_text("The id provided does not exist")
    error = open_popup(new_order(), amount=1).locator("#sim-error")
    expect(error).to_contain_text("different from your order amount")
    error = open_popup(new_order(), key="rzp_test_somebody").locator("#sim-error")
    expect(error).to_contain_text("The api key provided is invalid")


def test_redirect_posts_the_three_fields_to_the_callback(
    open_popup: Open, page: Page, shop: Shop, new_order: NewOrder, sdk: razorpay.Client
) -> None:
    popup = open_popup(new_order(), redirect=True, callback_url=f"{shop.base}/back?cart=7")
    popup.locator("#sim-pay").click()
    expect(page.locator("#returned")).to_be_visible()
    assert page.url == f"{shop.base}/back?cart=7"
    [fields] = shop.posted
    assert set(fields) == {"razorpay_payment_id", "razorpay_order_id", "razorpay_signature"}
    assert sdk.utility.verify_payment_signature(fields)


def test_redirect_without_retry_posts_the_error(
    open_popup: Open, page: Page, shop: Shop, new_order: NewOrder
) -> None:
    order = new_order()
    back = f"{shop.base}/back"
    popup = open_popup(order, redirect=True, callback_url=back, retry={"enabled": False})
    popup.locator("#sim-decline").click()
    expect(page.locator("#returned")).to_be_visible()
    [fields] = shop.posted
    assert fields["error[code]"] == "BAD_REQUEST_ERROR"
    assert fields["error[reason]"] == "card_declined"
    assert re.fullmatch(r"pay_\w{14}", json.loads(fields["error[metadata]"])["payment_id"])
    assert json.loads(fields["error[metadata]"])["order_id"] == order["id"]


def test_late_and_silent_banks(
    open_popup: Open, page: Page, new_order: NewOrder, sdk: razorpay.Client
) -> None:
    late, silent = new_order(), new_order()
    popup = open_popup(late)
    popup.locator("#sim-late").click()
    expect(popup.locator("#sim-reason")).to_have_text("payment_timed_out")
    assert _heard(page)[0][0] == "failed"
    popup = open_popup(silent)
    popup.locator("#sim-pending").click()
    expect(popup.locator("#sim-failed-title")).to_have_text("Still waiting")
    assert _log(page) == []
    eventually(lambda: sdk.order.fetch(late["id"])["status"] == "paid")


def test_popup_hears_only_the_page_that_opened_it(
    browser: Browser, simulator: Simulator, shop: Shop, new_order: NewOrder
) -> None:
    """Framed by another origin than it was opened for, it stays empty and tells nothing."""
    order = new_order()
    page = browser.new_page()
    page.goto(shop.base)
    page.evaluate(
        """async ([simulator, options]) => {
          window.heard = [];
          window.addEventListener("message", (event) => window.heard.push(event.data));
          const frame = document.createElement("iframe");
          frame.src = `${simulator}/v1/checkout/popup?opener=${encodeURIComponent("https://shop.example")}`;
          const loaded = new Promise((resolve) => { frame.onload = resolve; });
          document.body.append(frame);
          await loaded;
          frame.contentWindow.postMessage({ type: "open", options }, simulator);
        }""",
        [simulator.base, {"key": KEY_ID, "order_id": order["id"], "name": "Thief"}],
    )
    popup = page.frame_locator("iframe")
    expect(popup.locator("#sim-shop-name")).to_have_text("…")
    assert page.evaluate("window.heard") == []
    page.close()
