"""What happens when a batch fails, rung by rung, with the real database under it."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from shared.consume import BATCH_MAX, PARKED_IN_A_ROW_MAX
from shared.decision import Decision
from shared.errors import NotFound, Rejected, Unavailable
from shared.inbox import Incoming
from shared.service import Kit
from tests.integration.kit.example.domain import Account, decide
from tests.integration.kit.example.messages import Break, Deposit
from tests.integration.kit.parts import deciding, loop_of, parts, records
from tests.integration.kit.system import System, command, eventually


@pytest.fixture
async def kit(system: System) -> AsyncIterator[Kit]:
    async with parts(system) as made:
        yield made


def deposits(count: int, account: str = "a") -> list[tuple[str, bytes]]:
    return [command(Deposit(account=account, amount=1), account) for _ in range(count)]


def breaking(count: int, account: str = "a") -> list[tuple[str, bytes]]:
    return [command(Break(account=account, how="raise"), account) for _ in range(count)]


async def test_an_outage_that_a_decider_meets_parks_nothing(kit: Kit, system: System) -> None:
    tries: Counter[str] = Counter()

    def twice_away(account: Account, message: Incoming, now: datetime) -> Decision[Account]:
        tries[message.id] += 1
        if tries.total() <= 2:
            raise Unavailable("elsewhere-away")
        return decide(account, message, now)

    assert await deciding(loop_of(kit), twice_away).handle(records(deposits(5)))
    assert await system.value("SELECT deposited FROM accounts") == 5
    assert await system.value("SELECT count(*) FROM inbox WHERE outcome = 'parked'") == 0


async def test_twenty_refusals_in_a_row_stop_the_loop_and_lose_nothing(kit: Kit, system: System) -> None:
    loop = loop_of(kit)
    bad = records([*deposits(1), *breaking(40)])
    for start in range(0, 18, 6):  # small batches: the count goes on from one to the next
        assert await loop.handle(bad[start : start + 6])
    stopped = asyncio.create_task(loop.handle(bad[18:]))

    async def says_so() -> bool:
        assert not stopped.done(), "it went on"
        return "stopped" in loop.health.problems.get(loop.name, "")

    await eventually(says_so, timeout_s=20, what="the loop has stopped")
    parked = await system.value("SELECT count(*) FROM inbox WHERE outcome = 'parked'")
    assert parked == PARKED_IN_A_ROW_MAX - 1
    assert not stopped.done()
    loop.stop()
    assert await stopped is False  # nothing is committed: whoever comes next reads them again


async def test_one_good_message_between_bad_ones_keeps_the_loop_going(kit: Kit, system: System) -> None:
    loop = loop_of(kit)
    mixed = [*breaking(15), *deposits(1), *breaking(15), *deposits(1)]
    assert await loop.handle(records(mixed))
    assert await system.value("SELECT count(*) FROM inbox WHERE outcome = 'parked'") == 30
    assert await system.value("SELECT deposited FROM accounts") == 2


async def test_what_a_rule_refuses_is_parked_and_stops_nothing_however_often(
    kit: Kit, system: System
) -> None:
    """A shop's wrong orders must not keep everyone else's from being held."""

    def says_no(account: Account, message: Incoming, now: datetime) -> Decision[Account]:
        if isinstance(message.message, Break):
            raise Rejected("a-rule", "not so")
        return decide(account, message, now)

    loop = deciding(loop_of(kit), says_no)
    assert await loop.handle(records([*breaking(PARKED_IN_A_ROW_MAX + 5), *deposits(1)]))
    assert await system.value("SELECT count(*) FROM inbox WHERE outcome = 'parked'") == 25
    assert await system.value("SELECT deposited FROM accounts") == 1


async def test_a_changed_table_under_cached_plans_parks_nothing(kit: Kit, system: System) -> None:
    loop = loop_of(kit)
    for start in range(0, 30, 10):  # until plans are cached
        assert await loop.handle(records(deposits(10), start=start))
    await system.sql("ALTER TABLE accounts ALTER deposited TYPE integer")
    assert await loop.handle(records(deposits(10), start=30))
    assert await system.value("SELECT deposited FROM accounts") == 40
    assert await system.value("SELECT count(*) FROM inbox WHERE outcome = 'parked'") == 0


async def test_without_its_database_the_loop_waits_says_so_and_stops_when_asked(system: System) -> None:
    async with parts(system) as kit:
        loop = loop_of(kit)
        await system.sql("REVOKE ALL ON inbox FROM example_app")  # 42501: a broken deployment
        working = asyncio.create_task(loop.handle(records(deposits(3))))

        async def says_so() -> bool:
            return "waiting for its database" in loop.health.problems.get(loop.name, "")

        await eventually(says_so, timeout_s=20, what="not ready")
        assert not working.done()
        asked = time.monotonic()
        loop.stop()
        assert await working is False
        assert time.monotonic() - asked < 1
        await system.sql("GRANT ALL ON inbox TO example_app")
        assert await system.value("SELECT count(*) FROM inbox") == 0


async def test_slow_deciders_make_smaller_batches(kit: Kit, system: System) -> None:
    def slow(account: Account, message: Incoming, now: datetime) -> Decision[Account]:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        return decide(account, message, now)

    loop = deciding(loop_of(kit), slow)
    assert await loop.handle(records(deposits(BATCH_MAX)))
    assert loop._limit < BATCH_MAX / 4
    assert await loop.handle(records(deposits(BATCH_MAX), start=BATCH_MAX))
    assert await system.value("SELECT deposited FROM accounts") == 2 * BATCH_MAX


async def test_two_clicks_on_replay_act_once(kit: Kit, system: System) -> None:
    broken = deciding(loop_of(kit), _refuse)
    message = command(Deposit(account="a", amount=5), "a", id="late")
    assert await broken.handle(records([*deposits(1, "b"), message]))
    assert await system.value("SELECT error LIKE 'ValueError: not yet%' FROM inbox WHERE message_id = 'late'")

    mended = loop_of(kit)
    clicks = await asyncio.gather(
        *(mended.replay("late", person) for person in ("anna", "ben")), return_exceptions=True
    )
    assert [type(click) for click in clicks if isinstance(click, BaseException)] == [NotFound]
    assert await system.value("SELECT deposited FROM accounts WHERE account = 'a'") == 5
    row = (await system.sql("SELECT * FROM inbox WHERE message_id = 'late'"))[0]
    assert (row["outcome"], row["replayed_by"] in ("anna", "ben")) == ("applied", True)
    assert await mended.handle(records([message]))  # Kafka brings it once more
    assert await system.value("SELECT deposited FROM accounts WHERE account = 'a'") == 5


async def test_a_replay_that_fails_again_leaves_it_parked(kit: Kit, system: System) -> None:
    broken = deciding(loop_of(kit), _refuse)
    message = command(Deposit(account="a", amount=5), "a", id="late")
    assert await broken.handle(records([message]))
    with pytest.raises(ValueError, match="not yet"):
        await broken.replay("late", "anna")
    row = (await system.sql("SELECT outcome, replayed_by FROM inbox WHERE message_id = 'late'"))[0]
    assert tuple(row) == ("parked", None)


def _refuse(account: Account, message: Incoming, now: datetime) -> Decision[Account]:
    if account.id == "a":
        raise ValueError("not yet")
    return decide(account, message, now)


async def test_a_dirty_end_of_an_earlier_process_makes_the_first_batch_run_alone(
    kit: Kit, system: System
) -> None:
    await system.sql(
        "INSERT INTO starts VALUES ('example.example.commands', 'example.commands', 0, -1, 1)",
    )
    seen: list[Any] = []

    def spying(account: Account, message: Incoming, now: datetime) -> Decision[Account]:
        seen.append(message.id)
        return decide(account, message, now)

    loop = deciding(loop_of(kit), spying)
    proven = [replace(record, partition=1) for record in records(deposits(4))]
    assert await loop.handle(proven[:2])
    seen.clear()
    assert await loop.handle([*records(deposits(10)), *proven[2:]])
    assert len(seen) == 12
    assert await system.value("SELECT count(DISTINCT received_at) FROM inbox") == 1 + 12  # each alone
    assert await system.value("SELECT count(*) FROM starts") == 0  # also of those that were above suspicion
