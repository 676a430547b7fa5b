"""The scenes of the day: every way in which a payment can end, at each provider that has it."""

import asyncio
from collections.abc import Awaitable, Callable

from devstack.demo.forgeries import forged
from devstack.demo.shopper import PROVIDERS, Order, Shopper
from devstack.stack import Stack

Scene = Callable[[Shopper, Stack], Awaitable[None]]

HOSTILE = 4  # orders per provider in the hostile hour
IN_FLIGHT = 4  # orders per provider under way when services are killed


async def bought(shopper: Shopper, story: str, provider: str, **wish: object) -> Order:
    """An order that is paid in the plain way."""
    order = await shopper.open(await shopper.order(story, provider, **wish))  # type: ignore[arg-type]
    await shopper.verify(order, await shopper.pay(order, outcome="success"))
    return order


async def at_each(scene: Callable[[str], Awaitable[object]], providers: tuple[str, ...] = PROVIDERS) -> None:
    await asyncio.gather(*(scene(provider) for provider in providers))


async def _plain(shopper: Shopper, _stack: Stack) -> None:
    await at_each(lambda p: bought(shopper, "paid at once", p))


async def _silent_buyer(shopper: Shopper, _stack: Stack) -> None:
    async def scene(provider: str) -> None:
        order = await shopper.open(await shopper.order("browser closed after paying", provider))
        await shopper.pay(order, outcome="success")

    await at_each(scene)


async def _declined_then_paid(shopper: Shopper, _stack: Stack) -> None:
    async def scene(provider: str) -> None:
        order = await shopper.open(await shopper.order("declined, tried again", provider))
        proof = await shopper.pay(order, outcome="declined")
        if provider == "paypal":  # only our capture finds out that the bank says no
            await shopper.verify(order, proof)
        await shopper.until(order, "failed")
        await shopper.open(order)
        await shopper.verify(order, await shopper.pay(order, outcome="success"))

    await at_each(scene)


async def _failed_3ds(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("3-D Secure failed, then passed", "stripe"))
    await shopper.pay(order, outcome="authentication_failed")
    await shopper.until(order, "failed")
    await shopper.open(order)
    await shopper.verify(order, await shopper.pay(order, outcome="success"))


async def _abandoned(shopper: Shopper, _stack: Stack) -> None:
    await at_each(lambda p: _left(shopper, "abandoned by the buyer", p), ("razorpay", "stripe"))


async def _left(shopper: Shopper, story: str, provider: str) -> None:
    await shopper.open(await shopper.order(story, provider, expected="failed"))


async def _cancelled(shopper: Shopper, _stack: Stack) -> None:
    async def scene(provider: str) -> None:
        order = await shopper.order("cancelled by the shop", provider, expected="failed")
        await shopper.cancel(await shopper.open(order))

    await at_each(scene)


async def _by_hand(shopper: Shopper, _stack: Stack) -> None:
    async def scene(provider: str) -> None:
        order = await _authorized(shopper, "captured later by hand", provider)
        await shopper.capture(order)

    await at_each(scene, ("razorpay", "stripe"))
    part = await _authorized(shopper, "a part captured, the rest released", "stripe", kept=10_000)
    await shopper.capture(part, 10_000)
    given_back = await _authorized(shopper, "authorised, then cancelled", "stripe", expected="failed")
    await shopper.cancel(given_back)


async def _authorized(shopper: Shopper, story: str, provider: str, **wish: object) -> Order:
    order = await shopper.order(story, provider, capture="manual", **wish)  # type: ignore[arg-type]
    await shopper.verify(await shopper.open(order), await shopper.pay(order, outcome="success"))
    await _until_detail(shopper, order, "authorized")
    return order


async def _until_detail(shopper: Shopper, order: Order, detail: str) -> None:
    while (await shopper.until(order, "processing"))["detail"] != detail:
        await asyncio.sleep(0.2)


async def _bank_debit(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("a bank debit that takes days", "stripe"))
    await shopper.verify(order, await shopper.pay(order, outcome="processing"))
    await _until_detail(shopper, order, "provider_pending")
    settle = f"/stripe/payment_intents/{order.provider_order_id}/settle"
    await shopper.simulator("POST", settle, {"succeeded": True})
    waiting = await shopper.open(await shopper.order("held by PayPal for review", "paypal"))
    await shopper.verify(waiting, await shopper.pay(waiting, outcome="pending", then="complete", after_s=600))


async def _refunds(shopper: Shopper, _stack: Stack) -> None:
    async def scene(provider: str) -> None:
        whole = await bought(shopper, "refunded whole, in two parts", provider, expected="refunded", kept=0)
        part = await bought(shopper, "refunded in part", provider, expected="partially_refunded")
        part.kept = part.amount - 10_000
        for order in (whole, part):
            await shopper.until(order, "paid")
        await shopper.refund(whole, 30_000)
        await shopper.refund(whole)
        await shopper.refund(part, 10_000)

    await at_each(scene)


async def _refunded_elsewhere(shopper: Shopper, _stack: Stack) -> None:
    async def scene(provider: str) -> None:
        order = await bought(
            shopper, "refunded in the provider's dashboard", provider, expected="refunded", kept=0
        )
        await shopper.until(order, "paid")
        await shopper.at_the_provider(order, "refund")

    await at_each(scene)


async def _refund_failed(shopper: Shopper, _stack: Stack) -> None:
    order = await bought(shopper, "a refund that failed after it succeeded", "stripe")
    await shopper.until(order, "paid")
    await shopper.refund(order)
    await shopper.until(order, "refunded")
    ledger = await shopper.simulator("GET", "/ledger")
    refunds = ledger["stripe"]["refunds"]
    made = next(r["id"] for r in refunds if r["intent_id"] == order.provider_order_id)
    await shopper.simulator("POST", f"/stripe/refunds/{made}/fail", {})


async def _unknown_refund(shopper: Shopper, _stack: Stack) -> None:
    paths = {"razorpay": "POST /v1/payments/*", "stripe": "POST /stripe/v1/refunds",
             "paypal": "POST /v2/payments/captures/*"}  # fmt: skip
    orders = [
        await bought(shopper, "the answer to a refund was lost", p, expected="refunded", kept=0)
        for p in paths
    ]
    for order in orders:
        await shopper.until(order, "paid")
    await faults(shopper, api=[
        {"path": path, "next": [{"do": "act_then_drop", "times": 1}]} for path in paths.values()
    ])  # fmt: skip
    for order in orders:
        await shopper.refund(order)
        await shopper.until(order, "refunded")
    await shopper.simulator("DELETE", "/faults")


async def _disputes(shopper: Shopper, _stack: Stack) -> None:
    async def scene(provider: str) -> None:
        won = await bought(shopper, "disputed and won", provider)
        lost = await bought(shopper, "disputed and lost", provider, kept=0)
        for order, ends in ((won, True), (lost, False)):
            await shopper.until(order, "paid")
            dispute = await shopper.at_the_provider(order, "dispute")
            await _ended(shopper, provider, str(dispute["id"]), won=ends)

    await at_each(scene)


async def _ended(shopper: Shopper, provider: str, dispute_id: str, *, won: bool) -> None:
    """The bank decides a dispute."""
    if provider == "paypal":
        outcome = "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR"
        await shopper.simulator("POST", f"/paypal/disputes/{dispute_id}/resolve", {"outcome": outcome})
    else:
        end = "won" if won else "lost"
        await shopper.simulator("POST", f"/{provider}/disputes/{dispute_id}/{end}", {})


async def _lost_answer(shopper: Shopper, _stack: Stack) -> None:
    paths = {"razorpay": "POST /v1/orders", "stripe": "POST /stripe/v1/payment_intents",
             "paypal": "POST /v2/checkout/orders"}  # fmt: skip
    await faults(shopper, api=[
        {"path": path, "next": [{"do": "act_then_drop", "times": 1}]} for path in paths.values()
    ])  # fmt: skip
    await at_each(lambda p: bought(shopper, "the answer to the create was lost", p))
    await shopper.simulator("DELETE", "/faults")


async def _failed_over(shopper: Shopper, _stack: Stack) -> None:
    await faults(shopper, api=[{"path": "POST /v1/orders", "next": [{"do": "drop_before", "times": 2}]}])
    order = await shopper.order("one provider silent, another took over")
    await shopper.open(order, None)
    await shopper.verify(order, await shopper.pay(order, outcome="success"))
    await shopper.simulator("DELETE", "/faults")
    if order.provider == "razorpay":
        raise RuntimeError(f"{order.order_id} was to fail over from Razorpay, and did not")


async def _switched(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.open(await shopper.order("left one provider, paid with another", "stripe"))
    await shopper.open(order, "paypal")
    await shopper.verify(order, await shopper.pay(order, outcome="success"))


async def _no_webhook(shopper: Shopper, _stack: Stack) -> None:
    await faults(shopper, webhooks={"drop": 1.0})
    orders = [await shopper.order("no webhook ever came", provider) for provider in PROVIDERS]
    for order in orders:
        await shopper.pay(await shopper.open(order), outcome="success")
    await asyncio.gather(*(shopper.until(order, "paid") for order in orders))
    await shopper.simulator("DELETE", "/faults")


async def _late(shopper: Shopper, _stack: Stack) -> None:
    order = await shopper.order("paid after it was cancelled", flags=("late_success",))
    await shopper.open(order)
    await shopper.cancel(order)
    await shopper.pay(order, outcome="success")


async def _twice(shopper: Shopper, _stack: Stack) -> None:
    order = await bought(shopper, "charged twice by the bank", "razorpay")
    order.kept = order.amount
    await shopper.pay(order, method="card", outcome="success", force=True)


async def _hostile(shopper: Shopper, _stack: Stack) -> None:
    bad = {"act_then_drop": 0.15, "status_500_html": 0.1, "status_502": 0.1}
    await faults(
        shopper,
        webhooks={"duplicate": 0.5, "copies": 2, "delay_s": [0, 2], "reorder": 0.5, "drop": 0.15},
        api=[
            {"path": path, **bad}
            for path in ("POST /v1/orders", "POST /stripe/v1/payment_intents", "POST /v2/checkout/orders")
        ],
    )
    await asyncio.gather(
        *(bought(shopper, "in the hostile hour", provider) for provider in PROVIDERS for _ in range(HOSTILE))
    )
    await shopper.simulator("DELETE", "/faults")


async def _killed(shopper: Shopper, stack: Stack) -> None:
    """A kill -9 to payments and gateway while buyers pay; the supervisor brings them back."""
    buyers = [
        asyncio.create_task(bought(shopper, "a service was killed meanwhile", provider))
        for provider in PROVIDERS
        for _ in range(IN_FLIGHT)
    ]
    await asyncio.sleep(0.3)
    for name in ("payments", "gateway"):
        await asyncio.to_thread(stack.kill, name)
    await asyncio.gather(*buyers)


async def faults(shopper: Shopper, **wanted: object) -> None:
    await shopper.simulator("PUT", "/faults", {"seed": 7, "draw_by": "order", **wanted})


SCENES: tuple[tuple[str, Scene], ...] = (
    ("buyers abandon their orders", _abandoned),
    ("buyers pay with Razorpay, Stripe and PayPal", _plain),
    ("buyers pay and close the browser", _silent_buyer),
    ("payments are declined, the buyers try again", _declined_then_paid),
    ("3-D Secure fails, then passes", _failed_3ds),
    ("the shop cancels orders", _cancelled),
    ("the shop captures by hand: all, a part, nothing", _by_hand),
    ("a bank takes its time", _bank_debit),
    ("the shop refunds", _refunds),
    ("somebody refunds in the provider's dashboard", _refunded_elsewhere),
    ("a refund fails after it succeeded", _refund_failed),
    ("the answers to refunds get lost", _unknown_refund),
    ("buyers dispute, some win", _disputes),
    ("the answers to creates get lost", _lost_answer),
    ("one provider is silent, another takes over", _failed_over),
    ("a buyer changes the provider", _switched),
    ("no webhook ever comes", _no_webhook),
    ("money arrives after the order was cancelled", _late),
    ("the bank charges twice", _twice),
    ("a stranger forges webhooks", forged),
    ("a hostile hour: doubled, delayed, reordered, dropped, lost", _hostile),
    ("kill -9 to payments and gateway while buyers pay", _killed),
)
