"""Who died in a partition that others have: found out by the next owner, and nothing of it stays behind."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.inbox import Record
from shared.kafka import declare
from shared.service import Kit
from shared.starts import Starts
from shared.subscribe import Subscriptions
from tests.integration.kit.example.messages import COMMANDS, Deposit
from tests.integration.kit.parts import loop_of, parts, records
from tests.integration.kit.system import System, command, eventually
from tests.integration.kit.test_rebalances import MOVES, STAYS, deposits, locked, member, take


@pytest.fixture
async def kit(system: System) -> AsyncIterator[Kit]:
    async with parts(system) as made:
        await declare(made.settings.kafka, "example")
        yield made


@pytest.fixture
async def survivor(kit: Kit) -> AsyncIterator[Subscriptions]:
    """A member that has every partition as long as it is alone; nobody watches it yet."""
    subscriptions = Subscriptions(kit.settings.kafka, [loop_of(kit)], kit.owner, kit.settings.instance)
    await subscriptions.start()
    yield subscriptions
    await subscriptions.stop()


def starts_of_another(kit: Kit) -> Starts:
    """As another process of the same group would keep them."""
    return Starts(kit.engine, loop_of(kit).name, COMMANDS.name)


async def applied(system: System, count: int) -> None:
    async def look() -> bool:
        return bool(await system.value("SELECT count(*) = $1 FROM inbox", count))

    await eventually(look, timeout_s=20, what=f"{count} are applied")


async def begun(system: System) -> list[int]:
    """The partition of each start that was not ended."""
    return [row[0] for row in await system.sql("SELECT partition FROM starts ORDER BY 1")]


async def nothing_begun(system: System) -> bool:
    return not await begun(system)


def in_hand(messages: Sequence[tuple[str, bytes]]) -> list[Record]:
    """As the owner of the partition gets them from Kafka."""
    return [replace(record, partition=1) for record in records(messages)]


async def waits(kit: Kit) -> bool:
    return "waiting for its database" in kit.health.problems.get(loop_of(kit).label, "")


def watched(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """The watch looks often; each look is one more here."""
    looks: list[None] = []
    look = Subscriptions._lag

    async def counted(self: Subscriptions, *asked: Any) -> dict[int, int]:
        looks.append(None)
        return await look(self, *asked)

    monkeypatch.setattr(Subscriptions, "_lag", counted)
    monkeypatch.setattr("shared.subscribe.WATCH_EVERY_S", 0.05)
    return looks


async def looked(looks: list[None], times: int) -> bool:
    return len(looks) > times  # the last one has begun, those before it have ended


@pytest.mark.usefixtures("survivor")
async def test_a_partition_that_comes_back_is_looked_at_again(kit: Kit, system: System) -> None:
    """Another had it meanwhile and died in its first batch there: each of those messages runs alone."""
    await system.send(COMMANDS, [*deposits(STAYS, 1), *deposits(MOVES, 1)])
    await applied(system, 2)
    left = [command(Deposit(account=MOVES, amount=1), MOVES, id=f"left-{n}") for n in range(3)]
    place = TopicPartition(kit.settings.kafka.topic_prefix + COMMANDS.name, 1)
    async with member(system, "z") as other:  # the last by name: it gets the odd partitions
        await system.send(COMMANDS, left)
        await take(other, place, 3)
        assert not await starts_of_another(kit).mark(in_hand(left))
    await applied(system, 5)
    await eventually(lambda: nothing_begun(system), timeout_s=10, what="the mark of the dead is gone")
    times = "SELECT count(DISTINCT received_at) FROM inbox WHERE message_id LIKE 'left-%'"
    assert await system.value(times) == 3, "each alone"


async def test_what_one_left_who_had_lost_its_partition_is_forgotten_when_nothing_waits_there(
    kit: Kit, survivor: Subscriptions, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another has done and committed the work by then; what is in hand meanwhile is not forgotten."""
    looks = watched(monkeypatch)
    done = deposits(MOVES, 3)
    await system.send(COMMANDS, done)
    await applied(system, 3)
    late = starts_of_another(kit)
    assert not await late.mark(in_hand(done))
    assert await late.count(in_hand(done)[2]) == 1
    await system.sql("INSERT INTO accounts VALUES ($1)", STAYS)
    async with locked(system, STAYS):
        await system.send(COMMANDS, deposits(STAYS, 1))
        await eventually(lambda: waits(kit), timeout_s=20, what="a batch is in hand")
        watching = asyncio.create_task(survivor.watch(kit.health))
        await eventually(lambda: looked(looks, 3), timeout_s=20, what="three looks")
        assert await begun(system) == [0, 1, 1]
    try:
        await eventually(lambda: nothing_begun(system), timeout_s=20, what="nothing is left")
    finally:
        watching.cancel()
    await applied(system, 4)
