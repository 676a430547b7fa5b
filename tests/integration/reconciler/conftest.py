from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.simulator.running import Simulator
from tests.integration.reconciler.system import System
from tests.servers import DatabaseUrls, Servers, new_database


@pytest.fixture
def own_urls(test_servers: Servers) -> Iterator[DatabaseUrls]:
    """A database of this test's own: mismatches of another test would show in this one's day."""
    urls = new_database(test_servers.postgres)
    yield urls
    test_servers.postgres.drop_database(urls.name)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Razorpay, whose webhooks nobody hears."""
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), 9, time_scale=1)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
async def system(
    own_urls: DatabaseUrls, kafka: str, topic_prefix: str, simulator: Simulator
) -> AsyncIterator[System]:
    system = System(own_urls, kafka, topic_prefix, simulator.base)
    await system.open()
    yield system
    await system.close()
