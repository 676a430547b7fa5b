"""What happens at the providers while nobody tells us: the day's last differences, known one by one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from devstack.demo.scenes import bought, faults
from devstack.demo.shopper import PROVIDERS, Shopper
from devstack.stack import Stack


@dataclass(frozen=True)
class Difference:
    """One thing on which the books will not agree. `mends`: a look at the provider settles it."""

    kind: str
    provider: str
    subject: str  # the provider's id of it
    story: str
    mends: bool


Scene = Callable[[Shopper, Stack], Awaitable[list[Difference]]]


@asynccontextmanager
async def _unheard(shopper: Shopper) -> AsyncIterator[None]:
    """Webhooks of what happens meanwhile are lost for good."""
    await faults(shopper, webhooks={"drop": 1.0})
    yield
    await shopper.simulator("DELETE", "/faults")


async def _refunded(shopper: Shopper, _stack: Stack) -> list[Difference]:
    story = "refunded in the dashboard, webhook lost"
    orders = [await bought(shopper, story, provider) for provider in PROVIDERS]
    for order in orders:
        await shopper.until(order, "paid")
    found = []
    async with _unheard(shopper):
        for order in orders:
            refund = await shopper.at_the_provider(order, "refund")
            order.expected, order.kept = "refunded", 0
            found.append(Difference("refund", order.provider, str(refund["id"]), story, mends=True))
    return found


async def _twice(shopper: Shopper, _stack: Stack) -> list[Difference]:
    story = "charged twice by the bank, webhook lost"
    order = await bought(shopper, story, "razorpay")
    await shopper.until(order, "paid")
    order.kept = order.amount
    async with _unheard(shopper):
        proof = await shopper.pay(order, method="card", outcome="success", force=True)
    return [Difference("missing_local", "razorpay", str(proof["payment_id"]), story, mends=True)]


async def _strangers(shopper: Shopper, _stack: Stack) -> list[Difference]:
    story = "taken with a link of the provider's own"
    return [
        Difference(
            "missing_local", provider, await shopper.paid_by_link(provider, 77_000), story, mends=False
        )
        for provider in ("razorpay", "stripe")
    ]


async def _another_fee(shopper: Shopper, _stack: Stack) -> list[Difference]:
    story = "the settlement keeps another fee"
    order = await bought(shopper, story, "razorpay")
    await shopper.until(order, "paid")
    await shopper.at_the_provider(order, "fee", fee=9_900)
    return [Difference("fee", "razorpay", await shopper.charge(order), story, mends=False)]


SCENES: tuple[tuple[str, Scene], ...] = (
    ("money goes back in dashboards, and no webhook tells", _refunded),
    ("the bank charges twice, and no webhook tells", _twice),
    ("somebody takes money with a link of the provider's own", _strangers),
    ("a settlement keeps another fee than was said", _another_fee),
)


async def pay_out(shopper: Shopper) -> None:
    """Each provider sends what it holds to the shop's bank."""
    calls = (("/razorpay/settle", None), ("/stripe/payout", {"currency": "eur"}), ("/paypal/withdraw", None))
    await asyncio.gather(*(shopper.simulator("POST", path, body) for path, body in calls))
