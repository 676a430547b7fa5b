"""The PayPal adapter under contract: against its simulator."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.providers.paypal import PayPalAdapter
from tests.contract.providers.drivers.paypal import PayPalDriver
from tests.contract.simulator.paypal.running import PayPalSimulator, Receiver


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PayPalDriver]:
    with PayPalDriver.running(tmp_path_factory.mktemp("paypal")) as driver:
        yield driver


@pytest.fixture
def simulator(driver: PayPalDriver) -> PayPalSimulator:
    return driver.simulator


@pytest.fixture
def receiver(driver: PayPalDriver) -> Receiver:
    return driver.receiver


@pytest.fixture
async def adapter(driver: PayPalDriver) -> AsyncIterator[PayPalAdapter]:
    adapter = driver.adapter()
    yield adapter
    await adapter.close()
    driver.no_faults()
