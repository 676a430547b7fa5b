"""Buying at the demo shop, in a real browser, with every service behind it."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser.buyer import Buyer, Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.usefixtures("late_webhooks")
async def test_a_buyer_pays_and_sees_it_live(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order("teapot", "tea")
    await buyer.pay()
    await buyer.sees("paid")
    await buyer.sees_heading("Payment received")
    screens = await buyer.screens()
    assert screens.index("open") < screens.index("confirming") < screens.index("paid")
    payment = await site.paid(order_id)
    assert (payment["status"], payment["amounts"]["captured"]) == ("paid", 2_990_00)
    await buyer.page.get_by_role("link", name="View your order").click()
    await buyer.sees_heading("Thank you! We are packing.")
    await expect(buyer.page.locator("#story li").last).to_contain_text("Paid")


@pytest.mark.usefixtures("well_behaved")
async def test_a_slow_bank_shows_as_processing_until_its_webhook_comes(buyer: Buyer, site: Site) -> None:
    await buyer.order()
    # No look succeeds, and the webhooks take their time: only they can tell that it is paid.
    await site.faults(
        api=[{"path": "GET /v1/*", "status_500": 1.0, "before": 1.0}], webhooks={"delay_s": 4.0}
    )
    await buyer.pay()
    await buyer.sees("processing")
    await expect(buyer.pay_button).to_be_hidden()
    await buyer.sees("paid")


async def test_a_decline_is_explained_and_may_be_tried_again(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await buyer.open_popup()
    await buyer.popup.locator("#sim-decline").click()
    await buyer.popup.locator("#sim-give-up").click()
    await expect(buyer.notice).to_contain_text("did not approve this card")
    await expect(buyer.pay_button).to_contain_text("Try again")
    await buyer.pay()
    await buyer.sees("paid")
    payment = await site.paid(order_id)
    assert [charge["state"] for charge in payment["charges"]] == ["failed", "captured"]


async def test_a_second_try_inside_the_popup_needs_nothing_of_the_page(buyer: Buyer) -> None:
    await buyer.order()
    await buyer.open_popup()
    await buyer.popup.locator("#sim-decline").click()
    await buyer.popup.locator("#sim-retry").click()
    await buyer.popup.locator("#sim-pay").click()
    await buyer.sees("paid")
    screens = await buyer.screens()
    assert "pay" not in screens[screens.index("open") :]


async def test_a_closed_popup_can_be_opened_again(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await buyer.open_popup()
    await buyer.popup.locator("#sim-close").click()
    await expect(buyer.notice).to_contain_text("The payment window was closed")
    await buyer.pay()
    await buyer.sees("paid")
    attempts = [o for o in (await site.ledger())["razorpay"]["orders"] if _is_of(o, order_id)]
    assert len(attempts) == 1


def _is_of(provider_order: dict[str, object], order_id: str) -> bool:
    return order_id in str(provider_order)


async def test_impatient_clicks_open_one_popup(buyer: Buyer) -> None:
    await buyer.order()
    await buyer.pay_button.evaluate("(button) => { button.click(); button.click(); }")
    await expect(buyer.popup.locator("#sim-pay")).to_be_visible()
    await expect(buyer.popups).to_have_count(1)
    asked = [request for request in buyer.requests if request.url.endswith("/create-order")]
    assert [request.method for request in asked if request.method == "POST"] == ["POST"]


async def test_a_cancelled_order_says_so_by_itself(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await site.cancel(order_id)
    await buyer.sees("closed")
    await buyer.sees_heading("This order was cancelled")
    await expect(buyer.pay_button).to_be_hidden()


async def test_the_whole_way_works_by_keyboard(buyer: Buyer) -> None:
    await buyer.order()
    await buyer.pay_button.focus()
    await buyer.page.keyboard.press("Enter")
    await expect(buyer.popup.locator("#sim-pay")).to_be_focused()
    await buyer.page.keyboard.press("Enter")
    await buyer.sees("paid")
    await expect(buyer.page.locator("h1")).to_be_focused()
