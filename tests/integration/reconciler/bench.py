"""The reconciler's stores, deciders and performers on one database with a provider in memory; no Kafka."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy import text

from services.reconciler import handlers
from services.reconciler.comparing import Comparer, incoming
from services.reconciler.domain.book import Charge, Checkpoint, Dispute, OrderBook, ProviderOrder, Refund
from services.reconciler.domain.facts import WindowCompared
from services.reconciler.domain.items import Line, Ours, Theirs
from services.reconciler.domain.mismatches import RECHECK
from services.reconciler.domain.runs import TASK, key_of
from services.reconciler.domain.steps import Plan
from services.reconciler.providers import Provider
from services.reconciler.recheck import Rechecks
from services.reconciler.store.book import BookStore
from services.reconciler.store.commands import CommandStore
from services.reconciler.store.mismatches import MismatchStore
from services.reconciler.store.runs import WindowStore
from services.reconciler.windows import Windows
from shared.apply import Applier, Decide, Store
from shared.database import new_engine
from shared.decision import Answer
from shared.envelope import now_utc
from shared.errors import NotFound, Unavailable
from shared.kafka import PAYMENTS_EVENTS
from shared.messages.base import Message
from shared.messages.facts import ChargeFact, DisputeFact, RefundFact, Seen, SettlementLine
from shared.messages.reconciler import RunReconciliation
from shared.providers.base import Adapter
from shared.settings import DatabaseSettings
from shared.tasks import Answered, ClaimedTask
from tests.servers import DatabaseUrls
from tests.unit.reconciler.ledgers import DUE_S, Ledger

S = TypeVar("S")
ACCOUNT = "acc_1"
NAME = "razorpay"


@dataclass
class Memory:
    """A provider's ledger with the calls that a run makes. Lists come shuffled, and repeat some objects."""

    records: dict[tuple[str, str], Theirs] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    name: str = NAME
    account: str = ACCOUNT
    failures: int = 0
    asked: int = 0
    answers_in_s: float = 0.0  # each question about one thing
    slow_above_s: float = float("inf")
    draw: random.Random = field(default_factory=lambda: random.Random(1))

    async def _some(self, object_: str, since: datetime, until: datetime) -> AsyncIterator[Theirs]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("provider-unavailable", "away")
        if (until - since).total_seconds() > self.slow_above_s:
            await asyncio.Event().wait()
        found = [r for r in self.records.values() if r.object == object_ and r.at and since <= r.at < until]
        found += found[:2]
        self.draw.shuffle(found)
        for record in found:
            yield record

    async def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        async for record in self._some("charge", since, until):
            yield charge_fact(record)

    async def list_refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        async for record in self._some("refund", since, until):
            yield refund_fact(record)

    async def list_disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        async for record in self._some("dispute", since, until):
            yield dispute_fact(record)

    async def list_settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        for line in [x for x in self.lines if since <= x.at < until]:
            yield settlement_line(line)

    async def read_charge(self, charge_id: str) -> ChargeFact:
        self.asked += 1
        await asyncio.sleep(self.answers_in_s)
        if ("charge", charge_id) not in self.records:
            raise NotFound("not-found", "The id provided does not exist")
        return charge_fact(self.records["charge", charge_id])

    async def read_dispute(self, dispute_id: str) -> DisputeFact:
        self.asked += 1
        if ("dispute", dispute_id) not in self.records:
            raise NotFound("not-found", "The id provided does not exist")
        return dispute_fact(self.records["dispute", dispute_id])

    async def read(self, provider_order_id: str) -> Seen:
        """An order does not show its disputes."""
        self.asked += 1
        mine = [r for r in self.records.values() if r.provider_order_id == provider_order_id]
        return Seen(
            charges=tuple(charge_fact(r) for r in mine if r.object == "charge"),
            refunds=tuple(refund_fact(r) for r in mine if r.object == "refund"),
        )


def charge_fact(r: Theirs) -> ChargeFact:
    return ChargeFact(
        charge_id=r.id, provider_order_id=r.provider_order_id, state=r.state, amount=r.amount,  # type: ignore[arg-type] # a state of charges
        currency=r.currency, at=r.at, fee=r.fee,
    )  # fmt: skip


def refund_fact(r: Theirs) -> RefundFact:
    return RefundFact(
        refund_id=r.id, charge_id=r.charge_id, state=r.state, amount=r.amount, currency=r.currency, at=r.at,  # type: ignore[arg-type] # a state of refunds
    )  # fmt: skip


def dispute_fact(r: Theirs) -> DisputeFact:
    return DisputeFact(
        dispute_id=r.id, charge_id=r.charge_id, kind="chargeback", state=r.state, money=r.money,  # type: ignore[arg-type] # as disputes have
        amount=r.amount, currency=r.currency, at=r.at,
    )  # fmt: skip


def settlement_line(x: Line) -> SettlementLine:
    kinds = {"charge": "payment", "refund": "refund", "dispute": "dispute"}
    return SettlementLine(
        line_id=x.line_id, kind=kinds[x.object], amount=x.amount, fee=x.fee, net=x.net, currency=x.currency,  # type: ignore[arg-type] # one of these three
        at=x.at, charge_id=x.charge_id, refund_id=x.id if x.object == "refund" else "",
        dispute_id=x.id if x.object == "dispute" else "", settlement_id=x.settlement_id, rate=x.rate,
    )  # fmt: skip


def books_of(ledger: Ledger) -> list[OrderBook]:
    """Our orders, as the projection would hold them."""
    orders: dict[str, list[Ours]] = {}
    late = {t.order_id: t for t in ledger.theirs.values() if t.closed and t.order_id}
    named = {o.order_id: o.provider_order_id for o in ledger.ours.values()}
    named |= {t.order_id: t.provider_order_id for t in ledger.theirs.values() if t.order_id}
    for ours in ledger.ours.values():
        orders.setdefault(ours.order_id, []).append(ours)
    return [_book(id_, orders.get(id_, []), ref, closed=id_ in late) for id_, ref in named.items()]


def _book(order_id: str, records: Sequence[Ours], provider_order_id: str, *, closed: bool) -> OrderBook:
    charges = [r for r in records if r.object == "charge"]
    first = charges[0] if charges else None
    return OrderBook(
        order_id,
        version=1,
        amount=first.amount if first else 0,
        currency=first.currency if first else "",
        paid=first.paid if first else False,
        closed=closed or any(c.closed for c in charges),
        charges=tuple(_charge(c) for c in charges),
        refunds=tuple(_refund(r) for r in records if r.object == "refund"),
        disputes=tuple(_dispute(d) for d in records if d.object == "dispute"),
        opened=frozenset({ProviderOrder(NAME, ACCOUNT, provider_order_id)}),
    )


def _charge(c: Ours) -> Charge:
    return Charge(
        NAME, ACCOUNT, c.id, c.provider_order_id, c.state, c.amount, c.currency, c.surplus, c.at, c.returned  # type: ignore[arg-type] # a state of charges
    )  # fmt: skip


def _refund(r: Ours) -> Refund:
    return Refund(
        NAME, ACCOUNT, f"rf-{r.id}", r.id, r.charge_id, r.provider_order_id, r.state, r.amount, r.currency,
        r.at,
    )  # fmt: skip


def _dispute(d: Ours) -> Dispute:
    return Dispute(
        NAME, ACCOUNT, d.id, d.charge_id, d.provider_order_id, d.state, d.money, d.amount, d.currency, d.at
    )  # fmt: skip


class Bench:
    """One reconciler without its processes."""

    def __init__(
        self, urls: DatabaseUrls, of: Memory | Adapter, turn_s: float = 30.0, *, due_s: float = DUE_S,
        settles: bool = True, clock: Callable[[], datetime] = now_utc,
    ) -> None:  # fmt: skip
        self._clock = clock
        self.engine = new_engine(DatabaseSettings(url=urls.app("reconciler")), "reconciler")
        self.name, self.account = of.name, of.account
        adapter: Adapter = of  # type: ignore[assignment] # as much of one as a run calls
        self._memory = of if isinstance(of, Memory) else None
        accounts = {self.name: self.account}
        self.windows = self._applier("windows", WindowStore(accounts), handlers.decide_window)
        self.mismatches = self._applier("mismatches", MismatchStore(), handlers.decide_mismatch)
        self.commands = self._applier("commands", CommandStore(accounts), handlers.decide_command)
        plan = Plan(settles=settles, due_s=due_s, overlap_s=3600.0)
        providers: Mapping[str, Provider] = {
            self.name: Provider(adapter, plan, lag_s=0.0, zone="Asia/Kolkata", patience_s=3600.0)
        }
        self.comparer = Comparer(self.engine)
        self.performer = Windows(
            self.engine, providers, self.comparer, self.mismatches, turn_s=turn_s, retry_s=0.0,
            checkpoint_s=0.0,
        )  # fmt: skip
        self.rechecks = Rechecks(self.engine, providers, self.comparer, self.mismatches, time_scale=1e9)

    @property
    def memory(self) -> Memory:
        """The provider, when it is one of ours."""
        assert self._memory is not None
        return self._memory

    def _applier(self, consumer: str, store: Store[S], decide: Decide[S]) -> Applier[S]:
        return Applier(
            consumer=consumer,
            source="reconciler",
            engine=self.engine,
            store=store,
            decide=decide,
            clock=self._clock,
            committed=lambda: None,
            reply=lambda _: None,
        )

    async def fill(self, orders: Iterable[OrderBook], until: datetime) -> None:
        """Our book, complete up to then."""
        store = BookStore()
        states: dict[str, OrderBook | Checkpoint] = {o.order_id: o for o in orders}
        marks: dict[str, OrderBook | Checkpoint] = {
            f"checkpoint/{n}": Checkpoint(n, until) for n in range(PAYMENTS_EVENTS.partitions)
        }
        async with self.engine.begin() as connection:
            for state in filter(None, (states, marks)):
                before = await store.load(connection, sorted(state))
                await store.save(connection, before, state)

    async def run(self, since: datetime, until: datetime, turns_max: int = 200) -> WindowCompared:
        """One whole run, each turn by a performer that knows nothing of the one before."""
        command = RunReconciliation(provider=self.name, day=since.date(), since=since, until=until)
        key = key_of(self.name, self.account, since, until)
        await self.windows.apply_result(incoming(command, key))
        for turn in range(1, turns_max):
            result = await self.performer(ClaimedTask(turn, TASK, f"{TASK}:{key}", key, b"{}", turn))
            if isinstance(result, Answered):
                await self.windows.apply_result(incoming(result.message, key))
                assert isinstance(result.message, WindowCompared)
                return result.message
        raise AssertionError(f"not through after {turns_max} turns")

    async def recheck(self, mismatch_id: str) -> None:
        """What its task does the second time it is claimed."""
        task = ClaimedTask(1, RECHECK, f"{RECHECK}:{mismatch_id}", mismatch_id, b"{}", claims=2)
        await self.rechecks(task)

    async def say(self, command: Message, subject: str) -> list[Answer]:
        """A command of a person; what it is answered."""
        async with self.engine.begin() as connection:
            return await self.commands.within(connection, [incoming(command, subject)])

    async def change(self, statement: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement))

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(statement))]


def at_the_edges(draw: random.Random, ledger: Ledger) -> None:
    """Some of our records are filed a moment before or after the provider's."""
    for key, ours in list(ledger.ours.items()):
        if key in ledger.theirs and draw.random() < 0.2:
            ledger.ours[key] = replace(ours, at=ours.at + timedelta(hours=draw.choice((-30, 30))))
