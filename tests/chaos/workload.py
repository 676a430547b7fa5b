"""Shoppers in a closed loop: order → create-order → pay at the provider → verify → paid, each as often as
it takes; their shops capture some by hand and give money back. What nobody answered is asked again in the
same words; every call goes into the history.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

from tests.chaos.calls import Calls, Shop, new_session
from tests.chaos.checker.evidence import Operation
from tests.chaos.wish import PROVIDERS, Habits, Wish, draw

CLIENTS = 28  # so that 20 and more payments are always under way
AGAIN_AFTER_S = 0.15
LOOK_EVERY_S = 0.3
PATIENCE_S = 80.0  # without any shopper getting on: several leases in a row, restarts, a busy machine
AT_THE_TILL = "at the till"
PAID = ("paid", "partially_refunded", "refunded")
# A no that is none: the order has moved on meanwhile, or a declined approval may be repeated.
MOVED_ON = ("already-paid", "attempt-in-flight", "capture-in-progress", "instrument-declined")


class GaveUp(Exception):
    """An order did not come to its end although everything should have healed."""


@dataclass
class Workload:
    """``async with Workload(shop, seed) as load``: shoppers run until ``finish``; their tasks end with it."""

    shop: Shop
    seed: int
    clients: int = CLIENTS
    habits: Habits = field(default_factory=Habits)
    history: list[Operation] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)
    under_way: dict[str, str] = field(default_factory=dict)  # order → what its shopper waits for
    paid: int = 0
    unfinished: dict[str, str] = field(default_factory=dict)
    may_pay: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: bool = False
    _got_on_at: float = 0.0
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _resources: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        self._got_on_at = time.monotonic()
        self.may_pay.set()
        session = await self._resources.enter_async_context(new_session())
        self._calls = Calls(self.shop, session, self.history)
        run = secrets.token_hex(3)  # two runs with one seed must not share order ids
        self._tasks = [asyncio.create_task(self._shop(run, n)) for n in range(self.clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._resources.aclose()

    async def bought(self, more: int, timeout_s: float = 120.0) -> None:
        """Returns once so many more orders are paid."""
        await self._reached(lambda: self.paid, more, timeout_s, "paid")

    async def refused(self, more: int, timeout_s: float = 120.0) -> None:
        """Returns once so many more calls were refused, or not answered at all."""
        await self._reached(lambda: self.unanswered, more, timeout_s, "refused")

    async def _reached(self, count: Callable[[], int], more: int, timeout_s: float, what: str) -> None:
        target, deadline = count() + more, time.monotonic() + timeout_s
        while count() < target:
            assert time.monotonic() < deadline, f"only {count()} of {target} {what}; {self._stuck()}"
            await asyncio.sleep(0.05)

    async def wait_at_the_till(self, count: int) -> None:
        """Returns when so many shoppers have all they need to pay, and wait until `may_pay` is set."""
        self.may_pay.clear()
        await self._reached(lambda: list(self.under_way.values()).count(AT_THE_TILL), count, 60, "wait")

    async def finish(self) -> None:
        """No new orders; returns when every shopper has seen the last one paid, or has given up."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    @property
    def unanswered(self) -> int:
        """Calls that got no answer or a 5xx and were made again; however often, each counts once."""
        unclear = [o for o in self.history if o.outcome == "info" and o.status != 202]
        return len({(o.order_id, o.call) for o in unclear})

    def _stuck(self) -> str:
        waiting = [f"{order}: {what}" for order, what in list(self.under_way.items())[:5]]
        return f"under way {waiting}, given up {list(self.unfinished.items())[:3]}"

    # --- one shopper --------------------------------------------------------------------------------------

    async def _shop(self, run: str, number: int) -> None:
        dice = random.Random(f"{self.seed}/{number}")
        count = 0
        while not self._stopping:
            count += 1
            provider = PROVIDERS[(number + count) % len(PROVIDERS)]
            wish = draw(dice, f"{run}-{number}-{count}", provider, self.habits)
            self.wishes[wish.order_id] = wish
            self.under_way[wish.order_id] = "place"
            try:
                if await self._buy(wish):
                    self.paid += 1
                self._got_on_at = time.monotonic()
            except GaveUp as why:
                self.unfinished[wish.order_id] = str(why)
                return
            finally:
                del self.under_way[wish.order_id]

    async def _buy(self, wish: Wish) -> bool:
        """The whole way of one order; whether it was paid in the end."""
        calls = self._calls
        token = str((await self._insist(calls.place, wish))["checkoutToken"])
        opened = await self._insist(lambda w: calls.create(w, token), wish)
        if wish.changes_the_price:
            await calls.place(wish, wish.amount + 10)
        if opened and wish.is_declined_first:
            opened = await self._is_declined(wish, token, opened)
        if wish.leaves:
            if wish.is_cancelled:
                await self._insist(calls.cancel, wish)
            return False
        self.under_way[wish.order_id] = AT_THE_TILL
        await self.may_pay.wait()
        if opened:
            await self._pay_and_return(wish, token, opened)
        if wish.by_hand:
            await self._see(
                wish, token, lambda seen: seen["detail"] == "authorized" or seen["status"] in PAID
            )
            await self._insist(lambda w: calls.capture(w, f"capture-{w.order_id}"), wish)
        await self._see(wish, token, lambda seen: seen["status"] in PAID)
        if wish.gives_back is not None:
            amount = wish.gives_back
            await self._insist(lambda w: calls.refund(w, f"refund-{w.order_id}", amount), wish)
            await self._see(wish, token, lambda seen: seen["amounts"]["refunded"] >= amount)
        return True

    async def _is_declined(self, wish: Wish, token: str, opened: dict[str, Any]) -> dict[str, Any]:
        """The bank says no, and the buyer tries again. At PayPal our capture is what finds out."""
        provider, reference = opened["provider"], opened["providerOrderId"]
        how = {"method": "upi"} if provider == "razorpay" else {}
        if provider == "paypal":
            before = await self._see(wish, token, lambda seen: seen["detail"] == "awaiting_buyer")
        proof = await self._calls.pay(wish, provider, reference, **how, outcome="declined")
        if provider == "paypal":
            await self._insist(lambda w: self._calls.verify(w, token, provider, proof), wish)
            # The answer that told the decline may be lost: then all we can know is that the buyer is needed.
            await self._see(
                wish, token, lambda seen: seen["canRetry"] and seen["version"] > before["version"]
            )
        return await self._insist(lambda w: self._calls.create(w, token), wish)

    async def _pay_and_return(self, wish: Wish, token: str, opened: dict[str, Any]) -> None:
        provider, reference = opened["provider"], opened["providerOrderId"]
        how = {"method": "upi"} if provider == "razorpay" else {"outcome": "success"}
        proof = await self._calls.pay(wish, provider, reference, **how)
        if wish.pays_twice:
            await self._calls.pay(wish, provider, reference, method="card", force=True)
        # Once declined at PayPal, a read cannot tell a new approval from the one that was declined: the
        # buyer's return tells, or the webhook of the approval, which may be dropped here.
        comes_back = wish.verifies or (provider == "paypal" and wish.is_declined_first)
        if comes_back and (provider != "razorpay" or "razorpay_signature" in proof):
            await self._insist(lambda w: self._calls.verify(w, token, provider, proof), wish)

    async def _insist(self, ask: Callable[[Wish], Any], wish: Wish) -> dict[str, Any]:
        """Asks in the same words until the answer is final. A no about an order that is moving is none."""
        while True:
            operation: Operation = await ask(wish)
            self.under_way[wish.order_id] = f"{operation.call} {operation.status}"
            if operation.outcome == "ok":
                self._got_on_at = time.monotonic()
                return dict(operation.answer)
            if operation.outcome == "fail":
                if operation.answer.get("code") in MOVED_ON:
                    return {}
                raise GaveUp(f"{operation.call} was refused: {operation.status} {operation.answer}")
            self._check_patience(operation)
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _see(self, wish: Wish, token: str, seen: Callable[[Any], bool]) -> dict[str, Any]:
        """The first answer that shows it."""
        self.under_way[wish.order_id] = "to be seen"
        while True:
            operation = await self._calls.status(wish, token)
            if operation.outcome == "ok" and seen(operation.answer):
                self.history.append(operation)
                return dict(operation.answer)
            self._check_patience(operation)
            await asyncio.sleep(LOOK_EVERY_S)

    def _check_patience(self, last: Operation) -> None:
        if time.monotonic() > self._got_on_at + PATIENCE_S:
            raise GaveUp(f"{last.call} came to no end: {last.status} {last.answer}")
