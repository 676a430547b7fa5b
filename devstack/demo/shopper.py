"""What a shop, its buyers and people at the providers do, through HTTP and the simulator's control calls."""

import asyncio
import itertools
import uuid
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from devstack.stack import Stack

Json = dict[str, Any]
PATIENCE_S = 60.0  # for answers that say: repeat
PROVIDERS = ("razorpay", "stripe", "paypal")
CURRENCY = {"razorpay": "INR", "stripe": "EUR", "paypal": "USD"}  # what each is asked for in the demo
BASKETS = (
    (("Teapot, ash glaze", 1, 145_000),),
    (("Espresso cup", 4, 32_500),),
    (("Serving bowl", 1, 89_000), ("Side plate", 6, 21_500)),
    (("Vase, tall", 1, 239_900),),
)
NAMES = ("Asha Rao", "Jonas Weber", "Noor Haddad", "Mei Tanaka", "Luís Prado", "Zoë Ólafsdóttir")
PROOFS = {
    "razorpay": ("razorpay_payment_id", "razorpay_order_id", "razorpay_signature"),
    "stripe": ("payment_intent",),
    "paypal": ("paypal_order_id",),
}


@dataclass
class Order:
    """One order as its shop knows it, and what is expected of it at the end."""

    order_id: str
    token: str
    amount: int
    currency: str
    email: str
    story: str
    expected: str = "paid"
    provider: str = ""
    provider_order_id: str = ""
    flags: tuple[str, ...] = ()
    kept: int | None = None  # what the shop should have of it in the end; None: all or nothing
    status: Json = field(default_factory=dict)


class Shopper:
    """Calls the system as the outside does; everything that says *repeat* is repeated."""

    def __init__(self, stack: Stack, session: aiohttp.ClientSession) -> None:
        self._wiring = stack.wiring
        self._session = session
        self._numbers = itertools.count(1)
        self.orders: list[Order] = []

    # --- the shop's server --------------------------------------------------------------------------------

    async def order(
        self, story: str, provider: str = "razorpay", *, expected: str = "paid", capture: str = "automatic",
        flags: tuple[str, ...] = (), kept: int | None = None,
    ) -> Order:  # fmt: skip
        """The shop's server places an order; amounts are its own."""
        number = next(self._numbers)
        basket = BASKETS[number % len(BASKETS)]
        order_id, amount = f"demo-{number:03d}", sum(n * each for _, n, each in basket)
        email, currency = f"buyer{number}@mitti.example", CURRENCY[provider]
        body = {
            "orderId": order_id,
            "amount": amount,
            "currency": currency,
            "capture": capture,
            "customer": {"name": NAMES[number % len(NAMES)], "email": email},
            "lines": [{"name": name, "quantity": n, "unitAmount": each} for name, n, each in basket],
        }
        answer = await self._gateway("POST", "/api/orders", body, self._key())
        token = answer["checkoutToken"]
        placed = Order(
            order_id, token, amount, currency, email, story, expected, provider, flags=flags, kept=kept
        )
        self.orders.append(placed)
        return placed

    async def cancel(self, order: Order) -> None:
        await self._gateway("POST", f"/api/orders/{order.order_id}/cancel", {}, self._key())

    async def capture(self, order: Order, amount: int | None = None) -> None:
        """The shop takes what was authorised, or a part of it."""
        await self._keyed("/api/payments/capture", order, amount)

    async def refund(self, order: Order, amount: int | None = None) -> Json:
        """The shop gives money back."""
        return await self._keyed("/api/payments/refund", order, amount)

    async def _keyed(self, path: str, order: Order, amount: int | None) -> Json:
        body: Json = {"orderId": order.order_id}
        if amount is not None:
            body["amount"] = amount
        return await self._gateway(
            "POST", path, body, self._key() | {"Idempotency-Key": f"demo-{uuid.uuid4()}"}
        )

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._wiring.secrets['shop_api_key']}"}

    # --- the buyer ----------------------------------------------------------------------------------------

    async def open(self, order: Order, provider: str | None = "") -> Order:
        """The buyer asks to pay, with the order's provider, another one, or (None) whichever is there."""
        body: Json = {"orderId": order.order_id}
        if provider is not None:
            body["provider"] = provider or order.provider
        answer = await self._gateway("POST", "/api/payments/create-order", body, _token(order))
        order.provider, order.provider_order_id = answer["provider"], answer["providerOrderId"]
        return order

    async def pay(self, order: Order, **how: object) -> Json:
        """The buyer pays (at PayPal: approves); what the browser would bring back."""
        what = {"razorpay": "razorpay/orders/{}/pay", "stripe": "stripe/payment_intents/{}/pay",
                "paypal": "paypal/orders/{}/approve"}[order.provider]  # fmt: skip
        proof = await self.simulator("POST", "/" + what.format(order.provider_order_id), how)
        return proof | {"payment_intent": order.provider_order_id, "paypal_order_id": order.provider_order_id}

    async def verify(self, order: Order, proof: Json) -> Json:
        """The buyer's browser comes back with what the provider gave it."""
        body = {"orderId": order.order_id} | {name: proof[name] for name in PROOFS[order.provider]}
        return await self._gateway(
            "POST", "/api/payments/verify", body, _token(order), also=("instrument-declined",)
        )

    async def read(self, order: Order) -> Json:
        order.status = await self._gateway("GET", f"/api/payments/{order.order_id}", None, _token(order))
        return order.status

    async def until(self, order: Order, *statuses: str, within_s: float = 90.0) -> Json:
        """Waits until the order has one of these statuses."""
        deadline = asyncio.get_running_loop().time() + within_s
        while (await self.read(order))["status"] not in statuses:
            if asyncio.get_running_loop().time() > deadline:
                raise RuntimeError(f"{order.order_id} ({order.story}) is {order.status}, not {statuses}")
            await asyncio.sleep(0.2)
        return order.status

    # --- banks, people at the provider, strangers ---------------------------------------------------------

    async def charge(self, order: Order) -> str:
        """The id of the money that was taken for the order, from the provider's own ledger."""
        ledger = await self.simulator("GET", "/ledger")
        if order.provider == "razorpay":
            rows = ledger["razorpay"]["captures"]
            return str(next(r["payment_id"] for r in rows if r["order_id"] == order.provider_order_id))
        if order.provider == "stripe":
            rows = ledger["stripe"]["charges"]
            taken = (r["id"] for r in rows if r["intent_id"] == order.provider_order_id and r["captured"])
            return str(next(taken))
        rows = ledger["paypal"]["captures"]
        return str(next(r["id"] for r in rows if r["order_id"] == order.provider_order_id))

    async def at_the_provider(self, order: Order, what: str, **body: object) -> Json:
        """Somebody at the bank or in the provider's dashboard does this to the order's charge."""
        kind = {"razorpay": "payments", "stripe": "charges", "paypal": "captures"}[order.provider]
        charge = await self.charge(order)
        return await self.simulator("POST", f"/{order.provider}/{kind}/{charge}/{what}", body)

    async def paid_by_link(self, provider: str, amount: int) -> str:
        """Somebody opens an order at the provider without us, and a buyer pays it: the payment's id."""
        wanted, secrets = {"amount": str(amount), "currency": CURRENCY[provider]}, self._wiring.secrets
        if provider == "razorpay":
            login = aiohttp.BasicAuth(secrets["razorpay_key_id"], secrets["razorpay_key_secret"])
            made = await self._provider("/v1/orders", login, json=wanted | {"amount": amount})
            paid = await self.simulator("POST", f"/razorpay/orders/{made['id']}/pay", {"outcome": "success"})
            return str(paid["payment_id"])
        login = aiohttp.BasicAuth(secrets["stripe_secret_key"])
        made = await self._provider("/stripe/v1/payment_intents", login, data=wanted)
        paid = await self.simulator(
            "POST", f"/stripe/payment_intents/{made['id']}/pay", {"outcome": "success"}
        )
        return str(paid["charge"])

    async def _provider(self, path: str, login: aiohttp.BasicAuth, **body: object) -> Json:
        url = self._wiring.simulator_url + path
        async with self._session.post(url, auth=login, **body) as answer:  # type: ignore[arg-type] # json or data
            answer.raise_for_status()
            result: Json = await answer.json()
            return result

    async def simulator(self, method: str, path: str, body: object = None) -> Json:
        url = f"{self._wiring.simulator_url}/_sim{path}"
        async with self._session.request(method, url, json=body) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            result: Json = await answer.json()
            return result

    async def forge(self, provider: str, body: bytes, headers: dict[str, str]) -> int:
        """A stranger posts a webhook; the status of the answer."""
        url = f"{self._wiring.gateway_url}/api/payments/webhook/{provider}"
        headers = {"content-type": "application/json"} | headers
        async with self._session.post(url, data=body, headers=headers) as answer:
            return answer.status

    async def _gateway(
        self, method: str, path: str, body: Json | None, headers: dict[str, str], also: tuple[str, ...] = ()
    ) -> Json:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                url = self._wiring.gateway_url + path
                async with self._session.request(method, url, json=body, headers=headers) as answer:
                    result: Json = await answer.json()
                    if answer.status in (200, 201) or result.get("code") in also:
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
