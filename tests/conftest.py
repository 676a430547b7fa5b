"""Fixtures that every test may ask for: real servers, an own database, own topics."""

import os
import secrets
from collections.abc import Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from devstack.database_server import DatabaseServer
from devstack.process import StackError
from tests.servers import DatabaseUrls, Servers, new_database, servers

# Brokers of tests live for minutes: a compiler that optimises takes a third of their processor time.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")
# Tests that start a whole system take the machine in turn; all others run beside each other.
ONE_AT_A_TIME = ("tests/integration/devstack/test_whole_system.py", "tests/chaos/", "tests/e2e/")
# What takes longest begins first, so that no worker is left alone with it at the end.
LONGEST_FIRST = (*ONE_AT_A_TIME, "tests/integration/", "tests/unit/payments/test_order_of", "tests/contract/")


class BySubject(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist publishes no types
    """Deals out tests to workers: a file stays together, and so do all whole-system tests."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "whole-system" if path.startswith(ONE_AT_A_TIME) else path


def _turn(item: pytest.Item) -> int:
    begins = (n for n, start in enumerate(LONGEST_FIRST) if item.nodeid.startswith(start))
    return next(begins, len(LONGEST_FIRST))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On workers alone: who runs one folder after the other wants the quick answers first."""
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySubject:
    config.option.loadscopereorder = False  # it would begin with the files that have the most tests
    return BySubject(config, log)


@pytest.fixture(scope="session")
def test_servers() -> Iterator[Servers]:
    """PostgreSQL and Kafka. Missing: the test is skipped with one line, under CI=true it fails."""
    held = servers()
    try:
        found = held.__enter__()
    except StackError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no servers: {missing}", pytrace=False)
        pytest.skip(f"no servers: {missing}")
    try:
        yield found
    finally:
        held.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgres(test_servers: Servers) -> DatabaseServer:
    """The running PostgreSQL server, with its administrator's rights."""
    return test_servers.postgres


@pytest.fixture(scope="session")
def kafka(test_servers: Servers) -> str:
    """The bootstrap address of the running Kafka broker."""
    return test_servers.bootstrap


@pytest.fixture(scope="module")
def database_urls(postgres: DatabaseServer) -> Iterator[DatabaseUrls]:
    """A database of this test module's own: roles, empty schemas, nothing else."""
    urls = new_database(postgres)
    yield urls
    postgres.drop_database(urls.name)


@pytest.fixture
def topic_prefix() -> str:
    """Names that no other test's topics, groups or messages have."""
    return f"t{secrets.token_hex(5)}."
