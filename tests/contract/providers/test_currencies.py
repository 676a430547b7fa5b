"""Zero-, two- and three-decimal currencies through create, payment, webhook and refund at each provider.

Our amounts are ISO 4217 minor units; what stands at the provider is typed from its own documents.
"""

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import msgspec
import pytest

from shared.errors import Rejected
from shared.messages.facts import ProviderOrderFact
from shared.money import currencies
from shared.providers.base import Adapter
from shared.providers.paypal import PayPalAdapter
from shared.providers.stripe.objects import Charge
from shared.providers.stripe.reading import charge
from tests.contract.providers.contract.driver import Driver, until
from tests.contract.providers.contract.orders import giving_back
from tests.contract.providers.contract.payment_scenarios import paid
from tests.contract.providers.drivers.paypal import PayPalDriver, paypal_adapter_at
from tests.contract.providers.drivers.razorpay import RazorpayDriver, razorpay_adapter_at
from tests.contract.providers.drivers.stripe import StripeDriver, stripe_adapter_at


class Case(NamedTuple):
    """An amount and a part of it in our minor units, and the amount as it stands at the provider."""

    driver: type[Driver]
    currency: str
    amount: int
    part: int
    there: int | str


CASES = [
    Case(RazorpayDriver, "JPY", 1234, 34, 1234),
    Case(RazorpayDriver, "INR", 123_456, 156, 123_456),
    Case(RazorpayDriver, "USD", 1234, 34, 1234),
    Case(RazorpayDriver, "KWD", 12_340, 1230, 12_340),
    Case(StripeDriver, "JPY", 1234, 34, 1234),
    Case(StripeDriver, "INR", 123_456, 56, 123_456),
    Case(StripeDriver, "EUR", 1234, 34, 1234),
    Case(StripeDriver, "KWD", 12_340, 1230, 12_340),
    Case(StripeDriver, "ISK", 1234, 34, 123_400),  # no decimals in ISO 4217, two at Stripe, both 0
    Case(StripeDriver, "UGX", 12_345, 345, 1_234_500),
    Case(StripeDriver, "HUF", 1_234_500, 500, 1_234_500),  # two decimals for charges
    Case(StripeDriver, "TWD", 123_400, 400, 123_400),
    Case(StripeDriver, "MGA", 500_000, 10_000, 5000),  # two decimals in ISO 4217, none at Stripe
    Case(PayPalDriver, "JPY", 1234, 34, "1234"),
    Case(PayPalDriver, "USD", 1234, 34, "12.34"),
    Case(PayPalDriver, "EUR", 100_000, 1, "1000.00"),
    Case(PayPalDriver, "HUF", 123_400, 400, "1234"),  # two decimals in ISO 4217, none at PayPal
    Case(PayPalDriver, "TWD", 123_400, 400, "1234"),
]
REFUSALS = {"currency-not-supported", "amount-not-representable", "amount-out-of-range"}
NOBODY = "http://127.0.0.1:9"
OFFLINE: dict[str, Adapter] = {
    "razorpay": razorpay_adapter_at(NOBODY),
    "stripe": stripe_adapter_at(NOBODY),
    "paypal": paypal_adapter_at(NOBODY),
}
IDS = [f"{case.driver.name}-{case.currency}" for case in CASES]


@pytest.fixture(scope="module")
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with request.param.running(tmp_path_factory.mktemp(request.param.name)) as driver:
        yield driver


@pytest.fixture
async def adapter(driver: Driver) -> AsyncIterator[Adapter]:
    adapter = driver.adapter()
    yield adapter
    await adapter.close()


async def _there(driver: Driver, adapter: Adapter, opened: ProviderOrderFact) -> int | str:
    """The amount of an order in the provider's own books or words."""
    if isinstance(adapter, PayPalAdapter):
        (unit,) = (await adapter._order(opened.provider_order_id)).purchase_units
        assert unit.amount is not None
        return unit.amount.value
    assert isinstance(driver, RazorpayDriver | StripeDriver)
    kind = "orders" if isinstance(driver, RazorpayDriver) else "payment_intents"
    rows = driver.simulator.ledger()[driver.name][kind]
    return int(next(row["amount"] for row in rows if row["id"] == opened.provider_order_id))


@pytest.mark.parametrize(("driver", "case"), [(c.driver, c) for c in CASES], ids=IDS, indirect=["driver"])
async def test_an_amount_is_the_same_everywhere(driver: Driver, case: Case, adapter: Adapter) -> None:
    adapter.check_amount(case.amount, case.currency)
    opened, taken = await paid(adapter, driver, case.amount, case.currency)
    assert (opened.amount, opened.currency) == (case.amount, case.currency)
    assert await _there(driver, adapter, opened) == case.there
    assert (taken.amount, taken.currency) == (case.amount, case.currency)
    made = await adapter.refund(giving_back(taken, case.part))
    assert (made.amount, made.currency) == (case.part, case.currency)
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving_back(taken, case.amount))

    async def told() -> list[tuple[int, str]]:
        """Amounts of the webhooks; where they are hints, they lead to the read above."""
        contents = [adapter.read_webhook(d.body) for d in driver.heard(opened.provider_order_id)]
        if any(content.hint for content in contents):
            return [(case.amount, case.currency)]
        return [(each.amount, each.currency) for content in contents for each in content.seen.charges]

    assert set(await until(told, "a webhook with an amount")) == {(case.amount, case.currency)}


@pytest.mark.parametrize(
    ("kind", "amount", "currency", "code"),
    [
        (RazorpayDriver, 99, "INR", "amount-out-of-range"),
        (RazorpayDriver, 12_345, "KWD", "amount-not-representable"),
        (RazorpayDriver, 0, "USD", "amount-out-of-range"),
        (RazorpayDriver, 500, "VND", "currency-not-supported"),
        (RazorpayDriver, 500, "IRR", "currency-not-supported"),
        (StripeDriver, 49, "USD", "amount-out-of-range"),
        (StripeDriver, 100_000_000, "USD", "amount-out-of-range"),
        (StripeDriver, 17_499, "HUF", "amount-out-of-range"),
        (StripeDriver, 1_000_000, "ISK", "amount-out-of-range"),
        (StripeDriver, 12_345, "KWD", "amount-not-representable"),
        (StripeDriver, 500_050, "MGA", "amount-not-representable"),
        (StripeDriver, 500, "IRR", "currency-not-supported"),
        (PayPalDriver, 12_345, "HUF", "amount-not-representable"),
        (PayPalDriver, 12_345, "TWD", "amount-not-representable"),
        (PayPalDriver, 12_340, "KWD", "currency-not-supported"),
        (PayPalDriver, 12_340, "INR", "currency-not-supported"),
        (PayPalDriver, 0, "USD", "amount-out-of-range"),
    ],
)
def test_what_a_provider_cannot_take_is_refused_up_front(
    kind: type[Driver], amount: int, currency: str, code: str
) -> None:
    adapter = OFFLINE[kind.name]
    with pytest.raises(Rejected) as caught:
        adapter.check_amount(amount, currency)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["razorpay", "stripe", "paypal"])
def test_every_currency_has_an_answer_for_every_amount(name: str) -> None:
    """Taken or refused with a code: no currency and no amount is an accident."""
    for currency in sorted(currencies()):
        for amount in (1, 50, 99, 100, 12_345, 12_340, 99_999_999, 99_999_999_999):
            answer = _answer(OFFLINE[name], amount, currency)
            assert answer in REFUSALS | {"taken"}, f"{amount} {currency}"


def _answer(adapter: Adapter, amount: int, currency: str) -> str:
    try:
        adapter.check_amount(amount, currency)
    except Rejected as refused:
        return refused.code
    return "taken"


def test_a_fee_in_parts_of_a_unit_does_not_hide_its_charge() -> None:
    line = {"id": "txn_1", "amount": 123_400, "fee": 3609, "net": 119_791, "currency": "isk",
            "type": "charge", "created": 1_700_000_000}  # fmt: skip
    entity = {"id": "ch_1", "amount": 123_400, "amount_captured": 123_400, "currency": "isk",
              "status": "succeeded", "captured": True, "payment_intent": "pi_1", "created": 1_700_000_000,
              "balance_transaction": line}  # fmt: skip
    fact = charge(msgspec.convert(entity, Charge))
    assert (fact.state, fact.amount, fact.fee) == ("captured", 1234, None)
