"""A day at Stripe and at PayPal, read through their adapters; the simulator's own ledger is the witness."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.reconciler.app import MIGRATIONS
from services.reconciler.domain.book import Charge, Dispute, OrderBook, ProviderOrder, Refund
from shared.database import migrate
from shared.messages.facts import ChargeFact, RefundFact, Seen
from shared.messages.reconciler import Figures
from shared.providers.paypal import PayPalAdapter
from shared.providers.stripe import StripeAdapter
from tests.contract.providers.contract.driver import all_of, until
from tests.contract.providers.contract.money_scenarios import succeeded
from tests.contract.providers.contract.orders import giving_back, request
from tests.contract.providers.contract.payment_scenarios import paid
from tests.contract.providers.drivers.paypal import PayPalDriver
from tests.contract.providers.drivers.stripe import StripeDriver
from tests.integration.reconciler.bench import Bench
from tests.servers import DatabaseUrls

AnyDriver = StripeDriver | PayPalDriver
NewDay = Callable[[AnyDriver], "Day"]
CAPTURED = 50_000  # of each payment


@dataclass
class Day:
    """A provider's day and what we know of it: what `known` names, as if every webhook had come."""

    driver: AnyDriver
    adapter: StripeAdapter | PayPalAdapter
    bench: Bench
    since: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    known: list[str] = field(default_factory=list)

    async def bought(self) -> ChargeFact:
        """Paid, and known to us."""
        opened, charge = await paid(self.adapter, self.driver, CAPTURED)
        self.known.append(opened.provider_order_id)
        return charge

    async def refunded(self, charge: ChargeFact, amount: int) -> RefundFact:
        wanted = giving_back(charge, amount)
        await self.adapter.refund(wanted)
        return await succeeded(self.adapter, wanted)

    async def hear(self) -> None:
        """Our book takes over all that the provider knows of our orders."""
        found = [self._order(ref, await self.adapter.read(ref)) for ref in self.known]
        await self.bench.fill(found, datetime.now(UTC) + timedelta(hours=1))

    def _order(self, ref: str, seen: Seen) -> OrderBook:
        at, where = self.since, (self.adapter.name, self.adapter.account)
        return OrderBook(
            f"o-{ref}", 1, CAPTURED, self.driver.currency, paid=True,
            charges=tuple(
                Charge(*where, c.charge_id, ref, c.state, c.amount, c.currency, surplus=False,
                       at=c.at or at)
                for c in seen.charges
            ),
            refunds=tuple(
                Refund(*where, f"rf-{r.refund_id}", r.refund_id, r.charge_id, ref, r.state, r.amount,
                       r.currency, r.at or at)
                for r in seen.refunds
            ),
            disputes=tuple(
                Dispute(*where, d.dispute_id, d.charge_id, ref, d.state, d.money, d.amount, d.currency,
                        d.at or at)
                for d in seen.disputes
            ),
            opened=frozenset({ProviderOrder(*where, ref)}),
        )  # fmt: skip

    async def compared(self) -> tuple[set[tuple[object, ...]], Figures]:
        """(kind, subject) of everything that differs up to now, and the day's figures."""
        until_ = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)

        async def reported() -> bool:
            if isinstance(self.adapter, PayPalAdapter):
                await all_of(self.adapter.list_charges(self.since, until_))
                return self.adapter.reported_until is not None and self.adapter.reported_until >= until_
            return datetime.now(UTC) >= until_

        await until(reported, "the window is over and reported")
        done = await self.bench.run(self.since, until_)
        rows = await self.bench.rows("SELECT kind, subject FROM mismatches WHERE open")
        (figures,) = done.figures
        return set(rows), figures


@pytest.fixture
async def new_day(own_urls: DatabaseUrls) -> AsyncIterator[NewDay]:
    await migrate(own_urls.owner("reconciler"), "reconciler", MIGRATIONS)
    days: list[Day] = []

    def make(driver: AnyDriver) -> Day:
        adapter = driver.adapter()
        settles = adapter.name != "paypal"
        days.append(Day(driver, adapter, Bench(own_urls, adapter, settles=settles)))
        return days[-1]

    yield make
    for day in days:
        await day.adapter.close()
        await day.bench.engine.dispose()


async def test_a_day_at_stripe(new_day: NewDay, tmp_path: Path) -> None:
    with StripeDriver.running(tmp_path) as driver:
        day = new_day(driver)
        returned = await day.refunded(await day.bought(), CAPTURED)
        driver.fail_refund(returned.refund_id)
        lapsed = await day.adapter.open_order(request("USD", CAPTURED, capture_automatically=False))
        driver.pay(lapsed.provider_order_id)
        await day.adapter.cancel(lapsed.provider_order_id, "cancel-1")
        day.known.append(lapsed.provider_order_id)
        await _plays(day)

        ledger = driver.simulator.ledger()["stripe"]
        lines = [x for x in ledger["balance_transactions"] if x["type"] != "payout"]
        found, figures = await day.compared()
        assert found == set()
        assert (figures.captured, figures.refunded, figures.disputed) == (6 * CAPTURED, 19_000, CAPTURED)
        assert figures.fees == sum(x["fee"] for x in lines)
        assert figures.settled == 0, "nothing is paid out yet"
        assert figures.waiting == figures.remaining == sum(x["net"] for x in lines)

        driver.pay_out()
        found, figures = await day.compared()
        (payout,) = driver.simulator.ledger()["stripe"]["payouts"]
        assert found == set()
        assert (figures.settled, figures.remaining, figures.explained) == (payout["amount"], 0, 1.0)
        await _differs_and_agrees_again(day)


async def test_a_day_at_paypal(new_day: NewDay, tmp_path: Path) -> None:
    with PayPalDriver.running(tmp_path) as driver:
        day = new_day(driver)
        await day.bought()
        await _plays(day)
        ledger = driver.simulator.ledger()["paypal"]
        found, figures = await day.compared()
        assert found == set()
        assert (figures.captured, figures.refunded, figures.disputed) == (6 * CAPTURED, 19_000, CAPTURED)
        assert figures.fees == sum(c["fee"] for c in ledger["captures"])
        moved = sum(t["amount"] + t["fee"] for t in ledger["transactions"])
        assert (figures.settled, figures.remaining, figures.explained) == (moved, 0, 1.0)
        await _differs_and_agrees_again(day)


async def test_what_paypal_takes_back_without_a_dispute(new_day: NewDay, tmp_path: Path) -> None:
    """Heard of, its line belongs to the refund that the order lists; unheard of, we look at the order."""
    with PayPalDriver.running(tmp_path) as driver:
        day = new_day(driver)
        driver.take_back((await day.bought()).charge_id)
        await day.hear()
        unheard = await day.bought()
        await day.hear()
        reversal = driver.take_back(unheard.charge_id)

        found, figures = await day.compared()
        assert found == {("dispute", f"of:{unheard.charge_id}:{reversal}")}
        assert (figures.captured, figures.refunded) == (2 * CAPTURED, CAPTURED)
        assert figures.by_kind == {"dispute": CAPTURED}
        sent = await day.bench.rows("SELECT text FROM mismatch_audit WHERE what = 'sent'")
        assert [tuple(row) for row in sent] == [("look_again",)]

        await day.hear()
        ((id_,),) = await day.bench.rows("SELECT mismatch_id FROM mismatches WHERE open")
        await day.bench.recheck(str(id_))
        assert await day.bench.rows("SELECT how FROM mismatches") == [("agreed",)], "soon after the look"
        found, figures = await day.compared()
        assert found == set()
        assert (figures.captured, figures.refunded, figures.remaining) == (2 * CAPTURED, 2 * CAPTURED, 0)
        assert figures.explained == 1.0


async def _plays(day: Day) -> None:
    """One paid, one refunded in parts by us and by others, one dispute won, one lost: all heard."""
    await day.bought()
    refunded = await day.bought()
    await day.refunded(refunded, 12_000)
    day.driver.refund_elsewhere(refunded.charge_id, 7_000, refunded.currency)
    for ends in (True, False):
        dispute_id = day.driver.dispute((await day.bought()).charge_id)
        day.driver.decide(dispute_id, won=ends)
    await day.bought()
    await day.hear()


async def _differs_and_agrees_again(day: Day) -> None:
    """What nobody told us is found, each thing once and as what it is; once heard, nothing differs."""
    refunded, disputed, known = await day.bought(), await day.bought(), len(day.known)
    await day.hear()
    missed = await day.bought()
    day.driver.refund_elsewhere(refunded.charge_id, 3_000, refunded.currency)
    dispute_id = day.driver.dispute(disputed.charge_id)
    (refund,) = (await day.adapter.read(refunded.provider_order_id)).refunds
    assert known + 1 == len(day.known)

    expected = {
        ("missing_local", missed.charge_id), ("refund", refund.refund_id), ("dispute", dispute_id),
    }  # fmt: skip
    found, figures = await day.compared()
    assert found == expected
    assert figures.by_kind == {"missing_local": CAPTURED, "refund": 3_000, "dispute": CAPTURED}
    ours = figures.captured + figures.refunded + figures.disputed
    assert figures.moved == ours + figures.unexplained, "none of it is in our records"
    assert (await day.compared())[0] == expected

    await day.hear()
    found, figures = await day.compared()
    assert found == set()
    assert figures.unexplained == 0
