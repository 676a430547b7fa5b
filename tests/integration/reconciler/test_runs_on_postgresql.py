"""Random ledgers on a real database: the mismatches are exactly the differences, however a run is cut."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import text

from services.reconciler import handlers
from services.reconciler.app import MIGRATIONS
from services.reconciler.domain.book import Charge, Checkpoint, OrderBook
from services.reconciler.domain.facts import DayCompared
from services.reconciler.domain.matching import MONEY
from services.reconciler.domain.runs import TASK, begins, ends, key_of
from services.reconciler.provider_day import ProviderDays, incoming
from services.reconciler.store.book import BookStore
from services.reconciler.store.mismatches import MismatchStore
from services.reconciler.store.runs import DayStore, forget_finished
from shared.apply import Applier, Decide, Store
from shared.database import migrate, new_engine
from shared.envelope import now_utc
from shared.errors import NotFound, Unavailable
from shared.kafka import PAYMENTS_EVENTS
from shared.messages.facts import ChargeFact, ChargeState
from shared.messages.reconciler import RunReconciliation
from shared.providers.base import Adapter
from shared.settings import DatabaseSettings
from shared.tasks import Answered, ClaimedTask
from tests.servers import DatabaseUrls

DAY = date(2026, 1, 31)
S = TypeVar("S")
STATES: tuple[ChargeState, ...] = ("pending", "failed", "authorized", "lapsed", "captured")
ACCOUNT = "acc_1"


@dataclass
class Provider:
    """A provider's ledger, with the two calls a run makes; listed newest first, as Razorpay does."""

    payments: dict[str, ChargeFact] = field(default_factory=dict)
    name: str = "razorpay"
    account: str = ACCOUNT
    failures: int = 0
    asked: int = 0
    slow_above_s: float = float("inf")

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("provider-unavailable", "away")
        if (until - since).total_seconds() > self.slow_above_s:
            await asyncio.Event().wait()
        found = [f for f in self.payments.values() if f.at and since <= f.at < until]
        for fact in sorted(found, key=lambda f: (f.at, f.charge_id), reverse=True):
            yield fact

    async def read_charge(self, charge_id: str) -> ChargeFact:
        self.asked += 1
        if charge_id not in self.payments:
            raise NotFound("not-found", "The id provided does not exist")
        return self.payments[charge_id]


@dataclass
class Books:
    """Both sides of one day, and what differs."""

    ours: list[Charge]
    provider: Provider
    expected: set[tuple[str, str]]


def drawn(seed: int, size: int) -> Books:
    """A ledger with every kind of difference; some of our charges are filed under a neighbouring day."""
    draw = random.Random(seed)
    books = Books([], Provider(), set())
    for n in range(size):
        at = begins(DAY) + timedelta(seconds=draw.choice([0, 1, 86_399, draw.randrange(86_400)]))
        fact = ChargeFact(
            charge_id=f"pay_{draw.randrange(10**6):06}{n}",
            provider_order_id=f"order_{n}",
            state=draw.choice(STATES),
            amount=draw.randint(1, 10**6),
            currency=draw.choice(["INR", "USD"]),
            at=at,
        )
        ours = Charge(
            provider="razorpay",
            account=ACCOUNT,
            charge_id=fact.charge_id,
            provider_order_id=fact.provider_order_id,
            state=fact.state,
            amount=fact.amount,
            currency=fact.currency,
            surplus=False,
            at=at + draw.choice([timedelta(0)] * 4 + [timedelta(hours=-30), timedelta(hours=30)]),
        )
        _damage(draw, books, fact, ours)
    return books


def _damage(draw: random.Random, books: Books, fact: ChargeFact, ours: Charge) -> None:
    id_ = fact.charge_id
    money = fact.state in MONEY
    match draw.choice(["none", "none", "missing_local", "missing_provider", "amount", "currency", "status"]):
        case "none":
            books.ours.append(ours)
            books.provider.payments[id_] = fact
        case "missing_local":
            books.provider.payments[id_] = fact
            books.expected |= {("missing_local", id_)} if money else set()
        case "missing_provider":
            books.ours.append(ours)
            looked_at = begins(DAY) <= ours.at < ends(DAY)
            books.expected |= {("missing_provider", id_)} if money and looked_at else set()
        case "amount":
            books.ours.append(replace(ours, amount=ours.amount + 1))
            books.provider.payments[id_] = fact
            books.expected |= {("amount", id_)} if money else set()
        case "currency":
            books.ours.append(replace(ours, currency="EUR"))
            books.provider.payments[id_] = fact
            books.expected |= {("currency", id_)} if money else set()
        case _:
            other = draw.choice([s for s in STATES if s != fact.state])
            books.ours.append(replace(ours, state=other))
            books.provider.payments[id_] = fact
            books.expected |= {("status", id_)} if money or other in MONEY else set()


class Bench:
    """The reconciler's stores, deciders and performer on one database; no Kafka."""

    def __init__(self, urls: DatabaseUrls, provider: Provider, turn_s: float) -> None:
        self.engine = new_engine(DatabaseSettings(url=urls.app("reconciler")), "reconciler")
        accounts = {"razorpay": ACCOUNT}
        self.days = self._applier("days", DayStore(accounts), handlers.decide_day)
        mismatches = self._applier("mismatches", MismatchStore(), handlers.decide_mismatch)
        adapters: Mapping[str, Adapter] = {"razorpay": provider}  # type: ignore[dict-item]
        self.performer = ProviderDays(
            self.engine, adapters, mismatches, turn_s=turn_s, retry_s=0.0, checkpoint_s=0.0
        )

    def _applier(self, consumer: str, store: Store[S], decide: Decide[S]) -> Applier[S]:
        return Applier(
            consumer=consumer,
            source="reconciler",
            engine=self.engine,
            store=store,
            decide=decide,
            clock=now_utc,
            committed=lambda: None,
            reply=lambda _: None,
        )

    async def fill(self, charges: Sequence[Charge]) -> None:
        """Our book, complete up to the end of the day."""
        store = BookStore()
        orders: dict[str, OrderBook | Checkpoint] = {
            f"o-{c.charge_id}": OrderBook(f"o-{c.charge_id}", 1, (c,)) for c in charges
        }
        marks: dict[str, OrderBook | Checkpoint] = {
            f"checkpoint/{n}": Checkpoint(n, ends(DAY)) for n in range(PAYMENTS_EVENTS.partitions)
        }
        async with self.engine.begin() as connection:
            for state in (orders, marks):
                before = await store.load(connection, sorted(state))
                await store.save(connection, before, state)

    async def run(self, turns_max: int = 200) -> DayCompared:
        """One whole run, each turn by a performer that knows nothing of the one before."""
        command = RunReconciliation(provider="razorpay", day=DAY)
        key = key_of("razorpay", ACCOUNT, DAY)
        await self.days.apply_result(incoming(command, key))
        for turn in range(1, turns_max):
            result = await self.performer(ClaimedTask(turn, TASK, f"{TASK}:{key}", key, b"{}", turn))
            if isinstance(result, Answered):
                await self.days.apply_result(incoming(result.message, key))
                assert isinstance(result.message, DayCompared)
                return result.message
        raise AssertionError(f"not through after {turns_max} turns")

    async def rows_deleted(self, table: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(f"DELETE FROM {table}"))

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(statement))]


@pytest.fixture
async def migrated(own_urls: DatabaseUrls) -> DatabaseUrls:
    await migrate(own_urls.owner("reconciler"), "reconciler", MIGRATIONS)
    return own_urls


@pytest.fixture
async def new_bench(migrated: DatabaseUrls) -> AsyncIterator[object]:
    benches: list[Bench] = []

    def make(provider: Provider, turn_s: float = 30.0) -> Bench:
        benches.append(Bench(migrated, provider, turn_s))
        return benches[-1]

    yield make
    for bench in benches:
        await bench.engine.dispose()


NewBench = Callable[..., Bench]


@pytest.mark.parametrize("seed", range(6))
async def test_the_mismatches_are_exactly_the_differences(new_bench: NewBench, seed: int) -> None:
    books = drawn(seed, 400)
    bench = new_bench(books.provider)
    await bench.fill(books.ours)
    done = await bench.run()
    found = await bench.rows("SELECT kind, subject FROM mismatches WHERE open")
    assert set(found) == books.expected
    assert done.mismatches == len(found) == len(books.expected)

    events = await bench.rows("SELECT count(*) FROM outbox WHERE topic = 'reconciler.events'")
    assert events == [(len(books.expected) + 1,)]
    await bench.run()
    events = await bench.rows("SELECT count(*) FROM outbox WHERE topic = 'reconciler.events'")
    assert events == [(len(books.expected) + 2,)], "the second run announces its end alone"


async def test_a_run_cut_into_many_turns_ends_the_same(
    new_bench: NewBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.reconciler.provider_day.PAIRS_MAX", 7)
    monkeypatch.setattr("services.reconciler.provider_day.ASKED_MAX", 3)
    monkeypatch.setattr("services.reconciler.provider_day.KEEP_MAX", 5)
    books = drawn(99, 300)
    books.provider.failures = 3
    books.provider.slow_above_s = 7200
    bench = new_bench(books.provider, turn_s=0.05)
    await bench.fill(books.ours)
    done = await bench.run(2000)
    assert set(await bench.rows("SELECT kind, subject FROM mismatches WHERE open")) == books.expected
    assert done.mismatches == len(books.expected)


async def test_what_agrees_again_is_resolved_and_what_comes_back_is_the_next_occurrence(
    new_bench: NewBench,
) -> None:
    books = drawn(5, 60)
    bench = new_bench(books.provider)
    await bench.fill(books.ours)
    await bench.run()
    first = set(await bench.rows("SELECT mismatch_id FROM mismatches WHERE open"))
    kept, books.provider.payments = books.provider.payments, {}
    await bench.rows_deleted("charges")
    await bench.run()
    assert await bench.rows("SELECT 1 FROM mismatches WHERE open") == []
    assert set(await bench.rows("SELECT mismatch_id FROM mismatches")) == first

    books.provider.payments = kept
    await bench.rows_deleted("orders")
    await bench.fill(books.ours)
    await bench.run()
    again = await bench.rows("SELECT mismatch_id, occurrence FROM mismatches WHERE open")
    assert {(id_,) for id_, _ in again} == first
    assert {occurrence for _, occurrence in again} == {2}


async def test_only_what_seems_to_differ_is_asked_for_by_id(new_bench: NewBench) -> None:
    books = drawn(7, 200)
    agreeing = [c for c in books.ours if c.charge_id in books.provider.payments]
    agreeing = [c for c in agreeing if c.charge_id not in {subject for _, subject in books.expected}]
    bench = new_bench(books.provider)
    await bench.fill(agreeing)
    await bench.run()
    assert books.provider.asked == 0


async def test_a_finished_run_leaves_nothing_behind(new_bench: NewBench) -> None:
    books = drawn(8, 50)
    bench = new_bench(books.provider)
    await bench.fill(books.ours)
    await bench.run()
    assert await bench.rows("SELECT 1 FROM run_charges LIMIT 1")
    async with bench.engine.begin() as connection:
        await forget_finished(connection)
    assert await bench.rows("SELECT 1 FROM run_charges LIMIT 1") == []
