"""The contract: every scenario with every provider's adapter, against the provider's simulator."""

from collections.abc import AsyncIterator, Iterator
from typing import get_type_hints

import pytest

from shared.providers.base import Adapter
from tests.contract.providers.contract.driver import SCENARIOS, Driver, Listed
from tests.contract.providers.contract.scenarios import MODULES, cases
from tests.contract.providers.drivers.paypal import PayPalDriver
from tests.contract.providers.drivers.razorpay import RazorpayDriver
from tests.contract.providers.drivers.stripe import StripeDriver

DRIVERS: tuple[type[Driver], ...] = (RazorpayDriver, StripeDriver, PayPalDriver)
CASES = [pytest.param(kind, listed, id=f"{kind.name}-{listed.name}") for kind, listed in cases(*DRIVERS)]


@pytest.fixture(scope="module")
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with request.param.running(tmp_path_factory.mktemp(request.param.name)) as driver:
        yield driver


@pytest.fixture
async def adapter(driver: Driver) -> AsyncIterator[Adapter]:
    adapter = driver.adapter()
    yield adapter
    await adapter.close()
    driver.no_faults()


@pytest.mark.parametrize(("driver", "scenario"), CASES, indirect=["driver"])
async def test_scenario(
    driver: Driver, scenario: Listed, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "list" in scenario.name:
        monkeypatch.setattr(driver.page_setting, 3)
    await scenario.run(adapter, driver)


@pytest.mark.parametrize("kind", DRIVERS, ids=lambda kind: kind.name)
def test_an_adapter_has_all_that_services_ask_for(kind: type[Driver]) -> None:
    adapter = get_type_hints(kind.adapter)["return"]
    wanted = {name for name in vars(Adapter) if not name.startswith("_")}
    assert [name for name in wanted if not hasattr(adapter, name)] == []


def test_every_scenario_is_in_the_contract() -> None:
    """One that is written and not listed would never run."""
    written = {
        name
        for module in MODULES
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", "") == module.__name__ and len(name) > 20
    }
    assert written == {listed.name for listed in SCENARIOS}
