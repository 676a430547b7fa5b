"""The adapters under contract: against the simulators, and against answers that no simulator gives."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.providers.razorpay import RazorpayAdapter
from shared.providers.stripe import StripeAdapter
from tests.contract.providers.drivers.razorpay import RazorpayDriver
from tests.contract.providers.drivers.stripe import StripeDriver
from tests.contract.providers.raw_answers import Answers, answering


@pytest.fixture(scope="module")
def razorpay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RazorpayDriver]:
    with RazorpayDriver.running(tmp_path_factory.mktemp("razorpay")) as driver:
        yield driver


@pytest.fixture
async def razorpay_adapter(razorpay: RazorpayDriver) -> AsyncIterator[RazorpayAdapter]:
    adapter = razorpay.adapter()
    yield adapter
    await adapter.close()
    razorpay.no_faults()


@pytest.fixture
def answers() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture(scope="module")
def stripe_driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeDriver]:
    with StripeDriver.running(tmp_path_factory.mktemp("stripe")) as driver:
        yield driver


@pytest.fixture
async def stripe_adapter(stripe_driver: StripeDriver) -> AsyncIterator[StripeAdapter]:
    adapter = stripe_driver.adapter()
    yield adapter
    await adapter.close()
    stripe_driver.no_faults()
