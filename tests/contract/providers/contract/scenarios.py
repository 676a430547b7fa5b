"""All of the contract: importing this has put every scenario into the list."""

from collections.abc import Iterator

from tests.contract.providers.contract import money_scenarios, payment_scenarios, webhook_scenarios
from tests.contract.providers.contract.driver import SCENARIOS, Driver, Listed

MODULES = (money_scenarios, payment_scenarios, webhook_scenarios)


def cases(*drivers: type[Driver]) -> Iterator[tuple[type[Driver], Listed]]:
    """Every scenario with every provider that it is for."""
    for driver in drivers:
        for each in SCENARIOS:
            if each.needs(driver.capabilities, driver.traits):
                yield driver, each
