"""Create-order over HTTP, with the provider's own time taken off."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from bench.measures import Spread, spread
from bench.workload import AMOUNT, CURRENCY

PER_S = 20.0  # light load: one buyer every 50 ms
WARM_UP = 40

Create = Callable[[aiohttp.ClientSession, int], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Shop:
    """How an order is placed and a payment created at one system. Gives the provider's order id."""

    prepare: Callable[[aiohttp.ClientSession, int], Awaitable[object]]
    create: Callable[[aiohttp.ClientSession, int, object], Awaitable[str]]


async def run(shop: Shop, provider: str, first: int, count: int) -> Spread:
    """Milliseconds from request to answer, less what the provider says each call took there."""
    async with aiohttp.ClientSession() as http:
        await _took(http, provider)
        prepared = [await shop.prepare(http, n) for n in range(first, first + WARM_UP + count)]
        total: dict[str, float] = {}

        async def one(n: int, ready: object) -> None:
            began = time.monotonic()
            reference = await shop.create(http, n, ready)
            total[reference] = time.monotonic() - began

        running = []
        for n, ready in enumerate(prepared, first):
            running.append(asyncio.create_task(one(n, ready)))
            await asyncio.sleep(1 / PER_S)
        await asyncio.gather(*running)
        took = await _took(http, provider)
    measured = list(total)[WARM_UP:]
    return spread([total[reference] - took[reference] for reference in measured])


async def _took(http: aiohttp.ClientSession, provider: str) -> dict[str, float]:
    async with http.get(f"{provider}/took") as answer:
        found: dict[str, float] = await answer.json()
        return found


def paystream(gateway: str, api_key: str) -> Shop:
    """The shop's server places the order; the buyer's page creates the payment with its token."""

    async def prepare(http: aiohttp.ClientSession, n: int) -> object:
        return await place_order(http, gateway, api_key, f"create-{n}")

    async def create(http: aiohttp.ClientSession, n: int, token: object) -> str:
        return await create_payment(http, gateway, f"create-{n}", str(token))

    return Shop(prepare, create)


async def place_order(http: aiohttp.ClientSession, gateway: str, api_key: str, order_id: str) -> str:
    """The checkout token of a new order."""
    order = {
        "orderId": order_id,
        "amount": AMOUNT,
        "currency": CURRENCY,
        "customer": {"name": "Asha Rao", "email": "asha@example.com"},
        "lines": [{"name": "Tea set", "quantity": 1, "unitAmount": AMOUNT}],
    }
    placed = await _repeated(http, f"{gateway}/api/orders", order, api_key)
    return str(placed["checkoutToken"])


async def create_payment(http: aiohttp.ClientSession, gateway: str, order_id: str, token: str) -> str:
    """The provider's order id."""
    wanted = {"orderId": order_id, "provider": "razorpay"}
    created = await _repeated(http, f"{gateway}/api/payments/create-order", wanted, token)
    return str(created["providerOrderId"])


async def _repeated(
    http: aiohttp.ClientSession, url: str, body: object, credential: str
) -> dict[str, object]:
    """The answer; the same request again while it says so (202, 503), as any client must."""
    async with asyncio.timeout(60):
        while True:
            headers = {"authorization": f"Bearer {credential}"}
            async with http.post(url, json=body, headers=headers) as answer:
                if answer.status in (200, 201):
                    found: dict[str, object] = await answer.json()
                    return found
                assert answer.status in (202, 503), await answer.text()
            await asyncio.sleep(0.2)


def peer(address: str, order_of: Callable[[int], str]) -> Shop:
    """The peer's orders stand in its table already."""

    async def prepare(_http: aiohttp.ClientSession, _n: int) -> object:
        return None

    async def create(http: aiohttp.ClientSession, n: int, _ready: object) -> str:
        url = f"{address}/api/payments/create-order"
        async with http.post(url, json={"orderId": order_of(n)}) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["providerOrderId"])

    return Shop(prepare, create)
