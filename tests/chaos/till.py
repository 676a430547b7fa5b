"""Orders brought to the point where money is about to move, and the step that moves it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from tests.chaos.calls import Calls
from tests.chaos.checker.evidence import Operation
from tests.chaos.wish import PROVIDERS, Provider, Wish

PATIENCE_S = 150.0  # a dozen restarts and a lease of 30 s, on a busy machine
AGAIN_AFTER_S = 0.2
PRICE = {"razorpay": (150_000, "INR"), "stripe": (42_000, "EUR"), "paypal": (38_000, "USD")}
PAID = ("paid", "partially_refunded", "refunded")

Deed = Literal["refund", "capture", "void", "cancel", "approval", "surplus"]
# What a round does at once: (what moves or releases money, at whom).
DEEDS: tuple[tuple[Deed, Provider], ...] = (
    *(("refund", provider) for provider in PROVIDERS),
    ("capture", "razorpay"),
    ("capture", "stripe"),
    ("void", "stripe"),  # gives an authorisation back
    ("cancel", "stripe"),  # closes what nobody has paid
    ("approval", "paypal"),  # taken by our capture
    ("surplus", "razorpay"),  # a second payment of a paid order goes back by itself
)  # fmt: skip
ALL: frozenset[Deed] = frozenset(deed for deed, _ in DEEDS)


@dataclass(frozen=True)
class Till:
    """Calls that are repeated until their answer is final."""

    calls: Calls

    async def insist(self, ask: Callable[[], Awaitable[Operation]]) -> dict[str, Any]:
        """The final answer; an AssertionError when it is a no, or does not come."""
        deadline = time.monotonic() + PATIENCE_S
        while (operation := await ask()).outcome == "info":
            assert time.monotonic() < deadline, f"no final answer: {operation}"
            await asyncio.sleep(AGAIN_AFTER_S)
        assert operation.outcome == "ok", operation
        return dict(operation.answer)

    async def until(self, wish: Wish, seen: Callable[[Any], bool]) -> None:
        """Returns when the shop reads what it waits for; else an AssertionError with what it read last."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            operation = await self.calls.status(wish, self.calls.shop.api_key)
            if operation.outcome == "ok" and seen(operation.answer):
                return
            assert time.monotonic() < deadline, f"{wish.order_id} is {operation.answer}"
            await asyncio.sleep(AGAIN_AFTER_S)

    async def opened(self, wish: Wish) -> "Open":
        token = str((await self.insist(lambda: self.calls.place(wish)))["checkoutToken"])
        given = await self.insist(lambda: self.calls.create(wish, token))
        return Open(wish, token, str(given["providerOrderId"]))

    async def pays(self, order: "Open") -> None:
        wish = order.wish
        proof = await self.calls.pay(wish, wish.provider, order.reference, outcome="success")
        await self.insist(lambda: self.calls.verify(wish, order.token, wish.provider, proof))

    async def paid(self, wish: Wish) -> "Open":
        order = await self.opened(wish)
        await self.pays(order)
        await self.until(wish, lambda seen: seen["status"] in PAID)
        return order

    async def authorized(self, wish: Wish) -> "Open":
        order = await self.opened(wish)
        await self.pays(order)
        await self.until(wish, lambda seen: seen["detail"] == "authorized")
        return order


@dataclass(frozen=True)
class Open:
    """An order with an attempt at its provider."""

    wish: Wish
    token: str
    reference: str


@dataclass(frozen=True)
class Ready:
    """An order that waits for its deed."""

    till: Till
    deed: Deed
    order: Open

    async def act(self) -> None:
        """Returns when everyone was answered and the order is where this leads."""
        calls, till, wish = self.till.calls, self.till, self.order.wish
        match self.deed:
            case "refund":
                part = wish.amount * 6 // 10
                await till.insist(lambda: calls.refund(wish, f"refund-{wish.order_id}", part))
                await till.until(wish, lambda seen: seen["amounts"]["refunded"] == part)
            case "capture":
                await till.insist(lambda: calls.capture(wish, f"capture-{wish.order_id}"))
                await till.until(wish, lambda seen: seen["status"] == "paid")
            case "void" | "cancel":
                await till.insist(lambda: calls.cancel(wish))
                await till.until(wish, lambda seen: seen["status"] == "failed")
            case "approval":
                await till.pays(self.order)
                await till.until(wish, lambda seen: seen["status"] == "paid")
            case "surplus":
                await calls.pay(wish, "razorpay", self.order.reference, method="card", force=True)
                await till.until(wish, lambda seen: seen["amounts"]["refunded"] == wish.amount)


async def ready(till: Till, deed: Deed, provider: Provider, name: str) -> Ready:
    amount, currency = PRICE[provider]
    order_id = f"{name}-{deed}-{provider}"
    wish = Wish(order_id, provider, amount, currency, by_hand=deed in ("capture", "void"))
    if deed in ("refund", "surplus"):
        return Ready(till, deed, await till.paid(wish))
    if deed in ("capture", "void"):
        return Ready(till, deed, await till.authorized(wish))
    return Ready(till, deed, await till.opened(wish))


async def round_of(till: Till, name: str, deeds: Collection[Deed] = ALL) -> list[Ready]:
    """One order for each of these deeds at each provider that has it, prepared side by side."""
    return await asyncio.gather(*(ready(till, deed, at, name) for deed, at in DEEDS if deed in deeds))
