"""Decimal texts and minor units: both ways, never rounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Malformed, Rejected
from shared.providers.paypal.amounts import CURRENCIES, check, decimal_text, minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1, "USD", "0.01"),
        (1050, "USD", "10.50"),
        (100_000_00, "EUR", "100000.00"),
        (500, "JPY", "500"),
        (12_300, "HUF", "123"),
        (100, "TWD", "1"),
    ],
)
def test_amounts_as_paypal_writes_them(amount: int, currency: str, text: str) -> None:
    assert decimal_text(amount, currency) == text
    assert minor_units(text, currency) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (12_345, "HUF", "amount-not-representable"),
        (50, "TWD", "amount-not-representable"),
        (0, "USD", "amount-out-of-range"),
        (-1, "USD", "amount-out-of-range"),
        (100, "INR", "currency-not-supported"),
        (1000, "KWD", "currency-not-supported"),
        (1000, "XXX", "currency-not-supported"),
    ],
)
def test_what_paypal_cannot_take_is_refused_up_front(amount: int, currency: str, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        check(amount, currency)


@pytest.mark.parametrize(
    "text", ["", "1,00", "1e3", " 1", "1.", ".5", "NaN", "--1", "1.001", "٣", "1" * 16, "1.0000000001"]
)
def test_a_text_that_is_no_amount_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        minor_units(text, "USD")


def test_more_zeros_than_decimals_are_no_fraction() -> None:
    assert minor_units("10.000", "USD") == 1000
    assert minor_units("-10.5", "USD") == -1050
    assert minor_units("7.00", "JPY") == 7


@given(st.integers(1, 10**12), st.sampled_from(sorted(CURRENCIES)))
def test_there_and_back(amount: int, currency: str) -> None:
    amount -= amount % 100 if currency in ("HUF", "TWD") else 0
    if amount:
        assert minor_units(decimal_text(amount, currency), currency) == amount
