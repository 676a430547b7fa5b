from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.contract.simulator.running import Simulator
from tests.integration.subscribers.system import Both
from tests.own_engines import own_engines


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Razorpay, whose webhooks nobody hears."""
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), 9, time_scale=1)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> AsyncIterator[Both]:
    """One notifier and one reconciler for all tests of a module, on servers that these may kill."""
    with own_engines(tmp_path_factory.mktemp("engines")) as engines:
        async with Both(engines, simulator) as running:
            yield running
