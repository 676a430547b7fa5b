"""Kafka or PostgreSQL is killed and comes back, under load (faults F36, F40, F47): the processes stay."""

import asyncio
import time

import pytest
from aiokafka.errors import KafkaError

from shared.errors import OutcomeUnknown, Unavailable
from shared.kafka import declare
from shared.publish import Publisher
from shared.settings import KafkaSettings
from tests.integration.kit.books import audit, evidence
from tests.integration.kit.example.messages import COMMANDS, REPLIES, Deposit, PayOut
from tests.integration.kit.system import System, command, eventually
from tests.own_engines import Engines


async def _not_ready(system: System, words: str) -> None:
    async def look() -> bool:
        return any(words in problem for problem in (await system.problems()).values())

    await eventually(look, timeout_s=20, what=f"not ready, because {words}")


async def test_postgres_killed_under_load(breakable: System, own_engines: Engines) -> None:
    system, postgres = breakable, own_engines.postgres
    deposits = [command(Deposit(account=f"a{n % 9}", amount=2), f"a{n % 9}") for n in range(400)]
    payouts = [command(PayOut(account=f"a{n}", amount=1), f"a{n}", id=f"pay-{n}") for n in range(9)]
    process = system.start(BANK_DELAY_S=1, LEASE_S=8)  # answers of the bank come while the database is away
    await system.ready()
    await system.send(COMMANDS, [*deposits[:100], *payouts, *deposits[100:200]])
    await eventually(lambda: _some(system), timeout_s=10, what="the bank works")
    postgres.kill()
    await system.send(COMMANDS, deposits[200:])
    await _not_ready(system, "waiting for its database")
    back = time.monotonic()
    await asyncio.to_thread(postgres.restart)
    await system.ready()
    print(f"ready again {time.monotonic() - back:.1f} s after the server's start")
    await system.quiet()

    books = await audit(system, 800, [f"pay-{n}" for n in range(9)])
    evidence("PostgreSQL killed once under load", system, books)
    assert books.wrong == []
    assert process.alive


async def _some(system: System) -> bool:
    return bool(system.moved())


async def test_kafka_killed_under_load(breakable: System, own_engines: Engines) -> None:
    system, kafka = breakable, own_engines.kafka
    deposits = [command(Deposit(account=f"a{n % 9}", amount=1), f"a{n % 9}") for n in range(400)]
    process = system.start()
    await system.ready()
    await system.send(COMMANDS, deposits[:100])
    sending = asyncio.create_task(system.send(COMMANDS, deposits[100:]))
    await asyncio.to_thread(kafka.kill)
    await _not_ready(system, "Kafka")
    back = time.monotonic()
    await asyncio.to_thread(kafka.restart)
    await sending
    await system.ready()
    print(f"ready again {time.monotonic() - back:.1f} s after the broker's start")
    await system.quiet()

    books = await audit(system, 400)
    evidence("Kafka killed once under load", system, books)
    assert books.wrong == []
    assert process.alive


async def test_a_start_waits_for_servers_that_are_away(breakable: System, own_engines: Engines) -> None:
    system, kafka = breakable, own_engines.kafka
    await asyncio.to_thread(kafka.kill)
    process = system.start()

    async def says_so() -> bool:
        return "waiting for Kafka" in system.log().read_text()

    await eventually(says_so, timeout_s=20, what="it says what it waits for")
    await asyncio.to_thread(kafka.restart)
    await system.ready()
    assert process.alive


async def test_a_publisher_gives_up_in_time_and_recovers_by_itself(own_engines: Engines) -> None:
    kafka = own_engines.kafka
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap, topic_prefix="publisher.")
    await declare(settings, "example")
    publisher = Publisher(settings, give_up_s=1.0)
    await publisher.start()
    try:
        await publisher.send(REPLIES, b"k", b"before")
        kafka.nodes[0].freeze()
        asked = time.monotonic()
        async with asyncio.timeout(10):
            with pytest.raises(OutcomeUnknown):
                await publisher.send(REPLIES, b"k", b"unknown")
            with pytest.raises(Unavailable):
                await publisher.send(REPLIES, b"k", b"refused at once")
        assert time.monotonic() - asked < 2
        assert not publisher.connected
        kafka.nodes[0].thaw()

        async def sent() -> bool:
            try:
                await publisher.send(REPLIES, b"k", b"after")
            except (Unavailable, OutcomeUnknown, KafkaError):
                return False
            return True

        await eventually(sent, timeout_s=30, what="it sends again")
    finally:
        kafka.nodes[0].thaw()
        await publisher.stop()
