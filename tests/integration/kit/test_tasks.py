"""Tasks: leased by the database's clock, looked up after the first claim, every result a fact."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from shared import task_rows
from shared.decision import Task
from shared.messages.base import Message
from shared.service import Kit
from shared.tasks import Answered, ClaimedTask, Later, Performer, Tasks
from tests.integration.kit.example.messages import BankAnswered, Deposit, PayOut
from tests.integration.kit.parts import apply, loop_of, parts
from tests.integration.kit.system import System, command, eventually

Apply = Callable[[ClaimedTask, Message], Awaitable[None]]
DONE = Answered(BankAnswered(account="a", operation="pay", found=False))


@pytest.fixture
async def kit(system: System) -> AsyncIterator[Kit]:
    async with parts(system) as made:
        yield made


async def add(kit: Kit, *tasks: Task) -> None:
    async with kit.engine.begin() as connection:
        await task_rows.add(connection, tasks)


def closing(kit: Kit) -> Apply:
    async def close(task: ClaimedTask, _message: Message) -> None:
        async with kit.engine.begin() as connection:
            await task_rows.close(connection, [task.id])

    return close


def runner(
    kit: Kit,
    perform: Performer,
    *,
    slots: int = 1,
    lease_s: float = 30,
    owner: str = "w",
    apply: Apply | None = None,
) -> Tasks:
    kinds = ("work", "other")
    return Tasks(
        kit.engine,
        owner,
        dict.fromkeys(kinds, perform),
        apply or closing(kit),
        dict.fromkeys(kinds, slots),
        lease_s,
    )


async def run_until(tasks: Tasks, done: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    running = asyncio.create_task(tasks.run())
    try:
        await eventually(done, timeout_s=timeout_s, what="the tasks are done")
    finally:
        await tasks.finish()
        await running


async def none_open(system: System) -> bool:
    return bool(await system.value("SELECT count(*) = 0 FROM tasks WHERE closed_at IS NULL"))


async def test_the_urgent_goes_first_and_a_full_kind_does_not_hide_the_others(kit: Kit) -> None:
    order: list[str] = []

    async def perform(task: ClaimedTask) -> Answered | Later:
        order.append(task.key)
        return DONE

    await add(kit, *(Task("work", f"scheduled-{n}", "s", priority=80) for n in range(5)))
    await add(kit, Task("work", "capture", "s", priority=10), Task("work", "buyer-waits", "s", priority=30))
    await add(
        kit, Task("other", "search", "s", priority=90), Task("work", "later", "s", delay_s=3600, priority=1)
    )

    async def done() -> bool:
        return len(order) == 8

    await run_until(runner(kit, perform), done)
    assert [key for key in order if key != "search"][:3] == ["capture", "buyer-waits", "scheduled-0"]
    assert order.index("search") <= 2  # its kind has a slot of its own


async def test_a_claim_that_was_put_back_unbegun_is_no_try(kit: Kit, system: System) -> None:
    seen: list[tuple[bool, int]] = []

    async def perform(task: ClaimedTask) -> Answered | Later:
        seen.append((task.first, task.claims))
        return Later(0.01, "no slot", unbegun=True) if len(seen) < 4 else DONE

    await add(kit, Task("work", "waits", "s"))
    await run_until(runner(kit, perform), lambda: none_open(system))
    assert seen == [(True, 1)] * 4


async def test_never_more_at_once_than_there_are_slots(kit: Kit, system: System) -> None:
    at_once, most = 0, 0

    async def perform(_task: ClaimedTask) -> Answered | Later:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return DONE

    await add(kit, *(Task("work", f"t{n}", "s") for n in range(20)))
    await run_until(runner(kit, perform, slots=3), lambda: none_open(system))
    assert most == 3


async def test_two_workers_never_hold_one_task_and_the_second_claim_looks_up(
    kit: Kit, system: System
) -> None:
    first, second = runner(kit, _never, owner="w1"), runner(kit, _never, owner="w2")
    await add(kit, Task("work", "t", "s"))
    claimed = (await first._claim())[0]
    assert claimed.first
    assert await second._claim() == []
    await system.sql("UPDATE tasks SET lease_until = now() - interval '1 second'")
    taken_over = (await second._claim())[0]
    assert not taken_over.first  # whoever comes second must look up before it acts
    await first._postpone(claimed, Later(0, "the zombie speaks"))
    assert await first._claim() == []  # … and cannot free what another holds
    await first._told(claimed, DONE)  # but its result is a fact
    assert await none_open(system)


async def _never(_task: ClaimedTask) -> Answered | Later:
    raise AssertionError("not performed in this test")


async def test_a_process_that_was_frozen_past_its_lease_does_not_call(kit: Kit) -> None:
    called: list[str] = []

    async def perform(task: ClaimedTask) -> Answered | Later:
        called.append(task.key)
        return DONE

    tasks = runner(kit, perform, lease_s=6)
    await add(kit, Task("work", "t", "s"))
    claimed = (await tasks._claim())[0]
    tasks._busy[claimed.kind] += 1
    await tasks._perform(claimed, asked_at=time.monotonic() - 6)
    assert called == []


async def test_a_call_ends_before_its_lease_does(kit: Kit, system: System) -> None:
    async def hang(_task: ClaimedTask) -> Answered | Later:
        await asyncio.sleep(60)
        return DONE

    tasks = runner(kit, hang, lease_s=5.5)
    await add(kit, Task("work", "t", "s"))
    claimed = (await tasks._claim())[0]
    assert await tasks._called(claimed, time.monotonic() + 0.5) is None
    assert await system.value("SELECT lease_until > now() FROM tasks")


async def test_a_result_waits_for_the_database_and_is_not_lost(kit: Kit, system: System) -> None:
    tries = 0

    async def away_twice(task: ClaimedTask, message: Message) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise ConnectionRefusedError("no database")
        await closing(kit)(task, message)

    performed: list[str] = []

    async def perform(task: ClaimedTask) -> Answered | Later:
        performed.append(task.key)
        return DONE

    await add(kit, Task("work", "t", "s"))
    await run_until(runner(kit, perform, apply=away_twice), lambda: none_open(system))
    assert (tries, performed) == (3, ["t"])


async def test_a_bug_in_one_task_stops_no_other_and_it_comes_back(kit: Kit, system: System) -> None:
    tries: list[str] = []

    async def perform(task: ClaimedTask) -> Answered | Later:
        tries.append(task.key)
        if task.key == "buggy" and task.first:
            raise KeyError("forgotten case")
        return DONE

    await add(kit, Task("work", "buggy", "s", priority=1), *(Task("work", f"t{n}", "s") for n in range(5)))
    await run_until(runner(kit, perform), lambda: none_open(system))
    assert tries[0] == "buggy"
    assert tries.count("buggy") == 2


async def test_a_wish_during_the_run_makes_it_run_again(kit: Kit, system: System) -> None:
    looks = 0

    async def look(task: ClaimedTask) -> Answered | Later:
        nonlocal looks
        looks += 1
        if looks == 1:
            await add(kit, Task("work", task.key, "s"))  # somebody wants a look that is newer than this one
        return DONE

    await add(kit, Task("work", "look", "s"))
    await run_until(runner(kit, look), lambda: none_open(system))
    assert looks == 2


async def test_a_second_wish_only_brings_an_open_task_forward(kit: Kit, system: System) -> None:
    await add(kit, Task("work", "t", "s", payload=b"1", delay_s=3600, priority=80))
    await add(kit, Task("work", "t", "s", payload=b"2", priority=30))
    row = (await system.sql("SELECT payload, priority, due_at <= clock_timestamp() AS due FROM tasks"))[0]
    assert tuple(row) == (b"1", 30, True)
    await add(kit, Task("work", "t", "s", delay_s=3600, priority=90))
    row = (await system.sql("SELECT priority, due_at <= clock_timestamp() AS due FROM tasks"))[0]
    assert tuple(row) == (30, True)


async def test_a_task_that_kills_its_process_is_claimed_later_and_later(kit: Kit, system: System) -> None:
    tasks = runner(kit, _never)
    await add(kit, Task("work", "t", "s"))
    for _ in range(4):
        assert len(await tasks._claim()) == 1
        await system.sql("UPDATE tasks SET lease_until = now() - interval '1 second'")
    assert await tasks._claim() == []  # the fourth death in a row costs half a minute more
    await system.sql("UPDATE tasks SET lease_until = now() - interval '31 seconds'")
    assert len(await tasks._claim()) == 1


async def test_a_dropped_task_is_not_run_and_one_that_runs_still_tells(kit: Kit, system: System) -> None:
    accounts = loop_of(kit).applier
    await apply(
        accounts,
        command(Deposit(account="a", amount=10), "a"),
        command(PayOut(account="a", amount=4), "a", id="pay"),
    )
    pay_outs = kit.tasks
    assert pay_outs is not None
    claimed = (await pay_outs._claim())[0]
    async with kit.engine.begin() as connection:
        await task_rows.drop(connection, [claimed.key])
    assert await none_open(system)
    await pay_outs._told(claimed, DONE)
    assert await system.value("SELECT done FROM payouts")


async def test_stopping_cuts_off_what_hangs_and_its_lease_brings_it_back(kit: Kit, system: System) -> None:
    begun = asyncio.Event()

    async def hang(_task: ClaimedTask) -> Answered | Later:
        begun.set()
        await asyncio.sleep(60)
        return DONE

    tasks = runner(kit, hang)
    await add(kit, Task("work", "t", "s"), Task("work", "next", "s"))
    running = asyncio.create_task(tasks.run())
    await asyncio.wait_for(begun.wait(), 10)
    asked = time.monotonic()
    await tasks.finish(timeout_s=0.2)
    with suppress(asyncio.CancelledError):
        await running
    assert time.monotonic() - asked < 2
    claims = await system.sql("SELECT key, claims, lease_until > now() AS leased FROM tasks ORDER BY id")
    assert [tuple(row) for row in claims] == [("next", 1, True), ("t", 0, None)]
