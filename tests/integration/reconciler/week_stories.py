"""What becomes of the orders of a hostile week: each story is one order's fate at one provider."""

from collections.abc import Awaitable, Callable
from functools import partial

from tests.contract.providers.contract.orders import request, taking
from tests.contract.providers.drivers.paypal import PayPalDriver
from tests.contract.providers.drivers.razorpay import RazorpayDriver
from tests.integration.reconciler.week import DAYS, Purchase, Shop

Story = Callable[[Shop, int], Awaitable[None]]


async def paid(shop: Shop, _day: int) -> None:
    await shop.known()


async def paid_unheard(shop: Shop, _day: int) -> None:
    """Its webhook was lost."""
    purchase = await shop.bought()
    await shop.ask_for(purchase)
    charge = purchase.charge
    await shop.happened(purchase, ("missing_local", charge.charge_id), charge.amount, heard=False)


async def paid_too_late(shop: Shop, _day: int) -> None:
    """The order was closed when the money came, and the webhook was lost."""
    purchase = await shop.bought()
    purchase.closed = True
    await shop.ask_for(purchase)
    charge = purchase.charge
    await shop.happened(purchase, ("late_success", charge.charge_id), charge.amount, heard=False)


async def paid_by_a_stranger(shop: Shop, _day: int) -> None:
    """Money for an order that nobody made with us."""
    charge = (await shop.bought()).charge
    shop.stands["missing_local", charge.charge_id] = charge.amount


async def given_back_in_parts(shop: Shop, _day: int) -> None:
    """By us."""
    purchase = await shop.known()
    for share in (4, 3):
        await shop.give_back(purchase, purchase.charge.amount // share)
    await shop.hear([purchase])


async def refunded_there(shop: Shop, day: int, *, heard: bool) -> None:
    """In the provider's dashboard, on the day or some days later."""
    purchase = await shop.known()
    amount = purchase.charge.amount // 3

    async def refund() -> None:
        shop.driver.refund_elsewhere(purchase.charge.charge_id, amount, purchase.charge.currency)
        await shop.happened(purchase, ("refund", shop.newest("refunds")), amount, heard=heard)

    if day + 2 < DAYS and shop.draw.random() < 0.5:
        shop.later[day + shop.draw.randint(1, 2)].append(refund)
    else:
        await refund()


async def refund_fails(shop: Shop, _day: int, *, heard: bool) -> None:
    """We gave it back, and the bank could not."""
    purchase = await shop.known()
    refund = await shop.give_back(purchase, purchase.charge.amount // 2)
    await shop.hear([purchase])
    shop.driver.fail_refund(refund.refund_id)
    await shop.happened(purchase, ("refund", refund.refund_id), refund.amount, heard=heard)


async def refund_fails_next_day(shop: Shop, day: int) -> None:
    """After the day was compared; the balance tells of it (Stripe)."""
    purchase = await shop.known()
    refund = await shop.give_back(purchase, purchase.charge.amount // 2)
    await shop.hear([purchase])

    async def fail() -> None:
        shop.driver.fail_refund(refund.refund_id)
        await shop.happened(purchase, ("refund", refund.refund_id), refund.amount, heard=False)

    shop.later[day + 1].append(fail)


async def disputed(shop: Shop, day: int, *, heard: bool, won: bool) -> None:
    """Decided some days later; what the account shows of the decision may be unheard, too."""
    purchase = await shop.known()
    charge = purchase.charge
    dispute_id = shop.driver.dispute(charge.charge_id)
    purchase.disputes.append(dispute_id)
    await shop.told(dispute_id, "open")
    await shop.happened(purchase, ("dispute", dispute_id), charge.amount, heard=heard)
    # Razorpay takes the money when it is lost and does not say when that was: that day is soon.
    decided_on = day + (1 if shop.name == "razorpay" else shop.draw.randint(1, 3))
    shown = won and shop.name != "razorpay" and decided_on < DAYS - 1
    missed = shown and shop.draw.random() < 0.5

    async def decide() -> None:
        shop.driver.decide(dispute_id, won=won)
        await shop.told(dispute_id, "won" if won else "lost")
        await shop.happened(purchase, ("dispute", dispute_id), charge.amount, heard=not missed)

    shop.later[decided_on].append(decide)


async def taken_back(shop: Shop, _day: int, *, heard: bool) -> None:
    """PayPal takes the money back without a dispute."""
    assert isinstance(shop.driver, PayPalDriver)
    purchase = await shop.known()
    charge = purchase.charge
    reversal = shop.driver.take_back(charge.charge_id)
    subject = f"of:{charge.charge_id}:{reversal}"
    await shop.happened(purchase, ("dispute", subject), charge.amount, heard=heard)


async def paid_by_cheque(shop: Shop, day: int, *, heard: bool) -> None:
    """Pending at PayPal, and good on the next day."""
    driver = shop.driver
    assert isinstance(driver, PayPalDriver)
    opened = await shop.adapter.open_order(request(shop.draw.choice(shop.currencies), 30_000))
    driver.simulator.paypal(f"orders/{opened.provider_order_id}/approve", {"outcome": "pending"})
    charge = await shop.adapter.capture(taking(opened))
    purchase = Purchase(opened.provider_order_id, charge)
    await shop.hear([purchase])

    async def clear() -> None:
        driver.simulator.paypal(f"captures/{charge.charge_id}/complete")
        await shop.happened(purchase, ("status", charge.charge_id), charge.amount, heard=heard)

    shop.later[day + 1].append(clear)


async def another_fee(shop: Shop, _day: int) -> None:
    """Razorpay's settlement keeps another fee than the payment says."""
    assert isinstance(shop.driver, RazorpayDriver)
    charge = (await shop.known()).charge
    assert charge.fee is not None
    more = shop.draw.randrange(100, 900)
    path = f"/razorpay/payments/{charge.charge_id}/fee"
    shop.driver.simulator.control("POST", path, {"fee": charge.fee + more})
    shop.other_fees[charge.charge_id] = more


_ALL: list[Story] = [
    paid,
    paid_unheard,
    paid_too_late,
    given_back_in_parts,
    partial(refunded_there, heard=True),
    partial(refunded_there, heard=False),
    partial(refund_fails, heard=True),
    partial(refund_fails, heard=False),
    *(partial(disputed, heard=heard, won=won) for heard in (True, False) for won in (True, False)),
]
_OWN: dict[str, list[Story]] = {
    "stripe": [refund_fails_next_day],
    "paypal": [
        *(partial(taken_back, heard=heard) for heard in (True, False)),
        *(partial(paid_by_cheque, heard=heard) for heard in (True, False)),
    ],
    "razorpay": [another_fee],
}
# One day has nothing that we miss: no run looks at it again but for what came in later.
_CALM = DAYS // 2
_QUIET: list[Story] = [
    given_back_in_parts,
    partial(refunded_there, heard=True),
    partial(refund_fails, heard=True),
]
# On the last day only what is unheard as a whole: it is on the page when the week is over.
_LAST: list[Story] = [paid, paid_unheard, partial(refunded_there, heard=False), given_back_in_parts]


def drawn(shop: Shop) -> list[list[Story]]:
    """The stories of each day: each kind at least once, a stranger on the first, the rest as they fall."""
    days: list[list[Story]] = [[paid] for _ in range(DAYS)]
    days[0].append(paid_by_a_stranger)
    days[-1] += _LAST
    stories = [*_ALL, *_OWN[shop.name]]
    stories += shop.draw.choices(stories, k=4)
    days[_CALM] += _QUIET
    free = [number for number in range(DAYS - 1) if number != _CALM]
    for story in stories:
        days[shop.draw.choice(free[:-1] if story is refund_fails_next_day else free)].append(story)
    return days
