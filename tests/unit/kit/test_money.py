"""Money as its reader writes it: as many decimals as the integer has, whatever is in daily use."""

import pytest

from shared.money import Money, currencies, exponent

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "text"),
    [
        (123_450, "INR", "en_IN", "₹1,234.50"),
        (12_345_010, "LAK", "de", f"123.450,10{NBSP}LAK"),
        (500, "MGA", "en", f"MGA{NBSP}5.00"),
        (1_000, "KWD", "en", f"KWD{NBSP}1.000"),
        (-1_234, "JPY", "en", "-¥1,234"),
    ],
)
def test_an_amount_has_the_decimals_of_its_minor_unit(
    amount: int, currency: str, locale: str, text: str
) -> None:
    assert Money(amount, currency).text(locale) == text


@pytest.mark.parametrize("locale", ["en", "de", "fr", "hi", "en_IN"])
def test_the_digits_of_every_currency_are_all_written(locale: str) -> None:
    for currency in currencies():
        written = Money(12_345_010, currency).text(locale)
        digits = "".join(sign for sign in written if sign.isdigit())
        assert digits == "12345010", (currency, exponent(currency), written)
