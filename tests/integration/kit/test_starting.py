"""What a process does before its first message: waits and says for what, or ends with one clear line."""

import asyncio
import signal
import socket
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy.ext.asyncio import create_async_engine

from devstack.ports import free_ports
from shared.kafka import declare
from shared.preflight import Unfit, check, database_problems, kafka_problems
from tests.integration.kit.example.messages import COMMANDS
from tests.integration.kit.parts import parts
from tests.integration.kit.system import System, eventually


async def ended(system: System, *, code: int) -> str:
    """The last line of a process that must end by itself."""
    process = system.processes["1"]
    assert await asyncio.to_thread(process.wait, 30) == code, process.last_words(5)
    return process.last_words()


async def test_a_missing_setting_is_named(system: System) -> None:
    system.start(KAFKA__BOOTSTRAP_SERVERS="", MODE="prod")
    await ended(system, code=2)
    said = system.log().read_text()
    assert "example: setting EXAMPLE_MODE: Input should be 'development' or 'production'" in said
    assert "example: setting EXAMPLE_KAFKA__BOOTSTRAP_SERVERS: Field required" in said


async def test_a_busy_port_is_named(system: System) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        system.start(OPS__PORT=port)
        assert f"127.0.0.1:{port}" in await ended(system, code=3)


async def test_a_topic_with_another_number_of_partitions_is_refused(system: System) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=system.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(system.prefix + COMMANDS.name, COMMANDS.partitions + 1, 1)])
    finally:
        await admin.close()
    system.start()
    line = await ended(system, code=3)
    assert line == f"example: topic {system.prefix}{COMMANDS.name} has 5 partitions, not 4"


async def test_a_service_without_the_owners_role_waits_for_the_migration(system: System) -> None:
    process = system.start(DATABASE__OWNER_URL="")

    async def says_so() -> bool:
        return "waiting for the migration" in system.log().read_text()

    await eventually(says_so, timeout_s=20, what="it says what it waits for")
    assert (await system.problems())["start"] == "the service is starting"
    async with parts(system):  # migrates, as `python -m services.NAME migrate` does
        pass
    await system.ready()
    assert process.alive


async def test_a_start_that_waits_can_be_stopped(system: System) -> None:
    (nobody,) = free_ports(1)
    process = system.start(KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{nobody}")

    async def says_so() -> bool:
        return "waiting for Kafka" in system.log().read_text()

    await eventually(says_so, timeout_s=20, what="it says what it waits for")
    asked = time.monotonic()
    process.send(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0
    assert time.monotonic() - asked < 5


async def test_several_processes_may_migrate_at_once(system: System) -> None:
    async with parts(system, migrate=False) as one, parts(system, "2", migrate=False) as two:
        await asyncio.gather(one.migrate(), two.migrate(), one.migrate())
    assert await system.value("SELECT count(*) FROM alembic_version") == 1


async def test_servers_that_could_lose_money_are_refused_in_production(system: System) -> None:
    async with parts(system) as kit:
        await declare(kit.settings.kafka, "example")
        assert await database_problems(kit.engine) == []
        problems = await kafka_problems(kit.settings.kafka, [COMMANDS])
        name = system.prefix + COMMANDS.name
        assert problems == [
            f"Kafka: {name} has 1 replicas, not 3",
            f"Kafka: {name}: min.insync.replicas is 1, not 2",
        ]
        with pytest.raises(Unfit, match="replicas"):
            await check(kit.engine, kit.settings.kafka, [COMMANDS], strict=True)
        await check(kit.engine, kit.settings.kafka, [COMMANDS], strict=False)

        careless = create_async_engine(
            system.url("example_app"),
            isolation_level="SERIALIZABLE",
            connect_args={"server_settings": {"synchronous_commit": "off"}},
        )
        try:
            said = " ".join(await database_problems(careless))
        finally:
            await careless.dispose()
        for word in ("synchronous_commit", "serializable", "lock_timeout", "transaction_timeout"):
            assert word in said
