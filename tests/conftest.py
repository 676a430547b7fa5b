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

# Tests that start a whole system take the machine in turn; all others run beside each other.
ONE_AT_A_TIME = ("tests/e2e/", "tests/chaos/", "tests/integration/devstack/test_whole_system.py")


class BySubject(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist publishes no types
    """Deals out tests to workers: a file stays together, and so do all whole-system tests."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "whole-system" if path.startswith(ONE_AT_A_TIME) else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySubject:
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
