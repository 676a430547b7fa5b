"""Stripe on the dashboard, in a real browser: what it shows and what its buttons do."""

from collections.abc import Iterator

import pytest
import stripe
from playwright.sync_api import Browser, Locator, Page, expect

from tests.contract.simulator.browser import chromium
from tests.contract.simulator.running import eventually
from tests.contract.simulator.stripe_running import StripeSimulator

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, stripe_simulator: StripeSimulator) -> Iterator[Page]:
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 1180, "height": 900}, locale="en-US")
    opened.set_default_timeout(10_000)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(stripe_simulator.base)
    yield opened
    opened.close()
    assert errors == []


def press(card: Locator, name: str) -> None:
    card.get_by_role("button", name=name, exact=True).click()


def test_an_intent_is_paid_captured_refunded_and_disputed_by_hand(
    page: Page, stripe_sdk: stripe.StripeClient
) -> None:
    intent = stripe_sdk.v1.payment_intents.create(
        {"amount": 77_700, "currency": "usd", "capture_method": "manual"}
    )
    card = page.locator(f"[data-id={intent.id}]")
    expect(card).to_contain_text("$777.00")
    press(card, "Decline")
    expect(card).to_contain_text("generic_decline")
    press(card, "Pay")
    press(card, "Capture")
    expect(card.get_by_text("captured", exact=True)).to_be_visible()
    press(card, "Inquiry")
    press(card, "Close")
    expect(card).to_contain_text("warning closed")
    press(card, "Refund")
    expect(card).to_contain_text("−$777.00")
    press(card, "Fail")
    expect(card).to_contain_text("expired_or_canceled_card")
    charges = stripe_sdk.v1.charges.list({"payment_intent": intent.id}).data
    assert (charges[0].captured, charges[0].amount_refunded) == (True, 0)


def test_a_bank_debit_bounces_and_an_intent_is_cancelled(page: Page, stripe_sdk: stripe.StripeClient) -> None:
    intent = stripe_sdk.v1.payment_intents.create({"amount": 5000, "currency": "eur"})
    card = page.locator(f"[data-id={intent.id}]")
    press(card, "Bank debit")
    press(card, "Bounce")
    expect(card).to_contain_text("insufficient_funds")
    press(card, "Cancel")
    expect(card.get_by_text("canceled", exact=True)).to_be_visible()


def test_the_balance_is_paid_out(
    page: Page, stripe_sdk: stripe.StripeClient, stripe_simulator: StripeSimulator
) -> None:
    intent = stripe_sdk.v1.payment_intents.create({"amount": 50_000, "currency": "gbp"})
    stripe_simulator.pay_intent(intent.id)
    row = page.locator("[data-id=stripe-balance] .row", has_text="£")
    press(row, "Pay out")
    eventually(lambda: [p for p in stripe_sdk.v1.payouts.list().data if p.currency == "gbp"])
    expect(row).to_have_count(0)
