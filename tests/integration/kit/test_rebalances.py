"""A group is shared out anew while a batch is in hand: nobody stays behind, no offset is set back."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from shared.kafka import consumer_options, declare
from shared.service import Kit
from shared.settings import KafkaSettings
from shared.subscribe import PatientConsumer, Stuck, Subscriptions
from tests.integration.kit.books import audit, evidence
from tests.integration.kit.example.messages import COMMANDS, Deposit
from tests.integration.kit.parts import loop_of, parts
from tests.integration.kit.system import GROUPS, System, command, eventually


def account_in(partition: int) -> str:
    return next(a for a in (f"a{n}" for n in range(99)) if COMMANDS.partition_of(a.encode()) == partition)


STAYS, MOVES = account_in(0), account_in(1)  # a second member gets every other partition


def deposits(account: str, count: int) -> list[tuple[str, bytes]]:
    return [command(Deposit(account=account, amount=1), account) for _ in range(count)]


# --- the whole service ------------------------------------------------------------------------------------


@asynccontextmanager
async def locked(system: System, account: str) -> AsyncIterator[None]:
    """Nobody else can change this account meanwhile."""
    connection = await asyncpg.connect(system.server.url("postgres", system.database, driver="postgresql"))
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM example.accounts WHERE account = $1 FOR UPDATE", account)
            yield
    finally:
        await connection.close()


async def test_a_batch_whose_partitions_all_moved_does_not_end_its_loop(system: System) -> None:
    async def waits(instance: str) -> bool:
        problems = await system.problems(instance)
        return "waiting for its database" in problems.get(GROUPS[COMMANDS], "")

    system.start("1")
    await system.ready("1")
    await system.send(COMMANDS, [*deposits(STAYS, 1), *deposits(MOVES, 1)])
    await system.quiet()
    async with locked(system, MOVES):
        await system.send(COMMANDS, deposits(MOVES, 3))
        await eventually(lambda: waits("1"), timeout_s=20, what="the first has the batch in hand")
        system.start("2")
        await eventually(lambda: waits("2"), timeout_s=30, what="the second has its partition")
    await system.send(COMMANDS, [*deposits(STAYS, 3), *deposits(MOVES, 3)])
    await system.quiet(timeout_s=30)
    for instance in ("1", "2"):
        await system.ready(instance)

    books = await audit(system, 11)
    evidence("a batch in hand while its partition moved", system, books)
    assert books.wrong == []
    log = system.log("1").read_text()
    assert re.search("the batch comes again.*example.example.commands", log), "the fault did not bite"


# --- its consumer -----------------------------------------------------------------------------------------


@pytest.fixture
async def kit(system: System) -> AsyncIterator[Kit]:
    async with parts(system, migrate=False) as made:
        await declare(made.settings.kafka, "example")
        yield made


@asynccontextmanager
async def member(system: System, name: str, topic: str = COMMANDS.name) -> AsyncIterator[PatientConsumer]:
    """One that leaves its group when it ends; members of a group share out the partitions by their names."""
    settings = KafkaSettings(bootstrap_servers=system.bootstrap)
    options = consumer_options(settings) | {"heartbeat_interval_ms": 100}
    consumer = PatientConsumer(
        system.prefix + topic,
        bootstrap_servers=system.bootstrap,
        client_id=name,
        group_id=system.prefix + GROUPS[COMMANDS],
        enable_auto_commit=False,
        partition_assignment_strategy=(Calm,),
        **options,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


class Calm(RoundRobinPartitionAssignor):  # type: ignore[misc]
    """Stays as it is when a test breaks the one that it comes from."""

    @classmethod
    def on_assignment(cls, _assignment: object) -> None:
        return


async def take(consumer: PatientConsumer, place: TopicPartition, count: int) -> list[object]:
    async with asyncio.timeout(20):
        records: list[object] = (await consumer.getmany(timeout_ms=1000))[place]
    assert len(records) == count
    return records


async def test_a_late_commit_does_not_set_back_what_another_has_committed(kit: Kit, system: System) -> None:
    place = TopicPartition(kit.settings.kafka.topic_prefix + COMMANDS.name, 1)
    async with member(system, "1") as first:
        await system.send(COMMANDS, deposits(MOVES, 3))
        late = await take(first, place, 3)
        async with member(system, "2") as second:
            batch = await take(second, place, 3)
            assert not await first.commit_batch(late)
            assert await second.commit_batch(batch)
            await system.send(COMMANDS, deposits(MOVES, 2))
            assert await second.commit_batch(await take(second, place, 2))

        async def back() -> bool:
            return place in first.assignment() and len(first.assignment()) == COMMANDS.partitions

        await eventually(back, timeout_s=20, what="the first has all partitions again")
        assert not await first.commit_batch(late)
        assert await first.committed(place) == 5
        await system.send(COMMANDS, deposits(MOVES, 1))
        assert await first.commit_batch(await take(first, place, 1))
        assert await first.committed(place) == 6


async def test_a_membership_that_ended_for_good_is_told_and_then_ends_the_process(
    kit: Kit, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no lag of its own: others have its partitions, or nobody has."""
    monkeypatch.setattr("shared.subscribe.FAILED_READS_MAX", 1)
    loop = loop_of(kit)
    subscriptions = Subscriptions(kit.settings.kafka, [loop], kit.owner, kit.settings.instance)
    await subscriptions.start()
    watching = asyncio.create_task(subscriptions.watch(kit.health))

    def breaks(_assignment: object) -> None:
        raise AssertionError("not as the library expects it")

    async def told() -> bool:
        return "cannot read" in kit.health.problems.get(f"kafka.{loop.name}", "")

    try:
        monkeypatch.setattr(RoundRobinPartitionAssignor, "on_assignment", breaks)
        async with member(system, "2"):
            await eventually(told, timeout_s=30, what="not ready")
            with pytest.raises(Stuck):
                await asyncio.wait_for(watching, 30)
    finally:
        watching.cancel()
        await subscriptions.stop()
