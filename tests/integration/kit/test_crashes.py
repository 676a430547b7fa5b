"""A process dies at every place where it can hurt; another one continues, and nothing is lost or doubled."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from tests.integration.kit.books import audit, evidence
from tests.integration.kit.example.messages import COMMANDS, Deposit, PayOut
from tests.integration.kit.system import System, command

ACCOUNTS = 12
PLACES = {  # failpoint → (what must show that it bit, after the restart)
    "example.before_db_commit:exit@2": "nothing",  # the second: one batch holds at most 200 of all
    "example.after_db_commit:exit@3": "redelivered",
    "relay.after_publish:exit@2": "published again",
    "tasks.claimed:exit@2": "looked up",
    "tasks.performed:exit@2": "looked up",
}


def _work() -> tuple[list[tuple[str, bytes]], int, list[str]]:
    """(commands in order, the sum of deposits, the payout operations)."""
    deposits = [
        command(Deposit(account=f"a{n % ACCOUNTS}", amount=100), f"a{n % ACCOUNTS}") for n in range(360)
    ]
    payouts = [command(PayOut(account=f"a{n}", amount=5), f"a{n}", id=f"pay-{n}") for n in range(ACCOUNTS)]
    return [*deposits[:120], *payouts, *deposits[120:]], 36_000, [f"pay-{n}" for n in range(ACCOUNTS)]


@pytest.mark.parametrize("place", PLACES)
async def test_a_death_at_this_place_loses_and_doubles_nothing(system: System, place: str) -> None:
    commands, deposited, payouts = _work()
    system.start(FAILPOINT=place, LEASE_S=6)
    await system.ready()
    await system.send(COMMANDS, commands)
    await system.died()
    before = await system.value("SELECT coalesce(sum(deposited), 0) FROM accounts")
    system.start(LEASE_S=6)
    await system.quiet()

    books = await audit(system, deposited, payouts)
    evidence(f"{place}, {before} of {deposited} applied at death", system, books)
    assert books.wrong == []
    looked_up = sum("looked_for" in line for line in system.book_lines())
    shown = {
        "nothing": before < deposited,
        "redelivered": books.redelivered > 0,
        "published again": books.published_again > 0,
        "looked up": looked_up > 0,
    }
    assert shown[PLACES[place]], f"the fault did not bite: {shown}"


async def test_random_kills_of_several_instances_lose_and_double_nothing(system: System) -> None:
    dice = random.Random(20250807)
    commands, deposited, payouts = _work()
    instances = ("1", "2", "3")
    for instance in instances:
        system.start(instance, LEASE_S=6)
    await system.ready("1")
    for part in range(3):  # at any moment
        await system.send(COMMANDS, commands[part::6])
        await asyncio.sleep(dice.uniform(0, 0.4))
        system.kill(instance := dice.choice(instances))
        system.start(instance, LEASE_S=6)
    for instance in instances:  # and each once more, right between its two commits
        system.kill(instance)
        system.start(instance, LEASE_S=6, FAILPOINT=f"example.after_db_commit:exit@{dice.randint(1, 3)}")
    for part in range(3, 6):
        await system.send(COMMANDS, commands[part::6])
    async with revived(system):
        await system.quiet(timeout_s=90)

    books = await audit(system, deposited, payouts)
    evidence("three instances killed at random", system, books)
    assert books.wrong == []
    assert system.kills >= 7
    assert books.redelivered > 0


@contextlib.asynccontextmanager
async def revived(system: System) -> AsyncIterator[None]:
    """Whatever dies is started again, as a supervisor does."""

    async def watch() -> None:
        while True:
            for instance, process in list(system.processes.items()):
                if not process.alive:
                    system.kills += 1
                    system.start(instance, LEASE_S=6)
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
