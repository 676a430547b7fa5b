"""A hostile week at three providers: each night exactly what differs, in the end the providers' own ledgers.

`PAYSTREAM_SEED` repeats a run; a failing one names its seed.
"""

import os
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from services.reconciler.app import MIGRATIONS
from services.reconciler.domain.book import Charge, OrderBook
from services.reconciler.domain.runs import begins, ends
from services.reconciler.period import Periods
from services.reconciler.report import KINDS, html, table
from shared.database import migrate
from shared.envelope import now_utc
from tests.contract.providers.contract.driver import until
from tests.contract.providers.drivers.paypal import PayPalDriver
from tests.contract.providers.drivers.razorpay import RazorpayDriver
from tests.contract.providers.drivers.stripe import StripeDriver
from tests.integration.reconciler import week_witness as witness
from tests.integration.reconciler.bench import Bench
from tests.integration.reconciler.week import (
    DAYS,
    EVENING,
    MORNING,
    NIGHT,
    AnyDriver,
    Calendar,
    Difference,
    Shop,
    all_runs,
)
from tests.integration.reconciler.week_page import (
    Page,
    amount,
    csv_figures,
    csv_rows,
    day_cells,
    expected_figures,
    total_cells,
)
from tests.integration.reconciler.week_stories import drawn
from tests.integration.reconciler.week_witness import MOVED, Known, Moved
from tests.servers import DatabaseUrls

SEED = int(os.environ.get("PAYSTREAM_SEED", "0")) or random.randrange(1, 10**6)
CURRENCIES = {"stripe": ("USD", "EUR"), "paypal": ("USD", "EUR"), "razorpay": ("INR",)}
DUE = timedelta(days=2)  # until a settlement must have paid out
PAYOUTS = {
    1: ("usd", "eur"),
    4: ("usd",),
    6: ("usd",),
}  # at Stripe: one currency waits for longer than it should
SETTLED_ON, WITHDRAWN_ON = (1, 5), (2, 5)  # at Razorpay, at PayPal
PENDING_S = 34 * 3600  # a refund at PayPal: until the evening of the next day


class Week:
    """Three shops, one calendar."""

    def __init__(self, shops: list[Shop], calendar: Calendar) -> None:
        self.shops, self.calendar = shops, calendar
        self.stories = {shop.name: drawn(shop) for shop in shops}
        self.runs = 0
        self.found: defaultdict[str, dict[Difference, int]] = defaultdict(dict)

    def shop(self, name: str) -> Shop:
        return next(shop for shop in self.shops if shop.name == name)

    async def day(self, number: int) -> None:
        """What was found last night is mended, old stories go on, new ones begin; in the evening, payouts."""
        self.calendar.move(number, MORNING)
        for shop in self.shops:
            await shop.hear([p for p in shop.purchases if p.missed])
            for act in shop.later.pop(number, []):
                await act()
            for story in self.stories[shop.name][number]:
                await story(shop, number)
        self.calendar.move(number, EVENING)
        await self._pay_out(number)

    async def _pay_out(self, number: int) -> None:
        stripe, paypal, razorpay = (self.shop(name) for name in ("stripe", "paypal", "razorpay"))
        assert isinstance(stripe.driver, StripeDriver)
        assert isinstance(paypal.driver, PayPalDriver)
        for currency in PAYOUTS.get(number, ()):
            if witness.payable(stripe.ledger(), currency):
                stripe.driver.simulator.act("payout", currency=currency)
        if number in SETTLED_ON:
            razorpay.driver.pay_out()
        await _pending_refunds_end(paypal, number, self.calendar)
        if number in WITHDRAWN_ON:
            paypal.driver.simulator.paypal("withdraw")

    async def night(self, number: int) -> None:
        """Every run that is due; then exactly what differs is open, and nothing else."""
        self.calendar.move(number, NIGHT)
        self.runs += await all_runs(self.shops, self.calendar.now())
        for shop in self.shops:
            expected = self.expected(shop, number)
            assert await shop.open_now() == expected, f"{shop.name}, night {number}"
            self.found[shop.name] |= expected

    def moved(self, shop: Shop) -> list[Moved]:
        return list(MOVED[shop.name](shop.ledger()))

    def missed(self, shop: Shop) -> dict[Difference, int]:
        found = dict(shop.stands)
        for purchase in shop.purchases:
            found |= purchase.missed
        return found

    def expected(self, shop: Shop, number: int) -> dict[Difference, int]:
        """What must be open after this night."""
        moved = self.moved(shop)
        missed = self.missed(shop)
        found = dict(missed)
        settled = {m.id for m in moved if m.paid_out}
        found |= {("fee", id_): more for id_, more in shop.other_fees.items() if id_ in settled}
        if shop.name != "paypal":
            late = witness.overdue(moved, ends(self.calendar.day(number)), DUE)
            unheard = {subject for _, subject in missed}
            found |= {key: amount for key, amount in late.items() if key[1] not in unheard}
        return {key: amount for key, amount in found.items() if key not in shop.accepted}

    # --- when the week is over ----------------------------------------------------------------------------

    def rows(self) -> witness.Rows:
        found: witness.Rows = {}
        for shop in self.shops:
            unknown = {subject for _, subject in self.missed(shop)}
            known = Known(self.expected(shop, DAYS - 1), set(shop.accepted), unknown)
            found |= witness.rows(shop.name, self.moved(shop), known)
        return found

    def payouts(self) -> list[witness.Payout]:
        return [p for shop in self.shops for p in witness.payouts(shop.name, shop.ledger())]

    def open_lines(self) -> list[tuple[str, ...]]:
        return [
            self._line(shop, difference, money)
            for shop in self.shops
            for difference, money in self.expected(shop, DAYS - 1).items()
        ]

    def accepted_lines(self) -> list[tuple[str, ...]]:
        return [
            (*self._line(shop, difference, money), "Asha", shop.accepted[difference])
            for shop in self.shops
            for difference, money in self.found[shop.name].items()
            if difference in shop.accepted
        ]

    def ended(self) -> set[tuple[str, ...]]:
        """Differences that were found and are no more."""
        return {
            (shop.name, *difference)
            for shop in self.shops
            for difference in self.found[shop.name].keys() - self.expected(shop, DAYS - 1).keys()
            if difference not in shop.accepted
        }

    def _line(self, shop: Shop, difference: Difference, money: int) -> tuple[str, ...]:
        kind, subject = difference
        about = next(m for m in self.moved(shop) if m.id == subject)
        orders = {p.charge.charge_id: p.order_id for p in shop.purchases}
        order = orders.get(about.charge_id, "none")
        return f"{KINDS[kind]} {shop.name} {subject}", f"{amount(money)} {about.currency}", order


async def _pending_refunds_end(paypal: Shop, number: int, calendar: Calendar) -> None:
    """Those of the day before become good this evening, and we hear of it."""
    today = begins(calendar.day(number)).timestamp()

    async def ended() -> bool:
        rows = paypal.ledger()["refunds"]
        return not any(r["status"] == "PENDING" and r["created_at"] < today for r in rows)

    await until(ended, "refunds of yesterday become good")
    await paypal.hear([p for p in paypal.purchases if not p.missed])


@pytest.fixture
async def week(own_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Week]:
    """Simulators whose hours are as long as ours, so that a provider's days are the week's."""
    await migrate(own_urls.owner("reconciler"), "reconciler", MIGRATIONS)
    draw = random.Random(SEED)
    with ExitStack() as stack:
        folders = [tmp_path / name for name in CURRENCIES]
        for folder in folders:
            folder.mkdir()
        drivers: list[AnyDriver] = [
            stack.enter_context(StripeDriver.running(folders[0], time_scale=1)),
            stack.enter_context(PayPalDriver.running(folders[1], time_scale=1, refund_pending_s=PENDING_S)),
            stack.enter_context(RazorpayDriver.running(folders[2], time_scale=1)),
        ]
        calendar = Calendar([driver.simulator for driver in drivers])
        shops = []
        for driver in drivers:
            adapter = driver.adapter()
            settles = driver.name != "paypal"
            due_s = DUE.total_seconds() if settles else DUE.total_seconds() / 2
            bench = Bench(own_urls, adapter, due_s=due_s, settles=settles, clock=calendar.now)
            shops.append(Shop(driver, bench, CURRENCIES[driver.name], draw, adapter))
        yield Week(shops, calendar)
        for shop in shops:
            await shop.adapter.close()
            await shop.bench.engine.dispose()


async def test_a_hostile_week_ends_as_the_ledgers_of_the_providers_say(week: Week) -> None:
    try:
        for number in range(DAYS):
            await week.day(number)
            await _people(week, number)
            await week.night(number)
        await _the_page_agrees(week)
    except BaseException as error:
        error.add_note(f"PAYSTREAM_SEED={SEED} repeats this week")
        raise


async def _people(week: Week, number: int) -> None:
    """What persons do: one accepts a stranger's payment, one marks a payment by hand, one accepts a delay."""
    stripe = week.shop("stripe")
    if number == 2:
        (stranger,) = stripe.stands
        await stripe.accept(stranger, "a gift, it stays")
    if number == 3:
        at = begins(week.calendar.day(3)) + MORNING
        by_hand = Charge(
            "hand", "till", "h-1", "", "captured", 4_200, "INR", surplus=False, at=at, marked_by="Asha: cash"
        )
        await stripe.bench.fill(
            [OrderBook("o-hand", 1, 4_200, "INR", paid=True, charges=(by_hand,))], now_utc()
        )
    if number == DAYS - 1:
        late = next(key for key in sorted(await stripe.open_now()) if key[0] == "unsettled")
        await stripe.accept(late, "Stripe keeps a reserve")


async def _the_page_agrees(week: Week) -> None:
    """Every line of the page and of the table that is about money."""
    first, last = week.calendar.day(0), week.calendar.day(DAYS - 1)
    periods = Periods(week.shops[0].bench.engine, frozenset({"paypal"}))
    now = week.calendar.now()
    period = await periods.whole(first, last, now)
    page, csv = Page(html(period, now)), table(period)
    rows = week.rows()

    accounts = {shop.name: shop.adapter.account for shop in week.shops}
    assert page.rows("Where the money is") == total_cells(rows, accounts)
    assert page.rows("Day by day") == day_cells(rows)
    assert csv_figures(csv) == expected_figures(rows, f"{first}..{last}")
    _differences(week, page, csv)

    sent = Counter[tuple[str, str]]()
    for payout in week.payouts():
        sent[payout.provider, payout.currency] += payout.amount
    count = Counter((p.provider, p.currency) for p in week.payouts())
    shown = page.rows(f"Paid out to the bank on these {DAYS} days")
    assert shown == [[p, str(count[p, c]), f"{amount(sent[p, c])} {c}"] for p, c in sorted(sent)]
    (by_hand,) = page.rows("Marked as paid by hand")
    assert by_hand[:4] == ["o-hand", "till", "42.00 INR", "Asha: cash"]
    compared = {(row[0], row[1][:10]) for row in page.rows("Runs") if row[3].startswith("20")}
    days = [f"{week.calendar.day(number)}" for number in range(DAYS)]
    assert compared == {(shop.name, day) for shop in week.shops for day in days}


def _differences(week: Week, page: Page, csv: str) -> None:
    """What is open with its money, its order and what is being done; what a person has accepted, and why."""
    open_, accepted = week.open_lines(), week.accepted_lines()
    shown = page.rows("What differs, and what is being done")
    assert sorted((row[1], row[2], row[3]) for row in shown) == sorted(open_)
    for row in shown:
        assert row[6].startswith(_mends(row)), row
    assert f"{len(open_)} differences are open." in page.words
    assert sorted(tuple(row) for row in page.rows("Accepted by a person")) == sorted(accepted)
    listed = [row for row in csv_rows(csv) if row["line"] == "mismatch"]
    ended = {(r["provider"], r["item"], r["subject"]) for r in listed if r["status"] == "resolved"}
    assert ended == week.ended()
    assert f"{len(ended)} differences have ended because the books agree again." in page.words
    assert len(listed) == len(open_) + len(accepted) + len(ended)


def _mends(row: list[str]) -> str:
    """How what is being done about a line must begin."""
    if row[3] == "none":
        return "no order of ours belongs to it: look it up there"
    by_nobody = (KINDS["fee"], KINDS["unsettled"])
    return "nothing can be sent:" if row[1].startswith(by_nobody) else "By itself: "
