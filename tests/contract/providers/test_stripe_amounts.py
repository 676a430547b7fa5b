"""Stripe's own minor units: each amount goes there and back, and what it cannot take is refused up front."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Rejected
from shared.money import exponent
from shared.providers.stripe import amounts
from tests.contract.providers.drivers.stripe import stripe_adapter_at

ADAPTER = stripe_adapter_at("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("ours", "currency", "theirs"),
    [
        (1099, "USD", 1099),
        (500, "JPY", 500),
        (500, "KRW", 500),
        (12_340, "KWD", 12_340),
        (500, "ISK", 50_000),
        (500, "UGX", 50_000),
        (17_550, "HUF", 17_550),
        (800_00, "TWD", 800_00),
        (500_00, "MGA", 500),
        (123_456, "INR", 123_456),
    ],
)
def test_an_amount_goes_to_stripe_and_back(ours: int, currency: str, theirs: int) -> None:
    assert amounts.to_stripe(ours, currency) == theirs
    assert amounts.from_stripe(theirs, currency) == ours
    ADAPTER.check_amount(ours, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (49, "USD", "amount-out-of-range"),
        (29, "GBP", "amount-out-of-range"),
        (49, "JPY", "amount-out-of-range"),
        (100_000_000, "USD", "amount-out-of-range"),
        (1_000_000, "ISK", "amount-out-of-range"),
        (12_345, "KWD", "amount-not-representable"),
        (50_050, "MGA", "amount-not-representable"),
        (500, "IQD", "currency-not-supported"),
        (500, "IRR", "currency-not-supported"),
        (500, "XXX", "currency-not-supported"),
    ],
)
def test_what_stripe_cannot_take_is_refused_up_front(amount: int, currency: str, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        ADAPTER.check_amount(amount, currency)


@pytest.mark.parametrize(("amount", "currency"), [(1, "USD"), (1000, "CZK"), (100, "ISK")])
def test_less_than_the_least_charge_can_be_given_back(amount: int, currency: str) -> None:
    ADAPTER.check_refund(amount, currency)


@pytest.mark.parametrize(("amount", "currency"), [(0, "USD"), (-1, "USD"), (12_345, "KWD"), (5, "XXX")])
def test_what_stripe_cannot_give_back_is_refused_up_front(amount: int, currency: str) -> None:
    with pytest.raises(Rejected):
        ADAPTER.check_refund(amount, currency)


@pytest.mark.parametrize(("amount", "currency"), [(50, "USD"), (99_999_999, "USD"), (999_999, "ISK")])
def test_the_limits_themselves_are_taken(amount: int, currency: str) -> None:
    ADAPTER.check_amount(amount, currency)


ALL = sorted(amounts.ZERO_DECIMAL | amounts.TWO_DECIMAL | amounts.THREE_DECIMAL | amounts.WHOLE_TWO_DECIMAL)


@given(st.sampled_from(ALL), st.integers(min_value=1, max_value=10**9))
def test_no_amount_changes_on_the_way(currency: str, amount: int) -> None:
    try:
        theirs = amounts.to_stripe(amount, currency)
    except Rejected:
        assert exponent(currency) == 3 or currency == "MGA"
        return
    assert amounts.from_stripe(theirs, currency) == amount
