"""Shoppers in a closed loop: order → create-order → pay at the provider → verify → paid, each as often as
it takes. What nobody answered is asked again in the same words; every call goes into the history.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import aiohttp

from tests.chaos.checker.evidence import Operation

CLIENTS = 28  # so that 20 and more payments are always under way
ASK_TIMEOUT_S = 12.0  # above the gateway's own limit of 10 s
AGAIN_AFTER_S = 0.15
LOOK_EVERY_S = 0.3
PATIENCE_S = 80.0  # without any shopper getting on: a lease of 30 s, a restart, a busy machine
AT_THE_TILL = "at the till"
INFO = frozenset({202, 408, 429})
# (currency, share, what the provider can express)
CURRENCIES = (("INR", 0.8, 1), ("USD", 0.1, 1), ("JPY", 0.05, 1), ("KWD", 0.05, 10))

CallName = Literal["place", "create", "verify", "status", "cancel", "pay"]


class GaveUp(Exception):
    """An order did not come to its end although everything should have healed."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Where to buy, and with which key."""

    gateway: str
    simulator: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Wish:
    """One order and the habits of who places it, all drawn from the seed."""

    order_id: str
    amount: int
    currency: str
    verifies: bool
    is_declined_first: bool
    changes_the_price: bool
    pays_twice: bool  # two tabs, two payments: the second capture must be flagged
    leaves: bool  # before paying; then the attempt expires
    is_cancelled: bool  # by the shop, when the buyer has left

    @property
    def email(self) -> str:
        return f"{self.order_id}@buyers.example"


@dataclass
class Workload:
    """``async with Workload(shop, seed) as load``: shoppers run until ``finish``; their tasks end with it."""

    shop: Shop
    seed: int
    clients: int = CLIENTS
    verify_share: float = 0.7  # the other buyers never come back: only webhooks tell
    pay_twice_share: float = 0.03
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
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        self._got_on_at = time.monotonic()
        self.may_pay.set()
        self._session = await self._resources.enter_async_context(session)
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
            wish = self._wish(dice, f"{run}-{number}-{count}")
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

    def _wish(self, dice: random.Random, order_id: str) -> Wish:
        currency, _, step = dice.choices(CURRENCIES, [share for _, share, _ in CURRENCIES])[0]
        return Wish(
            order_id=order_id,
            amount=step * dice.randint(100, 500_000),
            currency=currency,
            verifies=dice.random() < self.verify_share,
            is_declined_first=dice.random() < 0.1,
            changes_the_price=dice.random() < 0.05,
            pays_twice=dice.random() < self.pay_twice_share,
            leaves=dice.random() < 0.06,
            is_cancelled=dice.random() < 0.5,
        )

    async def _buy(self, wish: Wish) -> bool:
        """The whole way of one order; whether it was paid in the end."""
        token = str((await self._insist(self._place, wish))["checkoutToken"])
        opened = await self._insist(lambda w: self._create(w, token), wish)
        if wish.changes_the_price:
            await self._place(wish, wish.amount + 10)
        if opened and wish.is_declined_first:
            await self._pay(wish, opened["providerOrderId"], {"method": "upi", "outcome": "declined"})
            opened = await self._insist(lambda w: self._create(w, token), wish)
        if wish.leaves:
            if wish.is_cancelled:
                await self._insist(self._cancel, wish)
            return False
        self.under_way[wish.order_id] = AT_THE_TILL
        await self.may_pay.wait()
        if opened:
            await self._pay_and_return(wish, token, opened["providerOrderId"])
        await self._see_it_paid(wish, token)
        return True

    async def _pay_and_return(self, wish: Wish, token: str, provider_order_id: str) -> None:
        proof = await self._pay(wish, provider_order_id, {"method": "upi"})
        if wish.pays_twice:
            await self._pay(wish, provider_order_id, {"method": "card", "force": True})
        if wish.verifies and "razorpay_signature" in proof:
            await self._insist(lambda w: self._verify(w, token, proof), wish)

    async def _insist(self, ask: Callable[[Wish], Any], wish: Wish) -> dict[str, Any]:
        """Asks in the same words until the answer is final. A no about an order that is moving is none."""
        while True:
            operation: Operation = await ask(wish)
            self.under_way[wish.order_id] = f"{operation.call} {operation.status}"
            if operation.outcome == "ok":
                return dict(operation.answer)
            if operation.outcome == "fail":
                if operation.answer.get("code") in ("already-paid", "attempt-in-flight"):
                    return {}
                raise GaveUp(f"{operation.call} was refused: {operation.status} {operation.answer}")
            self._check_patience(operation)
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _see_it_paid(self, wish: Wish, token: str) -> None:
        self.under_way[wish.order_id] = "to be paid"
        while True:
            url = f"{self.shop.gateway}/api/payments/{wish.order_id}"
            operation = await self._ask("status", wish, "GET", url, token=token)
            if operation.outcome == "ok" and operation.answer["status"] == "paid":
                self.history.append(operation)
                return
            self._check_patience(operation)
            await asyncio.sleep(LOOK_EVERY_S)

    def _check_patience(self, last: Operation) -> None:
        if time.monotonic() > self._got_on_at + PATIENCE_S:
            raise GaveUp(f"{last.call} came to no end: {last.status} {last.answer}")

    # --- its calls ----------------------------------------------------------------------------------------

    async def _place(self, wish: Wish, amount: int | None = None) -> Operation:
        price = wish.amount if amount is None else amount
        body = {
            "orderId": wish.order_id,
            "amount": price,
            "currency": wish.currency,
            "customer": {"name": "Asha Rao", "email": wish.email},
            "lines": [{"name": "Clay bowl", "quantity": 1, "unitAmount": price}],
        }
        asked = {"amount": price, "currency": wish.currency, "email": wish.email}
        url = f"{self.shop.gateway}/api/orders"
        return self._note(
            await self._ask("place", wish, "POST", url, body, token=self.shop.api_key, asked=asked)
        )

    async def _create(self, wish: Wish, token: str) -> Operation:
        url = f"{self.shop.gateway}/api/payments/create-order"
        return self._note(
            await self._ask("create", wish, "POST", url, {"orderId": wish.order_id}, token=token)
        )

    async def _verify(self, wish: Wish, token: str, proof: dict[str, Any]) -> Operation:
        body = {"orderId": wish.order_id}
        body |= {name: value for name, value in proof.items() if name.startswith("razorpay_")}
        url = f"{self.shop.gateway}/api/payments/verify"
        return self._note(await self._ask("verify", wish, "POST", url, body, token=token))

    async def _cancel(self, wish: Wish) -> Operation:
        url = f"{self.shop.gateway}/api/orders/{wish.order_id}/cancel"
        return self._note(await self._ask("cancel", wish, "POST", url, {}, token=self.shop.api_key))

    async def _pay(self, wish: Wish, provider_order_id: str, form: dict[str, Any]) -> dict[str, Any]:
        url = f"{self.shop.simulator}/_sim/razorpay/orders/{provider_order_id}/pay"
        operation = self._note(await self._ask("pay", wish, "POST", url, form, asked=form))
        return dict(operation.answer)

    def _note(self, operation: Operation) -> Operation:
        self.history.append(operation)
        return operation

    async def _ask(
        self,
        call: CallName,
        wish: Wish,
        method: str,
        url: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "",
        asked: dict[str, Any] | None = None,
    ) -> Operation:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._session.request(method, url, json=body, headers=headers) as response:
                status, answer = response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Operation(call, wish.order_id, "info", asked or {})
        outcome = _outcome(status)
        if outcome == "ok" and call not in ("status", "pay"):
            self._got_on_at = time.monotonic()
        return Operation(call, wish.order_id, outcome, asked or {}, status, answer)


def _outcome(status: int) -> Literal["ok", "fail", "info"]:
    if status in INFO or status >= 500:
        return "info"
    return "ok" if status < 400 else "fail"
