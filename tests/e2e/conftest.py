"""The whole system, as `make up` starts it, once for all tests that need it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.options import Options
from devstack.ports import free_ports, is_free
from devstack.process import StackError
from devstack.stack import Stack
from tests.servers import QUIET_CONSUMERS


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every part, on ports of its own. Impossible here: skipped with one line, under CI=true it fails."""
    running = Stack(Options(tmp_path_factory.mktemp("stack"), free_base(), service_env=QUIET_CONSUMERS))
    try:
        running.start()
    except StackError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no stack: {missing}", pytrace=False)
        pytest.skip(f"no stack: {missing}")
    yield running
    running.stop()


def free_base() -> int:
    """A port base whose ports were all free a moment ago."""
    while True:
        (base,) = free_ports(1)
        if base < 65_000 and all(is_free(port) for port in Options(Path(), base).wanted_ports()):
            return base
