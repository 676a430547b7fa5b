"""Several owners of the same messages and aggregates: no deadlock, no effect twice, nothing overdrawn."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event

from shared.service import Kit
from tests.integration.kit.example.messages import Deposit, PayOut
from tests.integration.kit.parts import apply, incoming, loop_of, parts
from tests.integration.kit.system import System, command

Kits = tuple[Kit, Kit]


@pytest.fixture
async def kits(system: System) -> AsyncIterator[Kits]:
    async with parts(system, "1") as one, parts(system, "2", migrate=False) as two:
        yield one, two


async def test_two_owners_of_the_same_messages_in_opposite_order(kits: Kits, system: System) -> None:
    one, two = (loop_of(kit).applier for kit in kits)
    rounds, size = 25, 40
    for n in range(rounds):
        batch = [command(Deposit(account=f"a{n}-{k % 10}", amount=1), f"a{n}-{k % 10}") for k in range(size)]
        await asyncio.gather(apply(one, *batch), apply(two, *reversed(batch)))
    assert await system.value("SELECT sum(deposited) FROM accounts") == rounds * size
    deadlocks = await system.value(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    print(f"{rounds} rounds of {size} messages by two owners: deadlocks {deadlocks}, doubled 0")
    assert deadlocks == 0


async def test_commands_from_both_sides_never_overdraw(kits: Kits, system: System) -> None:
    one, two = (loop_of(kit).applier for kit in kits)
    dice = random.Random(7)
    accounts = [f"a{n}" for n in range(30)]
    await apply(one, *(command(Deposit(account=a, amount=100), a) for a in accounts))
    for _ in range(4):  # each 60 % of what is there: of two at once, one must lose
        sides = [
            apply(
                side,
                *(command(PayOut(account=a, amount=60), a) for a in dice.sample(accounts, len(accounts))),
            )
            for side in (one, two)
        ]
        await asyncio.gather(*sides)
    overdrawn = await system.value(
        "SELECT count(*) FROM accounts a WHERE deposited <"
        " (SELECT coalesce(sum(amount), 0) FROM payouts p WHERE p.account = a.account)"
    )
    print(f"30 accounts, two sides, four rounds: overdrawn {overdrawn}")
    assert overdrawn == 0
    assert await system.value("SELECT count(*) FROM payouts") == 30


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
    deadlocks = await system.value(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    assert deadlocks == 0
    assert set(system.moved().values()) == {1}
    assert len(system.moved()) == 100


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
