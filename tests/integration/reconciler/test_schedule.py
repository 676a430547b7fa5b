"""Which days are asked for again; what a slow provider, a busy database and a silent broker do to a run."""

import asyncio
import time
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.reconciler import rebuild
from services.reconciler.api import ReconciliationApi
from services.reconciler.app import MIGRATIONS
from services.reconciler.comparing import incoming
from services.reconciler.daily import Daily
from services.reconciler.domain.book import Charge, OrderBook
from services.reconciler.domain.items import Theirs
from services.reconciler.domain.runs import TASK, begins, ends, key_of
from shared.database import migrate
from shared.envelope import now_utc
from shared.errors import Unavailable
from shared.messages.reconciler import RunReconciliation
from shared.publish import Publisher
from shared.settings import KafkaSettings
from shared.tasks import Answered, ClaimedTask
from tests.integration.reconciler.bench import ACCOUNT, NAME, Bench, Memory
from tests.servers import DatabaseUrls

NOWHERE = KafkaSettings(bootstrap_servers="127.0.0.1:9")


@pytest.fixture
async def bench(own_urls: DatabaseUrls) -> AsyncIterator[Bench]:
    await migrate(own_urls.owner("reconciler"), "reconciler", MIGRATIONS)
    bench = Bench(own_urls, Memory())
    yield bench
    await bench.engine.dispose()


def daily(engine: AsyncEngine) -> Daily:
    return Daily(engine, Publisher(NOWHERE), {}, tick_s=3600.0, settle_s=3600.0, days_back=7)


def phantom(n: int, at: datetime) -> OrderBook:
    """An order whose charge the provider does not know: it is asked for it before that is believed."""
    charge = Charge(NAME, ACCOUNT, f"pay_{n:02}", f"order_{n}", "captured", 500, "INR", surplus=False, at=at)
    return OrderBook(f"o-{n}", 1, 500, "INR", paid=True, charges=(charge,))


def stranger(id_: str, at: datetime) -> Theirs:
    """A payment at the provider that no order of ours belongs to."""
    return Theirs("charge", id_, id_, "order_X", "captured", 50_000, "INR", at)


async def test_a_day_is_run_again_each_day_for_a_month_while_something_about_it_is_open(bench: Bench) -> None:
    """What waits for a late payout is about a day longer ago than those that are run anyway."""
    now = now_utc() + timedelta(days=1)
    last = now.date() - timedelta(days=1)
    known, forgotten = last - timedelta(days=20), last - timedelta(days=40)
    for day in (known, forgotten):
        charge = stranger(f"pay_{day}", begins(day) + timedelta(hours=3))
        bench.memory.records[charge.key] = charge
        await bench.fill([], now)
        await bench.run(begins(day), ends(day))
    assert len(await bench.rows("SELECT 1 FROM mismatches WHERE open")) == 2

    async def due() -> list[tuple[object, int]]:
        async with bench.engine.connect() as connection:
            return [*await daily(bench.engine).due(connection, NAME, ACCOUNT, ends(last), now)]

    assert await due() == [(last, 0)], "what was before our first charge is not ours"
    await bench.fill([phantom(1, begins(forgotten))], now)
    week = [(last - timedelta(days=n), 0) for n in reversed(range(7))]
    assert await due() == [(known, 1), *week]
    bench.memory.records.clear()
    await bench.run(begins(known), ends(known))
    assert await due() == week


async def test_many_differences_at_a_slow_provider_are_asked_for_in_several_turns(bench: Bench) -> None:
    """Its lease would run out on a turn that asks for all of them, and on each after it."""
    day = now_utc().date() - timedelta(days=2)
    phantoms = [phantom(n, begins(day)) for n in range(30)]
    await bench.fill(phantoms, now_utc())
    bench.memory.answers_in_s = 0.05
    bench.performer = replace(bench.performer, turn_s=0.1)
    key = key_of(NAME, ACCOUNT, begins(day), ends(day))
    task = ClaimedTask(1, TASK, f"{TASK}:{key}", key, b"{}", 1)
    asked: list[int] = []

    command = RunReconciliation(provider=NAME, day=day, since=begins(day), until=ends(day))
    await bench.windows.apply_result(incoming(command, key))
    while not isinstance(await bench.performer(task), Answered):
        asked.append(bench.memory.asked)
    steps = [later - before for before, later in pairwise([0, *asked])]
    assert max(steps) < len(phantoms) / 2
    assert bench.memory.asked == len(phantoms), "nothing is asked for twice"
    rows = await bench.rows("SELECT kind, count(*) FROM mismatches WHERE open GROUP BY kind")
    assert rows == [("missing_provider", len(phantoms))]


@pytest.mark.usefixtures("bench")
async def test_a_pool_without_a_free_connection_is_a_database_that_is_away(own_urls: DatabaseUrls) -> None:
    """It neither ends the service nor is an answer without words."""
    engine = create_async_engine(own_urls.app("reconciler"), pool_size=1, max_overflow=0, pool_timeout=0.1)
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("it takes no body")

    scope = {"path": "/api/reconciliation/2026-01-31", "method": "GET", "headers": [], "query_string": b""}
    async with engine.connect():
        await ReconciliationApi(engine, ())(scope, receive, send)
        asking = asyncio.create_task(daily(engine).run())
        done, _ = await asyncio.wait({asking}, timeout=0.5)
    asking.cancel()
    await asyncio.wait({asking})
    await engine.dispose()
    assert sent[0]["status"] == 503
    assert b"the database does not answer" in sent[1]["body"]
    assert done == set(), "it looks again later"


def test_a_rebuild_gives_the_book_free_when_the_broker_falls_silent() -> None:
    now = time.monotonic()
    assert rebuild.still_heard(now - 29, heard=False) == now - 29
    assert rebuild.still_heard(now - 31, heard=True) >= now
    with pytest.raises(Unavailable, match="kafka-silent"):
        rebuild.still_heard(now - 31, heard=False)
