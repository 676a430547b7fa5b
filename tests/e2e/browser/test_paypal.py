"""PayPal from the checkout page: its own page and back, approved, given up, or declined."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser.buyer import Buyer, Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_rupees_are_not_offered_at_paypal(buyer: Buyer) -> None:
    await buyer.order()
    assert await buyer.ways() == ["razorpay", "stripe"]


@pytest.mark.usefixtures("late_webhooks")
async def test_an_approval_leads_back_to_paid(buyer: Buyer, site: Site) -> None:
    """Approving moves no money: the page's return is what makes us take it."""
    order_id = await buyer.order(currency="EUR")
    assert await buyer.ways() == ["razorpay", "stripe", "paypal"]
    await buyer.at_paypal("approve")
    await buyer.sees("paid")
    payment = await site.paid(order_id)
    assert (payment["provider"], payment["status"]) == ("paypal", "paid")
    assert "PayerID" not in buyer.page.url
    assert "paypal_order_id" not in buyer.page.url


async def test_giving_up_there_leads_back_to_the_choice(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order(currency="EUR")
    await buyer.at_paypal("cancel")
    await expect(buyer.notice).to_contain_text("Your order is still here")
    await expect(buyer.page.locator("input[value=paypal]")).to_be_checked()
    assert (await site.payment(order_id))["status"] == "pending_payment"
    await buyer.at_paypal("approve")
    await buyer.sees("paid")
    found = (await site.ledger())["paypal"]["orders"]
    assert len([each for each in found if order_id in str(each)]) == 1


@pytest.mark.usefixtures("late_webhooks")
async def test_a_declined_instrument_is_chosen_anew(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order(currency="EUR")
    buyer.foresee("409")
    await buyer.at_paypal("declined", "approve")
    await expect(buyer.notice).to_contain_text("choose another one there")
    assert "paid" not in await buyer.screens()
    await buyer.at_paypal("approve")
    await buyer.sees("paid")
    assert (await site.paid(order_id))["amounts"]["captured"] == 20_50


async def test_an_e_cheque_is_processing_until_it_clears(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order(currency="EUR")
    await buyer.at_paypal("pending", "approve")
    await buyer.sees("processing")
    await expect(buyer.pay_button).to_be_hidden()
    (capture,) = [c for c in (await site.ledger())["paypal"]["captures"] if order_id in str(c)]
    await site.post(f"/_sim/paypal/captures/{capture['id']}/complete")
    await buyer.sees("paid")


async def test_the_browsers_back_button_comes_back_to_the_choice(buyer: Buyer) -> None:
    await buyer.order(currency="EUR")
    await buyer.chooses("paypal")
    await expect(buyer.page.locator("#sim-paypal-approve")).to_be_visible()
    await buyer.page.go_back()
    await buyer.sees("resume")
    await buyer.at_paypal("approve")
    await buyer.sees("paid")
