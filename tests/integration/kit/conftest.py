"""Fixtures of the kit's own tests: one example system each, on the shared servers or on own ones."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from devstack.database_server import DatabaseServer
from devstack.kafka import Kafka
from devstack.ports import free_ports
from devstack.postgres import Postgres
from tests.integration.kit.system import System, new_example_database


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """Tracebacks of parked messages as one would read them in production: short, and without the data."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


@pytest.fixture
async def system(postgres: DatabaseServer, kafka: str, tmp_path: Path) -> AsyncIterator[System]:
    """An example with a database and topics of its own; nothing runs yet."""
    name = new_example_database(postgres)
    async with System(postgres, name, kafka, tmp_path) as made:
        yield made
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def own_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, Kafka]]:
    """Servers that a test may kill: nobody else uses them."""
    folder = tmp_path_factory.mktemp("engines")
    database_port, broker_port, controller_port = free_ports(3)
    database = Postgres(folder / "postgres", database_port, folder / "postgres.log")
    broker = Kafka(folder / "kafka", [(broker_port, controller_port)], folder)
    try:
        database.start()
        broker.start()
        yield database, broker
    finally:
        broker.kill()
        database.kill()


@pytest.fixture
async def breakable(own_engines: tuple[Postgres, Kafka], tmp_path: Path) -> AsyncIterator[System]:
    """An example whose servers a test may kill."""
    database, broker = own_engines
    name = new_example_database(database.server)
    async with System(database.server, name, broker.bootstrap, tmp_path) as made:
        yield made
