"""Changing one's mind between providers, and money that comes back."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser.buyer import Buyer, Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_another_provider_after_leaving_the_fields(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await buyer.open_fields()
    await buyer.page.locator("#leave").click()
    await buyer.sees("resume")
    await buyer.chooses("razorpay")
    await buyer.popup.locator("#sim-pay").click()
    await buyer.sees("paid")
    payment = await site.paid(order_id)
    assert (payment["provider"], payment["amounts"]["captured"]) == ("razorpay", payment["amount"])


async def test_another_provider_after_giving_up_at_paypal(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order(currency="EUR")
    await buyer.at_paypal("cancel")
    await expect(buyer.notice).to_be_visible()
    await buyer.open_fields()
    await buyer.pay_by_card("4242 4242 4242 4242")
    await buyer.sees("paid")
    assert (await site.paid(order_id))["provider"] == "stripe"


async def test_the_choice_works_by_keyboard(buyer: Buyer) -> None:
    await buyer.order(currency="EUR")
    await buyer.page.locator("input[value=razorpay]").focus()
    await buyer.page.keyboard.press("ArrowDown")
    await expect(buyer.page.locator("input[value=stripe]")).to_be_checked()
    await buyer.page.keyboard.press("Enter")
    await expect(buyer.fields.locator("#sim-stripe-card-number")).to_be_visible()


@pytest.mark.parametrize("provider", ["razorpay", "stripe"])
async def test_money_sent_back_shows_on_both_pages(buyer: Buyer, site: Site, provider: str) -> None:
    order_id = await buyer.order()
    if provider == "razorpay":
        await buyer.pay()
    else:
        await buyer.open_fields()
        await buyer.pay_by_card("4242 4242 4242 4242")
    await buyer.sees("paid")
    await site.refund(order_id, 100_00)
    await buyer.sees("partially_refunded")
    await expect(buyer.page.locator("#text")).to_contain_text("₹100.00 was sent back to you")
    await buyer.page.get_by_role("link", name="View your order").click()
    await expect(buyer.page.locator("#refund-list")).to_contain_text("₹100.00")
    await site.refund(order_id)
    await buyer.sees_heading("Refunded")
    await expect(buyer.page.locator("#refund-list [data-status=succeeded]")).to_have_count(2)
