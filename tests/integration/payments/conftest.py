"""One payments service and one simulator per module."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.simulator.running import Receiver, Simulator, receiving
from tests.integration.payments.operator import Operator
from tests.integration.payments.system import TIME_SCALE, Payments
from tests.servers import DatabaseUrls


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("simulator")
    simulator = Simulator(folder, receiver.port, time_scale=TIME_SCALE, seed=7)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def payments(
    database_urls: DatabaseUrls,
    kafka: str,
    simulator: Simulator,
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Payments]:
    logs: Path = tmp_path_factory.mktemp("logs")
    prefix = f"p{database_urls.name[-8:]}."
    async with Payments(database_urls, kafka, prefix, simulator, receiver, logs) as running:
        yield running


@pytest.fixture
def paystream(payments: Payments) -> Operator:
    """An operator at a terminal beside the running service."""
    return Operator(payments)


@pytest.fixture(autouse=True)
def no_faults(simulator: Simulator) -> Iterator[None]:
    yield
    simulator.control("DELETE", "/faults")
