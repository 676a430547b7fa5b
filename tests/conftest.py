"""Fixtures that every test may ask for: real servers, an own database, own topics."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.database_server import DatabaseServer
from devstack.process import StackError
from tests.servers import DatabaseUrls, Servers, new_database, servers

# Tests that start a whole system take the machine in turn; all others run beside each other.
ONE_AT_A_TIME = ("e2e", "chaos")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deals out tests to workers: a file stays together, and so do all whole-system tests."""
    for item in items:
        parts = item.path.relative_to(Path(__file__).parent).parts
        group = "whole-system" if parts[0] in ONE_AT_A_TIME else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


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
