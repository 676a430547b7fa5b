"""The day's page as a finance person sees it: painted by a real browser, wide, narrow and on paper."""

from itertools import pairwise

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Locator, Page

from services.reconciler.report import html
from tests.unit.reconciler.test_report import EVIL, NOW, day

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WIDTHS = (1280, 390)  # a desk, a telephone


async def opened(browser: Browser, width: int, words: str) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    page = await context.new_page()
    await page.add_init_script("window.alert = () => { window.ran = true; }")
    await page.set_content(words)
    return page


async def box(found: Locator) -> dict[str, float]:
    measured = await found.bounding_box()
    assert measured is not None, "it is not to be seen"
    return {side: measured[side] for side in ("x", "y", "width", "height")}


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_reader_sees_what_differs_first_and_the_page_fits(browser: Browser, width: int) -> None:
    page = await opened(browser, width, html(day(), NOW))
    headline = page.get_by_text("1 difference is open.")
    assert await headline.evaluate("e => getComputedStyle(e).color") == "rgb(179, 38, 30)"
    tops = [(await box(page.get_by_role("heading", name=name)))["y"] for name in (
        "Reconciliation of 31 January 2026", "Where the money is", "What differs, and what is being done",
        "Marked as paid by hand", "Paid out to the bank on this day", "Runs",
    )]  # fmt: skip
    assert all(above < below for above, below in pairwise(tops))
    assert (await box(headline))["y"] < tops[1]
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(over) == 0, "wide tables scroll by themselves, the page does not"
    assert len(await page.screenshot(full_page=True)) > 10_000
    await page.context.close()


async def test_amounts_stand_below_their_heads_and_end_at_one_line(browser: Browser) -> None:
    many = day()
    many = replace(many, totals=[many.money[0], replace(many.money[0], provider="stripe")])
    page = await opened(browser, 1280, html(many, NOW))
    table = page.locator("table").first
    heads = await table.locator("th").all_inner_texts()
    assert heads[2:9] == ["Came in", "Refunded", "Disputed", "Fees", "Settled", "Remains", "On its way"]
    cells = await table.locator("tr").nth(1).locator("td").all_inner_texts()
    assert cells[1:8] == ["INR", "1,000.00", "0.00", "0.00", "20.00", "980.00", "0.00"]
    for column in range(2, len(heads)):
        ends = set()
        for cell in await table.locator(f"tr > :nth-child({column + 1})").all():
            assert await cell.evaluate("e => getComputedStyle(e).textAlign") == "right"
            place = await box(cell)
            ends.add(round(place["x"] + place["width"]))
        assert len(ends) == 1
    await page.context.close()


async def test_what_came_from_outside_is_text_and_runs_nowhere(browser: Browser) -> None:
    page = await opened(browser, 1280, html(day(), NOW))
    assert await page.get_by_text(EVIL).is_visible()
    assert await page.evaluate("window.ran") is None
    assert await page.locator("script, a, img, iframe, form").count() == 0
    await page.context.close()


async def test_a_day_on_which_nothing_differs_says_so_in_green(browser: Browser) -> None:
    calm = replace(day(), mismatches=[], money=[], totals=[], overall=[])
    page = await opened(browser, 1280, html(calm, NOW))
    said = page.get_by_text("Nothing differs as far as anything was compared")
    assert await said.evaluate("e => getComputedStyle(e).color") == "rgb(18, 118, 74)"
    await page.emulate_media(media="print")
    assert await page.locator("body").evaluate("e => getComputedStyle(e).fontSize") == "11px"
    await page.context.close()
