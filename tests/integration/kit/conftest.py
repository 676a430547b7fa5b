"""Fixtures of the kit's own tests: one example system each, on the shared servers or on own ones."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from devstack.database_server import DatabaseServer
from tests.integration.kit.system import System, new_example_database
from tests.own_engines import Engines
from tests.own_engines import own_engines as own_engines_in


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
def own_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Servers that a test may kill: nobody else uses them."""
    with own_engines_in(tmp_path_factory.mktemp("engines")) as engines:
        yield engines


@pytest.fixture
async def breakable(own_engines: Engines, tmp_path: Path) -> AsyncIterator[System]:
    """An example whose servers a test may kill."""
    database = own_engines.postgres.server
    name = new_example_database(database)
    async with System(database, name, own_engines.kafka.bootstrap, tmp_path) as made:
        yield made
