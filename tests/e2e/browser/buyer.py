"""A person in front of the demo shop: what they do, what they see, and what their browser complains of."""

import asyncio
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from playwright.async_api import BrowserContext, ConsoleMessage, FrameLocator, Locator, Page, Request, expect

WITHIN_MS = 30_000  # the whole system and a browser on one busy machine; as a rule it takes a tenth
expect.set_options(timeout=WITHIN_MS)
# Keeps the names of all screens the checkout has shown, across reloads of the tab.
_DIARY = """
(() => {
  const seen = () => JSON.parse(sessionStorage.getItem("test.screens") ?? "[]");
  const note = () => {
    const now = document.getElementById("panel")?.dataset.screen;
    const list = seen();
    if (now && list.at(-1) !== now) sessionStorage.setItem("test.screens", JSON.stringify([...list, now]));
  };
  document.addEventListener("DOMContentLoaded", () => {
    const changes = { subtree: true, attributes: true, attributeFilter: ["data-screen"] };
    new MutationObserver(note).observe(document, changes);
    note();
  });
})();
"""


PROJECTED_S = 10.0  # until a reader sees what the page was told; usually some milliseconds


@dataclass(frozen=True, kw_only=True)
class Site:
    """The running system's addresses, and the shop's own key."""

    shop: str
    gateway: str
    simulator: str
    api_key: str

    async def get(self, url: str, *, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
            response.raise_for_status()
            return await response.json()

    async def payment(self, order_id: str) -> dict[str, Any]:
        """The payment as the shop's server may see it."""
        found: dict[str, Any] = await self.get(f"{self.gateway}/api/payments/{order_id}", key=self.api_key)
        return found

    async def paid(self, order_id: str) -> dict[str, Any]:
        """The same once it is paid: the page may know it from its own question a moment before."""
        async with asyncio.timeout(PROJECTED_S):
            while (found := await self.payment(order_id))["status"] != "paid":
                await asyncio.sleep(0.05)
        return found

    async def ledger(self) -> dict[str, Any]:
        """The provider's own books."""
        books: dict[str, Any] = await self.get(f"{self.simulator}/_sim/ledger")
        return books

    async def post(self, path: str, **body: object) -> None:
        """Asks the simulator for something that happens outside of the shop."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.simulator}{path}", json=body) as answer,
        ):
            answer.raise_for_status()

    async def faults(self, **spec: object) -> None:
        """Asks the provider to misbehave; nothing asked for: its best day."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.simulator}/_sim/faults", json=spec) as answer,
        ):
            answer.raise_for_status()

    async def refund(self, order_id: str, amount: int | None = None) -> dict[str, Any]:
        """What a merchant's server does to give money back."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Idempotency-Key": secrets.token_hex(16)}
        body = {"orderId": order_id} if amount is None else {"orderId": order_id, "amount": amount}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.gateway}/api/payments/refund", json=body, headers=headers) as answer,
        ):
            assert answer.status == 201, await answer.text()
            reserved: dict[str, Any] = await answer.json()
            return reserved

    async def cancel(self, order_id: str) -> None:
        """What a shop's server does when it no longer wants an order paid."""
        url, headers = (
            f"{self.gateway}/api/orders/{order_id}/cancel",
            {"Authorization": f"Bearer {self.api_key}"},
        )
        async with aiohttp.ClientSession() as session, session.post(url, headers=headers, json={}) as answer:
            answer.raise_for_status()


@dataclass
class Buyer:
    """One browser with its own memory. Any console error is a complaint unless it was foreseen."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)
    foreseen: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @classmethod
    async def arrive(cls, context: BrowserContext, site: Site) -> "Buyer":
        await context.add_init_script(_DIARY)
        context.set_default_timeout(WITHIN_MS)
        buyer = cls(await context.new_page(), site)
        context.on("console", buyer._hear)
        context.on("weberror", lambda error: buyer.complaints.append(f"script error: {error.error}"))
        context.on("request", buyer._note)
        return buyer

    def _hear(self, message: ConsoleMessage) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and not any(re.search(each, text) for each in self.foreseen):
            self.complaints.append(text)

    def _note(self, request: Request) -> None:
        self.requests.append(request)

    def foresee(self, pattern: str) -> None:
        """This console error belongs to the test: browsers report every failed request."""
        self.foreseen.append(pattern)

    # --- the shop ---------------------------------------------------------------------------------------

    async def choose(self, *slugs: str) -> None:
        for slug in slugs or ("tea",):
            await self.page.goto(f"{self.site.shop}/products/{slug}")
            await self.page.get_by_role("button", name="Add to basket").click()

    async def order(self, *slugs: str, currency: str = "INR") -> str:
        """Fills the basket, goes to the checkout, and returns the order's number."""
        await self.choose(*slugs)
        if currency != "INR":
            await self.page.get_by_role("button", name=currency).click()
        await self.page.get_by_label("Your name").fill("Asha Rao")
        await self.page.get_by_label("E-mail").fill("asha@example.com")
        await self.page.get_by_role("button", name="Go to payment").click()
        await expect(self.pay_button).to_be_visible()
        return await self.page.locator("#order").inner_text()

    # --- the checkout -----------------------------------------------------------------------------------

    @property
    def pay_button(self) -> Locator:
        return self.page.locator("#pay")

    @property
    def notice(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def popup(self) -> FrameLocator:
        return self.page.frame_locator("iframe.razorpay-checkout-frame")

    @property
    def popups(self) -> Locator:
        return self.page.locator("iframe.razorpay-checkout-frame")

    async def open_popup(self) -> None:
        await self.pay_button.click()
        await expect(self.popup.locator("#sim-pay")).to_be_visible()

    async def pay(self) -> None:
        await self.open_popup()
        await self.popup.locator("#sim-pay").click()

    async def sees(self, screen: str) -> None:
        await expect(self.page.locator("#panel")).to_have_attribute("data-screen", screen)

    async def sees_heading(self, text: str) -> None:
        await expect(self.page.locator("h1")).to_have_text(text)

    async def screens(self) -> list[str]:
        """Every screen of the checkout so far, in order."""
        seen: list[str] = await self.page.evaluate("JSON.parse(sessionStorage.getItem('test.screens'))")
        return seen

    # --- the choice, Stripe's fields, PayPal's page ---------------------------------------------------------

    async def chooses(self, provider: str) -> None:
        """This way to pay, and the button."""
        await self.page.locator(f".way[data-provider={provider}]").click()
        await self.pay_button.click()

    async def ways(self) -> list[str]:
        """The providers on offer, in their order."""
        offered = self.page.locator("#providers .way")
        await expect(offered.first).to_be_visible()
        return [str(await way.get_attribute("data-provider")) for way in await offered.all()]

    @property
    def fields(self) -> FrameLocator:
        return self.page.frame_locator("iframe.sim-stripe-element-frame")

    @property
    def complaint(self) -> Locator:
        return self.page.locator(".provider-complaint")

    async def open_fields(self) -> None:
        await self.chooses("stripe")
        await expect(self.fields.locator("#sim-stripe-card-number")).to_be_visible()

    async def pay_by_card(self, number: str) -> None:
        """With the fields open."""
        await self.fields.locator("#sim-stripe-card-number").fill(number)
        await self.page.locator("#confirm").click()

    async def answer_bank(self, answer: str) -> None:
        """3-D Secure: `complete` or `fail`."""
        step = self.page.frame_locator("iframe.sim-stripe-3ds-frame")
        await step.locator(f"#sim-stripe-3ds-{answer}").click()

    async def at_paypal(self, *choices: str) -> None:
        """Chooses PayPal, and presses there: `approve`, `cancel`, `declined` before `approve`."""
        await self.chooses("paypal")
        for choice in choices:
            await self.page.locator(f"#sim-paypal-{choice}").click()
