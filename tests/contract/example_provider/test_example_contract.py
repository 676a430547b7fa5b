"""A fourth provider passes the same contract, scenario by scenario and answer by answer."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.providers.base import Adapter
from tests.contract.example_provider.driver import TillPayDriver, TillPayWording
from tests.contract.providers.contract import answers as table
from tests.contract.providers.contract.driver import Listed
from tests.contract.providers.contract.scenarios import cases
from tests.contract.providers.raw_answers import Answers, answering

LISTED = [pytest.param(listed, id=listed.name) for _, listed in cases(TillPayDriver)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TillPayDriver]:
    with TillPayDriver.running(tmp_path_factory.mktemp("tillpay")) as driver:
        yield driver


@pytest.fixture
async def adapter(driver: TillPayDriver) -> AsyncIterator[Adapter]:
    adapter = driver.adapter()
    yield adapter
    await adapter.close()
    driver.no_faults()


@pytest.mark.parametrize("scenario", LISTED)
async def test_scenario(
    scenario: Listed, adapter: Adapter, driver: TillPayDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "list" in scenario.name:
        monkeypatch.setattr(driver.page_setting, 3)
    await scenario.run(adapter, driver)


@pytest.fixture
def answers() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.mark.parametrize("case", table.cases(TillPayWording()), ids=lambda case: case.name)
async def test_each_answer_is_the_right_error(case: table.Case, answers: Answers) -> None:
    await table.check(TillPayWording(), case, answers)
