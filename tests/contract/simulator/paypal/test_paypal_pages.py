"""The approve page and the dashboard in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from paypalserversdk.paypal_serversdk_client import PaypalServersdkClient
from playwright.sync_api import Browser, Page, expect

from tests.contract.simulator.browser import Shop, chromium, selling
from tests.contract.simulator.paypal.running import PayPalSimulator
from tests.contract.simulator.running import Json

pytestmark = pytest.mark.browser
MakeOrder = Callable[..., Json]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def shop(simulator: PayPalSimulator) -> Iterator[Shop]:
    with selling(simulator.base) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 1100, "height": 860}, locale="en-US")
    opened.set_default_timeout(10_000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert errors == []


def approve_link(order: Json) -> str:
    return next(str(link["href"]) for link in order["links"] if link["rel"] == "payer-action")


def test_the_buyer_approves_and_returns_with_token_and_payer(
    page: Page, shop: Shop, make_order: MakeOrder, sdk: PaypalServersdkClient
) -> None:
    order = make_order("1234.50", return_url=f"{shop.base}/back")
    page.goto(approve_link(order))
    expect(page.locator("#sim-paypal-amount")).to_have_text("$1,234.50")
    page.click("#sim-paypal-approve")
    page.wait_for_url(f"{shop.base}/back?token={order['id']}&PayerID=*")
    assert sdk.orders.get_order({"id": order["id"]}).body.status == "APPROVED"


def test_the_buyer_cancels_and_the_order_stays_open(
    page: Page, shop: Shop, make_order: MakeOrder, sdk: PaypalServersdkClient
) -> None:
    order = make_order(return_url=f"{shop.base}/back")
    page.goto(approve_link(order))
    page.click("#sim-paypal-cancel")
    page.wait_for_url(f"{shop.base}/back?cancelled=1&token={order['id']}")
    assert sdk.orders.get_order({"id": order["id"]}).body.status == "PAYER_ACTION_REQUIRED"


def test_a_declined_card_and_a_narrow_screen(
    page: Page, shop: Shop, make_order: MakeOrder, simulator: PayPalSimulator
) -> None:
    order = make_order("500", "JPY", return_url=f"{shop.base}/back")
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(approve_link(order))
    expect(page.locator("#sim-paypal-amount")).to_have_text("¥500")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.check("#sim-paypal-declined")
    page.click("#sim-paypal-approve")
    page.wait_for_url(f"{shop.base}/back?token=*")
    assert simulator.row("orders", order["id"])["outcome"] == "declined"


def test_an_order_that_is_not_there_is_said(page: Page, simulator: PayPalSimulator) -> None:
    page.goto(f"{simulator.base}/checkoutnow?token=NOSUCHORDER")
    expect(page.locator("#sim-paypal-error")).to_contain_text("does not exist")
    expect(page.locator("#sim-paypal-order")).to_be_hidden()


def test_the_dashboard_plays_buyer_bank_and_merchant(
    page: Page, make_order: MakeOrder, simulator: PayPalSimulator, sdk: PaypalServersdkClient
) -> None:
    order = make_order("77.00")
    page.goto(simulator.base)
    order_id = order["id"]
    card = page.locator(f"[data-id='{order_id}']")
    expect(card).to_contain_text("$77.00")
    card.get_by_role("button", name="Approve, pending").click()
    expect(card.get_by_text("approved", exact=True)).to_be_visible()
    sdk.orders.capture_order({"id": order_id, "paypal_request_id": f"cap-{order_id}"})
    card.get_by_role("button", name="Complete").click()
    card.get_by_role("button", name="Dispute").click()
    card.get_by_role("button", name="Seller wins").click()
    expect(card.get_by_text("resolved seller favour")).to_be_visible()
    card.get_by_role("button", name="Refund").click()
    expect(card.get_by_text("refunded", exact=True)).to_be_visible()
