"""A real browser in front of the real system."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from devstack.stack import Stack
from tests.e2e.browser.buyer import Buyer, Site

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LEFT_OUT = (
    "the tests in a real browser are left out: no Chrome or Chromium on this machine "
    "(Debian: apt-get install chromium; or set PAYSTREAM_CHROMIUM to its path)"
)


def chromium() -> str | None:
    """The machine's own browser: PAYSTREAM_CHROMIUM, else the first known name on the PATH."""
    wanted = os.environ.get("PAYSTREAM_CHROMIUM")
    if wanted:
        return shutil.which(wanted)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session", autouse=True)
def browser_path() -> str:
    """The browser to drive; without one nothing is started, not even the system."""
    path = chromium()
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(LEFT_OUT, pytrace=False)
    if path is None:
        pytest.skip(LEFT_OUT)
    return path


@pytest.fixture(scope="session")
def site(stack: Stack) -> Site:
    """Where everything is."""
    wiring = stack.wiring
    return Site(
        shop=wiring.shop_url,
        gateway=wiring.gateway_url,
        simulator=wiring.simulator_url,
        api_key=wiring.secrets["shop_api_key"],
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(browser_path: str) -> AsyncIterator[Browser]:
    """One for each file of tests; what a visit must not leave behind is in its context."""
    # Chromium refuses its own sandbox to root, which is who runs in a container.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=browser_path, args=arguments)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def buyer(browser: Browser, site: Site) -> AsyncIterator[Buyer]:
    """A new visitor. At the end their browser must have had nothing to complain of."""
    context = await browser.new_context(viewport={"width": 1280, "height": 860})
    visitor = await Buyer.arrive(context, site)
    yield visitor
    await context.close()
    assert visitor.complaints == []


@pytest_asyncio.fixture(loop_scope="module")
async def well_behaved(site: Site) -> AsyncIterator[None]:
    """The provider's faults are taken back after the test that asked for them."""
    yield
    await site.faults()


@pytest_asyncio.fixture(loop_scope="module")
async def late_webhooks(site: Site) -> AsyncIterator[None]:
    """Only the gateway's own look can tell that an order is paid: the webhooks come long after."""
    await site.faults(webhooks={"delay_s": 60.0})
    yield
    await site.faults()
