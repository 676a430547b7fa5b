"""Reloads, lost pages and trips to the bank: the same order goes on, and is paid once."""

import asyncio
import json

import pytest
from playwright.async_api import Browser, Route, expect

from tests.e2e.browser.buyer import Buyer, Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_reload_while_the_popup_is_open_continues_the_same_attempt(buyer: Buyer) -> None:
    await buyer.order()
    await buyer.open_popup()
    await buyer.page.reload()
    await buyer.sees("resume")
    await buyer.pay()
    await buyer.sees("paid")
    sent = [r.post_data for r in buyer.requests if r.url.endswith("/v1/checkout/session")]
    shown = [json.loads(body)["order_id"] for body in sent if body]
    assert len(shown) == 2
    assert len(set(shown)) == 1


@pytest.mark.usefixtures("late_webhooks")
async def test_a_reload_before_the_answer_confirms_again(buyer: Buyer) -> None:
    """The popup's proof is kept until the gateway has answered for it."""
    await buyer.order()
    calls: list[Route] = []

    async def lose_the_first(route: Route) -> None:
        calls.append(route)
        if len(calls) > 1:
            await route.continue_()

    await buyer.page.route("**/api/payments/verify", lose_the_first)
    await buyer.pay()
    await buyer.sees("confirming")
    await buyer.page.reload()
    await buyer.sees("paid")
    assert len(calls) == 2
    # Polled from here: a wait inside the page would have to evaluate strings, which its policy forbids.
    while await buyer.page.evaluate("Object.keys(sessionStorage).some((key) => key.includes('proof'))"):
        await asyncio.sleep(0.05)


async def test_paid_shows_although_the_confirmation_never_arrives(buyer: Buyer) -> None:
    """The webhook and the live stream are enough: the page shows what the gateway says, not what it asked."""
    await buyer.order()
    await buyer.page.route("**/api/payments/verify", lambda _route: asyncio.sleep(0))
    await buyer.pay()
    await buyer.sees("paid")


async def test_the_order_page_opens_in_a_new_tab_without_a_token(buyer: Buyer, site: Site) -> None:
    """A tab knows no token of another; the shop, which knows its visitor, gives a fresh one."""
    order_id = await buyer.order()
    await buyer.pay()
    await buyer.sees("paid")
    other = await buyer.page.context.new_page()
    await other.goto(f"{site.shop}/orders/{order_id}")
    await expect(other.locator("h1")).to_have_text("Thank you! We are packing.")


async def test_a_stranger_with_the_address_sees_nothing(browser: Browser, buyer: Buyer, site: Site) -> None:
    await buyer.order()
    address = buyer.page.url
    context = await browser.new_context()
    stranger = await Buyer.arrive(context, site)
    stranger.foresee("404")
    await stranger.page.goto(address)
    await stranger.sees("stopped")
    await stranger.sees_heading("This page has lost its link to your order")
    assert stranger.complaints == []
    await context.close()


@pytest.mark.usefixtures("late_webhooks")
async def test_a_browser_inside_an_app_leaves_and_comes_back(browser: Browser, site: Site) -> None:
    """Where popups to banks are blocked the provider's page posts to the gateway, which leads back."""
    agent = (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
    )
    context = await browser.new_context(user_agent=agent, viewport={"width": 390, "height": 844})
    buyer = await Buyer.arrive(context, site)
    await buyer.order()
    await buyer.pay()
    await buyer.sees("paid")
    assert any("/api/payments/return/razorpay" in request.url for request in buyer.requests)
    assert not any(r.url.endswith("/verify") and r.method == "POST" for r in buyer.requests)
    assert buyer.complaints == []
    await context.close()
