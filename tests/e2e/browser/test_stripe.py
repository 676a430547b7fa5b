"""Stripe in the checkout page: its fields, its 3-D Secure, its banks' own pages."""

import pytest
from playwright.async_api import expect

from tests.e2e.browser.buyer import Buyer, Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

GOOD = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
ASKS_THE_BANK = "4000 0027 6000 3184"


async def states(site: Site, order_id: str) -> list[str]:
    return [charge["state"] for charge in (await site.payment(order_id))["charges"]]


async def intents(site: Site, order_id: str) -> list[dict[str, object]]:
    """Stripe's own intents for this order."""
    found = (await site.ledger())["stripe"]["payment_intents"]
    return [intent for intent in found if order_id in str(intent)]


@pytest.mark.usefixtures("late_webhooks")
async def test_a_card_pays_inside_the_page(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order("teapot", "tea")
    await buyer.open_fields()
    await expect(buyer.page.locator("h1")).to_be_focused()
    await expect(buyer.page.locator("#confirm")).to_have_text("Pay ₹2,990.00")
    await buyer.pay_by_card(GOOD)
    await buyer.sees("paid")
    screens = await buyer.screens()
    assert screens.index("form") < screens.index("confirming") < screens.index("paid")
    payment = await site.paid(order_id)
    assert (payment["provider"], payment["amounts"]["captured"]) == ("stripe", 2_990_00)


async def test_a_declined_card_leaves_the_fields_open_for_another(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    buyer.foresee("402")  # a browser reports Stripe's own answer to a declined card
    await buyer.open_fields()
    await buyer.pay_by_card(DECLINED)
    await expect(buyer.complaint).to_contain_text("did not approve this card")
    await buyer.pay_by_card(GOOD)
    await buyer.sees("paid")
    assert await states(site, order_id) == ["failed", "captured"]
    assert len(await intents(site, order_id)) == 1


async def test_a_failed_bank_check_can_be_done_again(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await buyer.open_fields()
    await buyer.pay_by_card(ASKS_THE_BANK)
    await buyer.answer_bank("fail")
    await expect(buyer.complaint).to_contain_text("could not confirm that it was you")
    assert "paid" not in await buyer.screens()
    await buyer.pay_by_card(ASKS_THE_BANK)
    await buyer.answer_bank("complete")
    await buyer.sees("paid")
    assert len(await intents(site, order_id)) == 1


async def test_fields_that_are_not_filled_in_are_no_decline(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await buyer.open_fields()
    await buyer.pay_by_card("4242")
    await expect(buyer.complaint).not_to_be_empty()
    await expect(buyer.complaint).not_to_contain_text("did not go through")
    assert await states(site, order_id) == []
    await buyer.pay_by_card(GOOD)
    await buyer.sees("paid")


@pytest.mark.usefixtures("late_webhooks")
async def test_a_banks_own_page_leads_back_to_paid(buyer: Buyer) -> None:
    await buyer.order(currency="EUR")
    await buyer.open_fields()
    await buyer.fields.locator("#sim-stripe-method-bank").click()
    await buyer.page.locator("#confirm").click()
    await buyer.page.locator("#sim-stripe-bank-authorize").click()
    await buyer.sees("paid")
    assert "payment_intent" not in buyer.page.url
    to_us = [r.url for r in buyer.requests if r.url.startswith(buyer.site.gateway)]
    assert not [url for url in (*to_us, buyer.page.url) if "_secret_" in url]


@pytest.mark.usefixtures("late_webhooks")
async def test_a_refusal_on_the_banks_own_page_leads_back_to_another_try(buyer: Buyer) -> None:
    await buyer.order(currency="EUR")
    await buyer.open_fields()
    await buyer.fields.locator("#sim-stripe-method-bank").click()
    await buyer.page.locator("#confirm").click()
    await buyer.page.locator("#sim-stripe-bank-fail").click()
    await expect(buyer.notice).to_contain_text("did not go through")
    await buyer.open_fields()
    await buyer.pay_by_card(GOOD)
    await buyer.sees("paid")


async def test_a_reload_goes_on_with_the_same_intent(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await buyer.open_fields()
    await buyer.page.reload()
    await buyer.sees("resume")
    await expect(buyer.page.locator("input[value=stripe]")).to_be_checked()
    await buyer.open_fields()
    await buyer.pay_by_card(GOOD)
    await buyer.sees("paid")
    assert len(await intents(site, order_id)) == 1


async def test_impatient_presses_pay_once(buyer: Buyer, site: Site) -> None:
    order_id = await buyer.order()
    await buyer.open_fields()
    await buyer.fields.locator("#sim-stripe-card-number").fill(GOOD)
    await buyer.page.locator("#confirm").evaluate("(button) => { button.click(); button.click(); }")
    await buyer.sees("paid")
    assert await states(site, order_id) == ["captured"]


async def test_an_order_paid_elsewhere_takes_the_fields_away(buyer: Buyer) -> None:
    order_id = await buyer.order()
    await buyer.open_fields()
    (intent,) = await intents(buyer.site, order_id)
    await buyer.site.post(f"/_sim/stripe/payment_intents/{intent['id']}/pay", outcome="success")
    await buyer.sees("paid")
    await expect(buyer.page.locator("#fields")).to_be_hidden()
