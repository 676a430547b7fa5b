"""The client's modules in a browser, served by the shop; no gateway is behind it."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from devstack.ports import answers, free_ports
from devstack.process import Process, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The shop, which serves the client; no gateway is behind it."""
    port, nowhere = free_ports(2)
    command = [sys.executable, "-m", "devstack.shop", "--port", str(port), "--api-key", "unused"]
    command += ["--gateway", f"http://127.0.0.1:{nowhere}"]
    shop = Process("shop", command, tmp_path_factory.mktemp("shop") / "shop.log", cwd=ROOT)
    shop.start()
    wait_until(lambda: answers(port), what="the shop", timeout_s=20, process=shop)
    yield f"http://127.0.0.1:{port}"
    shop.stop(5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser, files: str) -> AsyncIterator[Page]:
    """One for all: the functions under test keep nothing."""
    context = await browser.new_context(locale="en-IN")
    opened = await context.new_page()
    await opened.goto(f"{files}/basket")
    yield opened
    await context.close()


async def run(page: Page, module: str, script: str, argument: object = None) -> Any:
    """Calls a function of (module, argument) in the page."""
    return await page.evaluate(
        f"async (given) => ({script})(await import('/paystream/{module}'), given)", argument
    )
