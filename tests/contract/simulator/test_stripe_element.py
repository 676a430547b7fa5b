"""The Payment Element's stand-in in a real browser, on a shop page with a strict content security policy."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.contract.simulator.browser import chromium
from tests.contract.simulator.running import eventually
from tests.contract.simulator.stripe_running import PUBLISHABLE_KEY, StripeSimulator
from tests.contract.simulator.stripe_shop import Shop, selling

pytestmark = pytest.mark.browser
Open = Callable[..., FrameLocator]
READY = 1  # entries of the log before anything was done


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def shop(stripe_simulator: StripeSimulator) -> Iterator[Shop]:
    with selling(stripe_simulator.base) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 560, "height": 760}, locale="en-US")
    opened.set_default_timeout(10_000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.close()
    assert errors == []


@pytest.fixture
def opened(shop: Shop, page: Page, stripe_simulator: StripeSimulator) -> Open:
    """A new intent in the shop's page; the form's frame."""

    def opening(amount: int = 124_900, currency: str = "usd", **more: str) -> FrameLocator:
        wanted: Any = {"amount": amount, "currency": currency, **more}
        shop.key = PUBLISHABLE_KEY
        shop.client_secret = str(stripe_simulator.sdk().v1.payment_intents.create(wanted).client_secret)
        page.goto(shop.base)
        heard(page, READY)
        return page.frame_locator("iframe.sim-stripe-element-frame")

    return opening


def heard(page: Page, count: int) -> list[tuple[str, Any]]:
    """What the page was told, once there is so much of it."""

    def enough() -> list[tuple[str, Any]] | None:
        log = json.loads(page.inner_text("#log") or "[]")
        return [(what, value) for what, value in log] if len(log) >= count else None

    return eventually(enough)


def intent_of(shop: Shop) -> str:
    return shop.client_secret.partition("_secret_")[0]


def test_a_card_pays_without_leaving_the_page(
    opened: Open, page: Page, shop: Shop, stripe_simulator: StripeSimulator
) -> None:
    form = opened()
    expect(form.locator("#sim-stripe-amount")).to_have_text("$1,249.00")
    expect(form.locator(".ribbon")).to_contain_text("Test mode")
    page.click("#pay")
    what, intent = heard(page, READY + 1)[-1]
    assert (what, intent["id"], intent["status"]) == ("confirmed", intent_of(shop), "succeeded")
    assert "metadata" not in intent
    assert stripe_simulator.row("payment_intents", intent_of(shop))["amount_received"] == 124_900


def test_without_if_required_the_buyer_comes_back_by_redirect(opened: Open, page: Page, shop: Shop) -> None:
    shop.redirect = "always"
    opened()
    page.click("#pay")
    page.wait_for_url("**/return?**")
    [(_, query), (what, intent)] = heard(page, 2)
    assert query == {
        "order": "o-1",
        "payment_intent": intent_of(shop),
        "payment_intent_client_secret": shop.client_secret,
        "redirect_status": "succeeded",
    }
    assert (what, intent["status"]) == ("retrieved", "succeeded")


def test_a_declined_card_is_explained_and_another_one_pays(opened: Open, page: Page) -> None:
    form = opened()
    form.locator("#sim-stripe-card-choice").select_option("4000000000009995")
    page.click("#pay")
    what, error = heard(page, READY + 1)[-1]
    assert (what, error["type"], error["code"]) == ("error", "card_error", "card_declined")
    assert error["decline_code"] == "insufficient_funds"
    assert "metadata" not in error["payment_intent"]
    expect(form.locator("#sim-stripe-error")).to_have_text("Your card has insufficient funds.")
    form.locator("#sim-stripe-card-number").fill("4242 4242 4242 4242")
    page.click("#pay")
    assert heard(page, READY + 2)[-1][1]["status"] == "succeeded"
    expect(form.locator("#sim-stripe-error")).to_be_hidden()


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("#sim-stripe-card-number", "4242", "incomplete_number"),
        ("#sim-stripe-card-number", "4242 4242 4242 4241", "invalid_number"),
        ("#sim-stripe-card-expiry", "12", "incomplete_expiry"),
        ("#sim-stripe-card-cvc", "", "incomplete_cvc"),
    ],
)
def test_a_form_that_is_not_filled_asks_nobody(
    opened: Open, page: Page, shop: Shop, stripe_simulator: StripeSimulator, field: str, text: str, code: str
) -> None:
    form = opened()
    form.locator(field).fill(text)
    page.click("#pay")
    what, error = heard(page, READY + 1)[-1]
    assert (what, error["type"], error["code"]) == ("invalid", "validation_error", code)
    expect(form.locator(field)).to_have_attribute("aria-invalid", "true")
    assert stripe_simulator.row("payment_intents", intent_of(shop))["status"] == "requires_payment_method"


def test_3d_secure_is_completed(opened: Open, page: Page) -> None:
    form = opened()
    form.locator("#sim-stripe-card-choice").select_option("4000002760003184")
    page.click("#pay")
    bank = page.frame_locator("iframe.sim-stripe-3ds-frame")
    expect(bank.locator("#sim-stripe-bank-amount")).to_have_text("$1,249.00")
    bank.locator("#sim-stripe-3ds-complete").click()
    what, intent = heard(page, READY + 1)[-1]
    assert (what, intent["status"]) == ("confirmed", "succeeded")
    expect(page.locator("iframe.sim-stripe-3ds-frame")).to_have_count(0)
    expect(page.locator("iframe.sim-stripe-controller-frame")).to_have_count(0)


def test_3d_secure_fails_and_the_buyer_tries_again(
    opened: Open, page: Page, shop: Shop, stripe_simulator: StripeSimulator
) -> None:
    form = opened()
    form.locator("#sim-stripe-card-choice").select_option("4000002760003184")
    page.click("#pay")
    page.frame_locator("iframe.sim-stripe-3ds-frame").locator("#sim-stripe-3ds-fail").click()
    what, error = heard(page, READY + 1)[-1]
    assert (what, error["code"]) == ("error", "payment_intent_authentication_failure")
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert stripe_simulator.row("payment_intents", intent_of(shop))["latest_charge"] is None
    form.locator("#sim-stripe-card-choice").select_option("4242424242424242")
    page.click("#pay")
    assert heard(page, READY + 2)[-1][1]["status"] == "succeeded"


def test_3d_secure_may_end_in_a_decline(opened: Open, page: Page) -> None:
    form = opened()
    form.locator("#sim-stripe-card-choice").select_option("4000008400001629")
    page.click("#pay")
    page.frame_locator("iframe.sim-stripe-3ds-frame").locator("#sim-stripe-3ds-complete").click()
    what, error = heard(page, READY + 1)[-1]
    assert (what, error["code"], error["decline_code"]) == ("error", "card_declined", "generic_decline")


def test_a_bank_debit_is_processing(opened: Open, page: Page) -> None:
    form = opened()
    form.locator("#sim-stripe-method-debit").click()
    page.click("#pay")
    what, intent = heard(page, READY + 1)[-1]
    assert (what, intent["status"]) == ("confirmed", "processing")


@pytest.mark.parametrize(
    ("button", "redirect_status", "status"),
    [
        ("#sim-stripe-bank-authorize", "succeeded", "succeeded"),
        ("#sim-stripe-bank-fail", "failed", "requires_payment_method"),
    ],
)
def test_the_banks_own_page_sends_the_buyer_back(
    opened: Open, page: Page, button: str, redirect_status: str, status: str
) -> None:
    form = opened()
    form.locator("#sim-stripe-method-bank").click()
    page.click("#pay")
    page.locator(button).click()
    page.wait_for_url("**/return?**")
    [(_, query), (what, intent)] = heard(page, 2)
    assert (query["order"], query["redirect_status"]) == ("o-1", redirect_status)
    assert (what, intent["status"]) == ("retrieved", status)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [(4500, "jpy", "¥4,500"), (99_990, "kwd", "KWD 99.990"), (50_000, "isk", "ISK 500.00")],
)
def test_an_amount_is_shown_as_the_currency_writes_it(
    opened: Open, amount: int, currency: str, shown: str
) -> None:
    expect(opened(amount, currency).locator("#sim-stripe-amount")).to_contain_text(shown)


def test_an_unknown_secret_is_explained(opened: Open, page: Page, shop: Shop) -> None:
    opened()
    shop.client_secret = "pi_000000000000000000000000_secret_x"
    page.goto(shop.base)
    what, error = heard(page, 1)[-1]
    assert (what, error["code"]) == ("loaderror", "resource_missing")


def test_the_form_hears_only_the_page_that_opened_it(
    browser: Browser, stripe_simulator: StripeSimulator, opened: Open, shop: Shop
) -> None:
    """Framed by another origin than it was opened for, it stays empty and tells nothing."""
    opened()
    thief = browser.new_page()
    thief.goto(shop.base)
    thief.evaluate(
        """async ([simulator, settings]) => {
          window.heard = [];
          window.addEventListener("message", (event) => {
            if (event.source === window.stolen) window.heard.push(event.data);
          });
          const frame = document.createElement("iframe");
          frame.id = "stolen";
          frame.src = `${simulator}/stripe/v3/element?opener=${encodeURIComponent("https://shop.example")}`;
          const loaded = new Promise((resolve) => { frame.onload = resolve; });
          document.body.append(frame);
          window.stolen = frame.contentWindow;
          await loaded;
          frame.contentWindow.postMessage({ type: "open", settings }, simulator);
        }""",
        [stripe_simulator.base, {"key": PUBLISHABLE_KEY, "clientSecret": shop.client_secret}],
    )
    expect(thief.frame_locator("#stolen").locator("#sim-stripe-amount")).to_have_text("")
    assert thief.evaluate("window.heard") == []
    thief.close()
