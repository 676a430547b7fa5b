"""Zero-, two- and three-decimal currencies through every service: paid, refunded in part, and printed."""

import re
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from devstack.demo.shopper import Order, Shopper
from devstack.stack import Stack
from shared.money import Money
from tests.chaos.checker.read_mails import read_mails
from tests.contract.providers.contract.driver import until

CASES = [
    ("razorpay", "JPY", 12_340, 340),
    ("razorpay", "USD", 12_340, 340),
    ("razorpay", "KWD", 12_340, 340),
    ("stripe", "JPY", 12_340, 340),
    ("stripe", "KWD", 12_340, 340),
    ("stripe", "ISK", 12_340, 340),
    ("stripe", "UGX", 12_340, 340),
    ("stripe", "TWD", 123_400, 400),
    ("paypal", "JPY", 12_340, 340),
    ("paypal", "EUR", 12_340, 340),
    ("paypal", "HUF", 1_234_000, 400),
    ("paypal", "TWD", 123_400, 400),
]
IDS = [f"{provider}-{currency}" for provider, currency, *_ in CASES]


@pytest.fixture
async def shopper(stack: Stack) -> AsyncIterator[Shopper]:
    async with aiohttp.ClientSession() as session:
        yield Shopper(stack, session)


async def _placed(shopper: Shopper, provider: str, currency: str, amount: int) -> Order:
    order_id = f"e2e-{uuid.uuid4().hex[:12]}"
    email = f"{order_id}@buyer.example"
    body = {
        "orderId": order_id,
        "amount": amount,
        "currency": currency,
        "customer": {"name": "Asha Rao", "email": email},
        "lines": [{"name": "Teapot", "quantity": 1, "unitAmount": amount}],
    }
    answer = await shopper._gateway("POST", "/api/orders", body, shopper._key())
    return Order(order_id, answer["checkoutToken"], amount, currency, email, "currencies", provider=provider)


@pytest.mark.parametrize(("provider", "currency", "amount", "part"), CASES, ids=IDS)
async def test_an_amount_is_paid_refunded_and_printed_as_it_was_ordered(
    stack: Stack, shopper: Shopper, provider: str, currency: str, amount: int, part: int
) -> None:
    order = await _placed(shopper, provider, currency, amount)
    await shopper.open(order)
    await shopper.verify(order, await shopper.pay(order))
    paid = await shopper.until(order, "paid")
    assert (paid["amount"], paid["currency"]) == (amount, currency)
    await shopper.refund(order, part)
    left = await shopper.until(order, "partially_refunded")
    assert (left["amount"], left["currency"]) == (amount, currency)

    async def mails() -> list[str]:
        found = [
            mail.text for mail in read_mails(stack.folder.path / "mailbox") if order.email in mail.recipients
        ]
        return found if len(found) == 2 else []

    receipt, note = await until(mails, "a receipt and a credit note")
    assert _number(amount, currency) in receipt
    assert _number(part, currency) in note


def _number(amount: int, currency: str) -> str:
    """As it is printed, without the currency's sign, which depends on the reader."""
    return re.sub(r"[^0-9.,]", "", Money(amount, currency).text())


async def test_what_no_provider_takes_is_refused_when_it_is_ordered(shopper: Shopper) -> None:
    with pytest.raises(RuntimeError, match="currency-not-supported"):
        await _placed(shopper, "razorpay", "IRR", 500)
