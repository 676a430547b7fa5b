"""Networks that fail, and browsers that lie: the buyer is told the truth, or to wait for it."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.e2e.browser.buyer import Buyer, Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

AWAY = '{"type":"about:blank","title":"away","status":503,"code":"kafka-unavailable","retryable":true}'


async def test_an_unavailable_gateway_is_asked_again_with_a_word_of_comfort(buyer: Buyer) -> None:
    await buyer.order()
    bodies: list[str | None] = []

    async def fail_twice(route: Route) -> None:
        bodies.append(route.request.post_data)
        if len(bodies) == 1:
            await route.fulfill(
                status=503, content_type="application/problem+json", body=AWAY, headers=_cors(buyer)
            )
        elif len(bodies) == 2:
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await buyer.page.route("**/api/payments/create-order", fail_twice)
    buyer.foresee("503|ERR_CONNECTION_RESET")
    await buyer.pay_button.click()
    await expect(buyer.page.locator("#patience")).to_contain_text("nothing is lost")
    await expect(buyer.popup.locator("#sim-pay")).to_be_visible()
    assert len(bodies) == 3
    assert len(set(bodies)) == 1  # the very same call each time


@pytest.mark.usefixtures("late_webhooks")
async def test_a_call_that_is_not_done_yet_is_repeated_as_told(buyer: Buyer) -> None:
    await buyer.order()
    calls = 0

    async def not_done_once(route: Route) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            body = '{"orderId":"x","status":"processing","repeat":true,"retryAfterS":0.2}'
            await route.fulfill(status=202, content_type="application/json", body=body, headers=_cors(buyer))
        else:
            await route.continue_()

    await buyer.page.route("**/api/payments/verify", not_done_once)
    await buyer.pay()
    await buyer.sees("paid")
    assert calls == 2


async def test_without_the_live_stream_the_page_asks(buyer: Buyer) -> None:
    await buyer.page.context.route("**/api/payments/*/events", lambda route: route.abort())
    buyer.foresee("ERR_FAILED")
    await buyer.order()
    await buyer.page.route("**/api/payments/verify", lambda _route: asyncio.sleep(0))
    await buyer.pay()
    await buyer.sees("paid")


async def test_a_forged_success_is_not_believed(buyer: Buyer, site: Site) -> None:
    """A popup that lies gets the page to ask the gateway, and no further."""
    forged = """
      window.Razorpay = class {
        constructor(options) { this.options = options; }
        on() {}
        close() {}
        open() {
          this.options.handler({
            razorpay_payment_id: "pay_Forged00000001",
            razorpay_order_id: this.options.order_id,
            razorpay_signature: "0".repeat(64),
          });
        }
      };"""
    await buyer.page.route(
        "**/v1/checkout.js", lambda route: route.fulfill(content_type="text/javascript", body=forged)
    )
    buyer.foresee("400")
    order_id = await buyer.order()
    await buyer.pay_button.click()
    await expect(buyer.notice).to_contain_text("We are checking this payment ourselves")
    assert "paid" not in await buyer.screens()
    assert (await site.payment(order_id))["status"] == "pending_payment"


async def test_a_blocked_provider_script_can_be_tried_again(buyer: Buyer) -> None:
    await buyer.order()
    await buyer.page.route("**/v1/checkout.js", lambda route: route.abort())
    buyer.foresee("ERR_FAILED")
    await buyer.pay_button.click()
    await expect(buyer.notice).to_contain_text("The payment window could not be loaded")
    await buyer.page.unroute_all()
    await buyer.pay()
    await buyer.sees("paid")


async def test_the_token_stands_in_no_address(buyer: Buyer) -> None:
    await buyer.order()
    await buyer.pay()
    await buyer.sees("paid")
    tokens = {
        (await request.all_headers()).get("authorization", "").removeprefix("Bearer ")
        for request in buyer.requests
        if request.url.startswith(f"{buyer.site.gateway}/api/payments/") and request.method != "OPTIONS"
    }
    tokens.discard("")
    assert len(tokens) == 1
    token = tokens.pop()
    sent = [request.url.partition("#")[0] for request in buyer.requests]
    referers = [(await request.all_headers()).get("referer", "") for request in buyer.requests]
    assert not [text for text in (*sent, *referers, buyer.page.url) if token in text]


async def test_what_the_policy_forbids_is_noticed(buyer: Buyer, site: Site) -> None:
    """The other tests rely on this: a script or style against the policy is a complaint."""
    await buyer.page.goto(site.shop)
    await buyer.page.evaluate("document.body.setAttribute('style', 'color: red')")
    await expect(buyer.page.locator("h1")).to_be_visible()
    violations, buyer.complaints[:] = list(buyer.complaints), []
    assert len(violations) == 1
    assert "Content Security Policy" in violations[0]


def _cors(buyer: Buyer) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": buyer.site.shop}
