"""The dashboard in a real browser: what it shows and what its buttons do."""

from collections.abc import Callable, Iterator

import pytest
import razorpay
from playwright.sync_api import Browser, Page, expect

from tests.contract.simulator.browser import chromium
from tests.contract.simulator.running import Json, Receiver, Simulator, eventually

pytestmark = pytest.mark.browser
NewOrder = Callable[..., Json]
MANUAL = {"capture": "manual", "capture_options": {"refund_speed": "normal"}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, simulator: Simulator) -> Iterator[Page]:
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 1180, "height": 900})
    opened.set_default_timeout(10_000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(simulator.base)
    yield opened
    opened.close()
    assert errors == []


def test_orders_are_paid_captured_and_refunded_by_hand(
    page: Page, sdk: razorpay.Client, new_order: NewOrder
) -> None:
    order = new_order(payment=MANUAL, amount=77_700)
    card = page.locator(f"[data-id={order['id']}]")
    expect(card).to_contain_text("₹777.00")
    card.get_by_role("button", name="Decline").click()
    expect(card).to_contain_text("card_declined")
    card.get_by_role("button", name="Pay").click()
    card.get_by_role("button", name="Capture").click()
    expect(card.get_by_text("captured", exact=True)).to_be_visible()
    card.get_by_role("button", name="Refund").click()
    expect(card.get_by_text("refunded", exact=True)).to_be_visible()
    payment = sdk.order.payments(order["id"])["items"][0]
    assert (payment["status"], payment["amount_refunded"]) == ("refunded", 77_700)


def test_failed_payment_is_marked_late(
    page: Page, sdk: razorpay.Client, new_order: NewOrder, simulator: Simulator
) -> None:
    order = new_order()
    payment_id = simulator.pay(order["id"], outcome="declined")["payment_id"]
    page.locator(f"[data-id={payment_id}]").get_by_role("button", name="Mark late").click()
    eventually(lambda: sdk.payment.fetch(payment_id)["status"] == "captured")
    expect(page.locator(f"[data-id={payment_id}]")).to_contain_text("authorised late")


def test_webhook_is_sent_again(
    page: Page, new_order: NewOrder, simulator: Simulator, receiver: Receiver
) -> None:
    order = new_order()
    simulator.pay(order["id"], outcome="declined")
    event_id = eventually(lambda: receiver.of(order["id"]))[0].event_id
    page.get_by_role("tab", name="Webhooks").click()
    page.locator(f"[data-id='{event_id}']").get_by_role("button", name="Send again").click()
    eventually(lambda: len(receiver.of(order["id"])) == 2)
    expect(page.locator(f"[data-id='{event_id}'] .try")).to_have_count(2)


def test_refusals_and_faults_are_shown(page: Page, new_order: NewOrder, simulator: Simulator) -> None:
    order = new_order()
    simulator.faults(webhooks={"drop": 1.0})
    simulator.pay(order["id"])
    expect(page.locator("#faults-text")).to_contain_text("Misbehaviour was asked for")
    page.get_by_role("button", name="Clear faults").click()
    expect(page.locator("#faults")).to_be_hidden()
    page.get_by_role("tab", name="API calls").click()
    expect(page.locator("#panel")).to_contain_text("POST /v1/orders")
