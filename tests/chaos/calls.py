"""What buyers and shops say over HTTP: each call once, its outcome noted as the client saw it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from tests.chaos.checker.evidence import CallName, Operation
from tests.chaos.wish import Provider, Wish

ASK_TIMEOUT_S = 12.0  # above the gateway's own limit of 10 s
INFO = frozenset({202, 408, 429})
PAID_AT = {"razorpay": "razorpay/orders/{}/pay", "stripe": "stripe/payment_intents/{}/pay",
           "paypal": "paypal/orders/{}/approve"}  # fmt: skip
PROOFS = {"razorpay": ("razorpay_payment_id", "razorpay_order_id", "razorpay_signature"),
          "stripe": ("payment_intent",), "paypal": ("paypal_order_id",)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shop:
    """Where to buy, and with which key."""

    gateway: str
    simulator: str
    api_key: str


def new_session() -> aiohttp.ClientSession:
    """For many calls at once."""
    timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
    return aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))


@dataclass(frozen=True, slots=True)
class Calls:
    """Each method is one request; what it came to stands in the history too."""

    shop: Shop
    session: aiohttp.ClientSession
    history: list[Operation] = field(default_factory=list)

    async def place(self, wish: Wish, amount: int | None = None) -> Operation:
        price = wish.amount if amount is None else amount
        body = {
            "orderId": wish.order_id,
            "amount": price,
            "currency": wish.currency,
            "capture": "manual" if wish.by_hand else "automatic",
            "customer": {"name": "Asha Rao", "email": wish.email},
            "lines": [{"name": "Clay bowl", "quantity": 1, "unitAmount": price}],
        }
        asked = {"amount": price, "currency": wish.currency, "email": wish.email}
        return self._note(await self._shop("place", wish, "/api/orders", body, asked))

    async def create(self, wish: Wish, token: str) -> Operation:
        body = {"orderId": wish.order_id, "provider": wish.provider}
        url = f"{self.shop.gateway}/api/payments/create-order"
        return self._note(await self.ask("create", wish, "POST", url, body, token=token))

    async def verify(self, wish: Wish, token: str, provider: Provider, proof: dict[str, Any]) -> Operation:
        """The buyer's browser comes back; a declined approval is an end of its own."""
        body = {"orderId": wish.order_id} | {name: proof[name] for name in PROOFS[provider]}
        url = f"{self.shop.gateway}/api/payments/verify"
        return self._note(await self.ask("verify", wish, "POST", url, body, token=token))

    async def status(self, wish: Wish, token: str) -> Operation:
        """Noted by whoever sees what they waited for."""
        url = f"{self.shop.gateway}/api/payments/{wish.order_id}"
        return await self.ask("status", wish, "GET", url, token=token)

    async def cancel(self, wish: Wish) -> Operation:
        return self._note(await self._shop("cancel", wish, f"/api/orders/{wish.order_id}/cancel", {}))

    async def capture(self, wish: Wish, key: str, amount: int | None = None) -> Operation:
        return await self._keyed("capture", wish, key, amount)

    async def refund(self, wish: Wish, key: str, amount: int | None = None) -> Operation:
        return await self._keyed("refund", wish, key, amount)

    async def _keyed(
        self, call: Literal["capture", "refund"], wish: Wish, key: str, amount: int | None
    ) -> Operation:
        body: dict[str, Any] = {"orderId": wish.order_id} | ({} if amount is None else {"amount": amount})
        asked = {"key": key, "amount": amount}
        return self._note(await self._shop(call, wish, f"/api/payments/{call}", body, asked, key=key))

    async def pay(
        self, wish: Wish, provider: Provider, provider_order_id: str, **form: object
    ) -> dict[str, Any]:
        """The buyer pays (at PayPal: approves) at the provider; what their browser would bring back."""
        url = f"{self.shop.simulator}/_sim/{PAID_AT[provider].format(provider_order_id)}"
        operation = self._note(await self.ask("pay", wish, "POST", url, form, asked=form))
        given = {"payment_intent": provider_order_id, "paypal_order_id": provider_order_id}
        return given | dict(operation.answer)

    def _note(self, operation: Operation) -> Operation:
        self.history.append(operation)
        return operation

    async def _shop(
        self,
        call: CallName,
        wish: Wish,
        path: str,
        body: dict[str, Any],
        asked: dict[str, Any] | None = None,
        *,
        key: str = "",
    ) -> Operation:
        url = self.shop.gateway + path
        return await self.ask(call, wish, "POST", url, body, token=self.shop.api_key, asked=asked, key=key)

    async def ask(
        self,
        call: CallName,
        wish: Wish,
        method: str,
        url: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "",
        asked: dict[str, Any] | None = None,
        key: str = "",
    ) -> Operation:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        headers |= {"idempotency-key": key} if key else {}
        try:
            async with self.session.request(method, url, json=body, headers=headers) as response:
                status, answer = response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Operation(call, wish.order_id, "info", asked or {})
        return Operation(call, wish.order_id, _outcome(status, answer), asked or {}, status, answer)


def _outcome(status: int, answer: dict[str, Any]) -> Literal["ok", "fail", "info"]:
    """`info` also for a refusal that says: ask again."""
    if status in INFO or status >= 500 or (status >= 400 and answer.get("retryable")):
        return "info"
    return "ok" if status < 400 else "fail"
