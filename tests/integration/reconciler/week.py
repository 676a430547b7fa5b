"""Three shops whose providers' clocks are days behind, and a reconciler that goes by the same clock.

Every order's fate is told by the simulators alone; what we heard of it is in our book, what we missed is
written down as the difference that it makes.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.reconciler.daily import Daily
from services.reconciler.domain.book import Charge, Dispute, OrderBook, ProviderOrder, Refund
from services.reconciler.domain.runs import begins, ends
from shared.envelope import decode, now_utc
from shared.kafka import Topic
from shared.messages.base import Catalogue
from shared.messages.facts import ChargeFact, DisputeFact, RefundFact, Seen
from shared.messages.reconciler import AcceptMismatch, RunReconciliation
from shared.providers.base import Adapter
from tests.contract.providers.contract.driver import until
from tests.contract.providers.contract.orders import giving_back
from tests.contract.providers.contract.payment_scenarios import paid
from tests.contract.providers.drivers.paypal import PayPalDriver
from tests.contract.providers.drivers.razorpay import RazorpayDriver
from tests.contract.providers.drivers.stripe import StripeDriver
from tests.integration.reconciler.bench import Bench
from tests.integration.reconciler.week_witness import Json

AnyDriver = StripeDriver | PayPalDriver | RazorpayDriver
Difference = tuple[str, str]  # kind and subject
DAYS = 7
MORNING, EVENING, NIGHT = timedelta(hours=9), timedelta(hours=20), timedelta(hours=28, minutes=30)


class Calendar:
    """The days of the week, and the time that every simulator and the reconciler go by."""

    def __init__(self, simulators: Sequence[Any]) -> None:
        self.first = now_utc().date() - timedelta(days=DAYS + 1)
        self._simulators = simulators
        self._behind = timedelta()

    def day(self, number: int) -> date:
        return self.first + timedelta(days=number)

    def now(self) -> datetime:
        return now_utc() - self._behind

    def move(self, day: int, time_of_day: timedelta) -> None:
        self._behind = now_utc() - begins(self.day(day)) - time_of_day
        for simulator in self._simulators:
            simulator.control("PUT", "/clock", {"behind_s": self._behind.total_seconds()})


@dataclass
class Purchase:
    """One order at a provider. `missed`: what happened since we last heard of it, with its money."""

    ref: str
    charge: ChargeFact
    closed: bool = False
    version: int = 0
    disputes: list[str] = field(default_factory=list)
    missed: dict[Difference, int] = field(default_factory=dict)

    @property
    def order_id(self) -> str:
        return f"o-{self.ref}"


@dataclass
class Shop:
    """One provider account. `stands`: differences that only a person ends; `accepted`: why one ended them."""

    driver: AnyDriver
    bench: Bench
    currencies: tuple[str, ...]
    draw: random.Random
    adapter: Adapter
    purchases: list[Purchase] = field(default_factory=list)
    stands: dict[Difference, int] = field(default_factory=dict)
    other_fees: dict[str, int] = field(default_factory=dict)  # of charges: what the settlement takes more
    accepted: dict[Difference, str] = field(default_factory=dict)
    later: defaultdict[int, list[Callable[[], Awaitable[None]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    @property
    def name(self) -> str:
        return self.driver.name

    def ledger(self) -> Json:
        """The provider's own books."""
        book: Json = self.driver.simulator.control("GET", "/ledger?limit=1000")[self.name]
        return book

    def newest(self, kind: str) -> str:
        return str(self.driver.simulator.control("GET", "/ledger?limit=1")[self.name][kind][0]["id"])

    # --- what happens -------------------------------------------------------------------------------------

    async def bought(self) -> Purchase:
        """In each currency by turns, so that no day of many has one alone."""
        amount, currency = self.draw.randrange(4_000, 150_000), self.currencies[0]
        self.currencies = (*self.currencies[1:], currency)
        opened, charge = await paid(self.adapter, self.driver, amount, currency)
        return Purchase(opened.provider_order_id, charge)

    async def known(self) -> Purchase:
        """Bought, and we heard of it."""
        purchase = await self.bought()
        await self.hear([purchase])
        return purchase

    async def give_back(self, purchase: Purchase, amount: int) -> RefundFact:
        return await self.adapter.refund(giving_back(purchase.charge, amount))

    async def happened(self, purchase: Purchase, what: Difference, amount: int, *, heard: bool) -> None:
        """Something that the provider did, and whether we heard of it."""
        if heard:
            await self.hear([purchase])
        else:
            purchase.missed[what] = amount

    # --- what we know -------------------------------------------------------------------------------------

    async def ask_for(self, purchase: Purchase) -> None:
        """Our book has the order, and no payment of it."""
        purchase.version += 1
        self.purchases.append(purchase)
        await self.bench.fill([self._book(purchase, Seen())], now_utc())

    async def hear(self, purchases: Sequence[Purchase]) -> None:
        """Payments reads the orders, as it does for a webhook or a look, and tells all that it knows."""
        books = []
        for purchase in purchases:
            purchase.version += 1
            purchase.closed = False
            purchase.missed.clear()
            if purchase not in self.purchases:
                self.purchases.append(purchase)
            books.append(self._book(purchase, await self._seen(purchase)))
        await self.bench.fill(books, now_utc())

    async def _seen(self, purchase: Purchase) -> Seen:
        seen = await self.adapter.read(purchase.ref)
        shown = {d.dispute_id for d in seen.disputes}
        missing = [await self._told(d) for d in purchase.disputes if d not in shown]
        return Seen(charges=seen.charges, refunds=seen.refunds, disputes=(*seen.disputes, *missing))

    async def _told(self, dispute_id: str) -> DisputeFact:
        """A dispute that the order does not show: the newest of what its webhooks said (Razorpay)."""
        said = [
            fact
            for delivery in self.driver.heard(dispute_id)
            for fact in self.adapter.read_webhook(delivery.body).seen.disputes
        ]
        return max(said, key=lambda fact: fact.state != "open")

    async def told(self, dispute_id: str, state: str) -> None:
        """Its webhook has come."""

        async def look() -> bool:
            return any(
                fact.state == state
                for delivery in self.driver.heard(dispute_id)
                for fact in self.adapter.read_webhook(delivery.body).seen.disputes
            )

        if self.name == "razorpay":
            await until(look, f"{dispute_id} is told to be {state}")

    def _book(self, purchase: Purchase, seen: Seen) -> OrderBook:
        where, ref = (self.adapter.name, self.adapter.account), purchase.ref
        return OrderBook(
            purchase.order_id, purchase.version, purchase.charge.amount, purchase.charge.currency,
            paid=bool(seen.charges), closed=purchase.closed,
            charges=tuple(
                Charge(*where, c.charge_id, ref, c.state, c.amount, c.currency, surplus=False, at=_at(c))
                for c in seen.charges
            ),
            refunds=tuple(
                Refund(*where, f"rf-{r.refund_id}", r.refund_id, r.charge_id, ref, r.state, r.amount,
                       r.currency, _at(r))
                for r in seen.refunds
            ),
            disputes=tuple(
                Dispute(*where, d.dispute_id, d.charge_id, ref, d.state, d.money, d.amount, d.currency,
                        _at(d))
                for d in seen.disputes
            ),
            opened=frozenset({ProviderOrder(*where, ref)}),
        )  # fmt: skip

    # --- the reconciler -----------------------------------------------------------------------------------

    async def runs(self, now: datetime) -> int:
        """Carries out every run that the schedule asks for at this time; how many."""
        asked = Requests()
        daily = Daily(
            self.bench.engine, asked, self.bench.performer.providers, tick_s=60, settle_s=3600, days_back=DAYS  # type: ignore[arg-type] # as much of a publisher as it needs
        )  # fmt: skip
        await daily.once(now)
        for command in asked.commands:
            await self.bench.run(begins(command.day), ends(command.day))
        return len(asked.commands)

    async def open_now(self) -> dict[Difference, int]:
        rows = await self.bench.rows(
            f"SELECT kind, subject, amount FROM mismatches WHERE open AND provider = '{self.name}'"
        )
        return {(str(kind), str(subject)): int(str(amount)) for kind, subject, amount in rows}

    async def accept(self, difference: Difference, reason: str) -> None:
        kind, subject = difference
        ((id_, occurrence),) = await self.bench.rows(
            f"SELECT mismatch_id, occurrence FROM mismatches WHERE kind = '{kind}' AND subject = '{subject}'"
        )
        command = AcceptMismatch(
            mismatch_id=str(id_), occurrence=int(str(occurrence)), person="Asha", reason=reason
        )
        (answer,) = await self.bench.say(command, str(id_))
        assert answer.code == "ok"
        self.accepted[difference] = reason


class Requests:
    """Stands where Kafka does: keeps the runs that the schedule asks for."""

    def __init__(self) -> None:
        self.commands: list[RunReconciliation] = []
        self._catalogue = Catalogue(RunReconciliation)

    async def send(self, _topic: Topic, _key: bytes, value: bytes) -> None:
        command = self._catalogue.decode(decode(value))
        assert isinstance(command, RunReconciliation)
        self.commands.append(command)


async def all_runs(shops: Sequence[Shop], now: datetime) -> int:
    async with asyncio.TaskGroup() as all_at_once:
        runs = [all_at_once.create_task(shop.runs(now)) for shop in shops]
    return sum(run.result() for run in runs)


def _at(fact: ChargeFact | RefundFact | DisputeFact) -> datetime:
    assert fact.at is not None
    return fact.at.astimezone(UTC)
