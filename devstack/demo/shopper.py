"""What a shop and its buyers do, through the gateway's HTTP and the simulator's control calls."""

import asyncio
import hmac
import itertools
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import aiohttp

from devstack.stack import Stack

Json = dict[str, Any]
PATIENCE_S = 60.0  # for answers that say: repeat
BASKETS = (
    (("Teapot, ash glaze", 1, 145_000),),
    (("Espresso cup", 4, 32_500),),
    (("Serving bowl", 1, 89_000), ("Side plate", 6, 21_500)),
    (("Vase, tall", 1, 239_900),),
)
NAMES = ("Asha Rao", "Jonas Weber", "Noor Haddad", "Mei Tanaka", "Luís Prado", "Zoë Ólafsdóttir")


@dataclass
class Order:
    """One order as its shop knows it, and what is expected of it at the end."""

    order_id: str
    token: str
    amount: int
    email: str
    story: str
    expected: str = "paid"
    provider_order_id: str = ""
    flags: tuple[str, ...] = ()
    status: Json = field(default_factory=dict)


class Shopper:
    """Calls the system as the outside does; everything that says *repeat* is repeated."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self._wiring = stack.wiring
        self._session = session
        self._numbers = itertools.count(1)
        self.orders: list[Order] = []

    async def order(self, story: str, expected: str = "paid", flags: tuple[str, ...] = ()) -> Order:
        """The shop's server places an order; amounts are its own."""
        number = next(self._numbers)
        basket = BASKETS[number % len(BASKETS)]
        order_id, amount = f"demo-{number:03d}", sum(n * each for _, n, each in basket)
        email = f"buyer{number}@mitti.example"
        body = {
            "orderId": order_id,
            "amount": amount,
            "currency": "INR",
            "customer": {"name": NAMES[number % len(NAMES)], "email": email},
            "lines": [{"name": name, "quantity": n, "unitAmount": each} for name, n, each in basket],
        }
        key = {"Authorization": f"Bearer {self._wiring.secrets['shop_api_key']}"}
        answer = await self._gateway("POST", "/api/orders", body, key)
        placed = Order(order_id, answer["checkoutToken"], amount, email, story, expected, flags=flags)
        self.orders.append(placed)
        return placed

    async def open(self, order: Order) -> Order:
        """The buyer asks to pay."""
        body = {"orderId": order.order_id, "provider": "razorpay"}
        answer = await self._gateway("POST", "/api/payments/create-order", body, _token(order))
        order.provider_order_id = answer["providerOrderId"]
        return order

    async def pay(self, order: Order, **how: object) -> Json:
        """The buyer pays in the popup."""
        return await self.simulator("POST", f"/razorpay/orders/{order.provider_order_id}/pay", how)

    async def verify(self, order: Order, proof: Json) -> Json:
        """The buyer's browser comes back with the provider's proof."""
        names = ("razorpay_payment_id", "razorpay_order_id", "razorpay_signature")
        body = {"orderId": order.order_id} | {name: proof[name] for name in names}
        return await self._gateway("POST", "/api/payments/verify", body, _token(order))

    async def cancel(self, order: Order) -> None:
        key = {"Authorization": f"Bearer {self._wiring.secrets['shop_api_key']}"}
        await self._gateway("POST", f"/api/orders/{order.order_id}/cancel", {}, key)

    async def read(self, order: Order) -> Json:
        order.status = await self._gateway("GET", f"/api/payments/{order.order_id}", None, _token(order))
        return order.status

    async def simulator(self, method: str, path: str, body: object = None) -> Json:
        url = f"{self._wiring.simulator_url}/_sim{path}"
        async with self._session.request(method, url, json=body) as answer:
            answer.raise_for_status()
            result: Json = await answer.json()
            return result

    async def forge(self, order: Order, *, signed: bool) -> int:
        """A stranger posts a webhook that says `captured`; the status of the answer."""
        body = json.dumps(
            {
                "entity": "event",
                "account_id": self._wiring.secrets["razorpay_account"],
                "event": "payment.captured",
                "payload": {"payment": {"entity": {
                    "id": "pay_forged", "order_id": order.provider_order_id, "status": "captured",
                    "amount": order.amount, "currency": "INR", "captured": True,
                }}},
            }
        ).encode()  # fmt: skip
        headers = {"content-type": "application/json"}
        if signed:
            headers["x-razorpay-signature"] = hmac.new(b"a guess", body, sha256).hexdigest()
        url = f"{self._wiring.gateway_url}/api/payments/webhook/razorpay"
        async with self._session.post(url, data=body, headers=headers) as answer:
            return answer.status

    async def _gateway(self, method: str, path: str, body: Json | None, headers: dict[str, str]) -> Json:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                url = self._wiring.gateway_url + path
                async with self._session.request(method, url, json=body, headers=headers) as answer:
                    result: Json = await answer.json()
                    if answer.status in (200, 201):
                        return result
                    if answer.status not in (202, 409, 429, 503, 504) or not _worth_repeating(result):
                        raise RuntimeError(f"{method} {path}: {answer.status} {result}")
            except aiohttp.ClientConnectionError:
                result = {}
            if asyncio.get_running_loop().time() > deadline:
                raise RuntimeError(f"{method} {path}: no final answer within {PATIENCE_S:g} s: {result}")
            await asyncio.sleep(0.3)


def _worth_repeating(answer: Json) -> bool:
    return bool(answer.get("repeat") or answer.get("retryable"))


def _token(order: Order) -> dict[str, str]:
    return {"Authorization": f"Bearer {order.token}"}
