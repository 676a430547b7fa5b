"""Several owners of the same messages and aggregates: no deadlock, no effect twice, nothing overdrawn."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event, text

from shared import inbox, task_rows
from shared.inbox import Incoming
from shared.service import Kit
from shared.tasks import Answered
from tests.integration.kit.example.messages import BankAnswered, Deposit, PayOut
from tests.integration.kit.parts import apply, incoming, loop_of, parts
from tests.integration.kit.system import System, command, eventually

Kits = tuple[Kit, Kit]


@pytest.fixture
async def kits(system: System) -> AsyncIterator[Kits]:
    async with parts(system, "1") as one, parts(system, "2", migrate=False) as two:
        yield one, two


async def test_two_owners_of_the_same_messages_in_opposite_order(kits: Kits, system: System) -> None:
    one, two = (loop_of(kit).applier for kit in kits)
    rounds, size = 10, 40
    for n in range(rounds):
        batch = [command(Deposit(account=f"a{n}-{k % 10}", amount=1), f"a{n}-{k % 10}") for k in range(size)]
        await asyncio.gather(apply(one, *batch), apply(two, *reversed(batch)))
    assert await system.value("SELECT sum(deposited) FROM accounts") == rounds * size
    assert await deadlocks(system) == 0


async def test_two_owners_claim_the_same_ids_in_opposite_order_without_deadlock(
    kits: Kits, system: System
) -> None:
    async def claim(kit: Kit, batch: list[Incoming]) -> int:
        async with kit.engine.begin() as connection:
            fresh, other = await inbox.claim(connection, "example.example.commands", batch)
            assert other == []
            return len(fresh)

    rounds, size = 4, 5000  # large, so that the two statements surely overlap
    for _ in range(rounds):
        batch = [incoming(command(Deposit(account="a", amount=1), "a")) for _ in range(size)]
        claimed = await asyncio.gather(claim(kits[0], batch), claim(kits[1], batch[::-1]))
        assert sorted(claimed) == [0, size]
    print(f"{rounds} rounds of {size} ids by two owners: deadlocks {await deadlocks(system)}, doubled 0")
    assert await deadlocks(system) == 0


async def deadlocks(system: System) -> int:
    return int(
        await system.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    )


async def test_commands_from_both_sides_never_overdraw(kits: Kits, system: System) -> None:
    one, two = (loop_of(kit).applier for kit in kits)
    dice = random.Random(7)
    rounds, size = 4, 30
    for side in (one, two):  # both have a connection: they really work at the same time
        await apply(side, command(Deposit(account="warm", amount=1), "warm"))
    for n in range(rounds):
        accounts = [f"a{n}-{k}" for k in range(size)]
        await apply(one, *(command(Deposit(account=a, amount=100), a) for a in accounts))
        sides = []
        for side in (one, two):  # each 60 % of what is there: one of the two must lose
            shuffled = dice.sample(accounts, size)
            sides.append(apply(side, *(command(PayOut(account=a, amount=60), a) for a in shuffled)))
        await asyncio.gather(*sides)
    overdrawn = await system.value(
        "SELECT count(*) FROM accounts a WHERE deposited <"
        " (SELECT coalesce(sum(amount), 0) FROM payouts p WHERE p.account = a.account)"
    )
    print(f"{rounds * size} accounts, two sides at once: overdrawn {overdrawn}")
    assert overdrawn == 0
    assert await system.value("SELECT count(*) FROM payouts") == rounds * size


async def test_results_and_commands_on_one_account_do_not_deadlock(kits: Kits, system: System) -> None:
    one, two = kits
    accounts = loop_of(one).applier
    assert two.tasks
    names = [f"a{n}" for n in range(20)]
    await apply(accounts, *(command(Deposit(account=a, amount=100), a) for a in names))
    running = asyncio.create_task(two.tasks.run())
    for _ in range(5):
        await apply(accounts, *(command(PayOut(account=a, amount=1), a) for a in names))
        await apply(accounts, *(command(Deposit(account=a, amount=1), a) for a in reversed(names)))
    while await system.value("SELECT count(*) FROM tasks WHERE closed_at IS NULL"):
        await asyncio.sleep(0.05)
    await two.tasks.finish()
    await running
    assert await deadlocks(system) == 0
    assert set(system.moved().values()) == {1}
    assert len(system.moved()) == 100


async def test_a_result_holds_no_task_while_it_waits_for_the_account(kits: Kits, system: System) -> None:
    """The other order would deadlock with a command that drops or brings forward the same task."""
    one, two = kits
    assert two.tasks
    paying = [
        command(Deposit(account="a", amount=9), "a"),
        command(PayOut(account="a", amount=1), "a", id="pay"),
    ]
    await apply(loop_of(one).applier, *paying)
    claimed = (await two.tasks._claim())[0]
    async with one.engine.begin() as command_side:
        await command_side.execute(text("SELECT 1 FROM accounts FOR NO KEY UPDATE"))
        result = Answered(BankAnswered(account="a", operation="pay", found=False))
        telling = asyncio.create_task(two.tasks._told(claimed, result))

        async def waits() -> bool:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return bool(await system.value(waiting + " AND datname = current_database()"))

        await eventually(waits, timeout_s=10, what="the result waits for the account")
        await command_side.execute(text("SET LOCAL lock_timeout = '300ms'"))
        await task_rows.drop(command_side, [claimed.key])
    await telling
    assert await system.value("SELECT done FROM payouts")
    assert await deadlocks(system) == 0


async def test_a_batch_takes_a_fixed_number_of_statements(kits: Kits) -> None:
    """The hot path costs nothing per message but its share of the arrays."""
    loop = loop_of(kits[0])
    counts: list[int] = []

    def count(*_: object) -> None:
        counts[-1] += 1

    event.listen(kits[0].engine.sync_engine, "before_cursor_execute", count)
    for size in (2, 200):
        batch = [command(PayOut(account=f"a{n}", amount=1), f"a{n}") for n in range(size)]
        counts.append(0)
        await loop.applier.apply([incoming(message) for message in batch])
    event.remove(kits[0].engine.sync_engine, "before_cursor_execute", count)
    print(f"statements for 2 and for 200 messages: {counts}")
    assert counts[0] == counts[1]
