"""Several instances share the work: they join, leave and come back under load (fault F42)."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from tests.integration.kit.books import audit, evidence
from tests.integration.kit.example.messages import COMMANDS, EVENTS, Deposit
from tests.integration.kit.system import GROUPS, System, command, eventually


@contextlib.asynccontextmanager
async def load(system: System, per_s: int) -> AsyncIterator[list[int]]:
    """Deposits all the while, at a steady rate; gives the list that ends up holding their number."""
    total, ending = [0], asyncio.Event()

    async def send() -> None:
        while not ending.is_set():
            batch = [command(Deposit(account=f"a{n}", amount=1), f"a{n}") for n in range(per_s // 10)]
            await system.send(COMMANDS, batch)
            total[0] += len(batch)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), 0.1)

    sending = asyncio.create_task(send())
    try:
        yield total
    finally:
        ending.set()
        await sending


async def partitions_of(system: System, instance: str) -> float:
    """How many commands this instance has applied."""
    lines = (await system.ops("/metrics", instance))[1].splitlines()
    name = 'paystream_messages_total{consumer="example.example.commands",outcome="applied"}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def test_members_come_and_go_under_load(system: System) -> None:
    system.start("1")
    await system.ready("1")
    async with load(system, per_s=200) as total:
        system.start("2")
        await system.ready("2")

        async def both_work() -> bool:
            return min(await partitions_of(system, "1"), await partitions_of(system, "2")) > 0

        await eventually(both_work, timeout_s=30, what="both instances apply commands")
        leaving = system.processes["2"]
        asked = time.monotonic()
        leaving.send(signal.SIGTERM)
        assert await asyncio.to_thread(leaving.wait, 20) == 0
        print(f"left in order after {time.monotonic() - asked:.1f} s")
        system.start("3")
        await system.ready("3")
    await system.quiet()

    books = await audit(system, total[0])
    evidence(f"two join, one leaves, {total[0]} commands meanwhile", system, books)
    assert books.wrong == []


async def test_an_orderly_stop_under_load_leaves_nothing_half_done(system: System) -> None:
    system.start()
    await system.ready()
    async with load(system, per_s=400) as total:

        async def works() -> bool:
            return bool(await system.value("SELECT count(*) > 100 FROM inbox"))

        await eventually(works, timeout_s=20, what="it works")
        process = system.processes["1"]
        process.send(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
    pending = await system.value("SELECT count(*) FROM outbox_pending")
    applied = await system.value("SELECT sum(deposited) FROM accounts")
    in_inbox = await system.value("SELECT count(*) FROM inbox WHERE consumer = 'example.example.commands'")
    lag = await system.lag(COMMANDS)
    again = lag + applied - total[0]
    print(f"stopped under load: outbox left {pending}, applied {applied}, to be delivered again {again}")
    assert pending == 0  # the relay flushed
    assert applied == in_inbox
    assert again == 0  # offsets stand where the work stands
    assert await system.value("SELECT count(*) FROM leases") == 0


async def test_a_group_that_lost_its_offsets_reads_all_again_without_any_effect(system: System) -> None:
    system.start()
    await system.ready()
    await system.send(
        COMMANDS, [command(Deposit(account=f"a{n % 9}", amount=1), f"a{n % 9}") for n in range(300)]
    )
    await system.quiet()
    events_before = len(await system.dump(EVENTS))
    system.processes["1"].stop(timeout_s=20)
    for topic in (COMMANDS, EVENTS):
        await forget_offsets(
            system, system.prefix + GROUPS[topic], system.prefix + topic.name, topic.partitions
        )
    system.start()
    await system.ready()
    await system.quiet()

    books = await audit(system, 300)
    evidence("everything delivered again", system, books)
    assert books.wrong == []
    assert books.redelivered == 600  # 300 commands and 300 events
    assert len(await system.dump(EVENTS)) == events_before


async def forget_offsets(system: System, group: str, topic: str, partitions: int) -> None:
    """Sets the group back to the beginning, once its last member is forgotten."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    places = [TopicPartition(topic, p) for p in range(partitions)]
    consumer.assign(places)

    async def forgotten() -> bool:
        try:
            await consumer.commit(dict.fromkeys(places, 0))
        except KafkaError:
            return False
        return True

    try:
        await eventually(forgotten, timeout_s=30, what=f"{group} is empty")
    finally:
        await consumer.stop()
