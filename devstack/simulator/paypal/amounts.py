"""PayPal's decimal texts and the ledger's integers, which are ISO 4217 minor units."""

import re

from devstack.simulator.paypal.errors import invalid, unprocessable

CURRENCIES = frozenset(
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS INR "
    "JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD".split()
)
NO_DECIMALS = frozenset({"HUF", "JPY", "TWD"})  # at PayPal
NO_MINOR_UNIT = frozenset({"JPY"})  # in ISO 4217

MISSING = "MISSING_REQUIRED_PARAMETER"

_VALUE = re.compile(r"(-?)([0-9]{1,20})(?:\.([0-9]{1,10}))?")


def text(amount: int, currency: str) -> str:
    """Minor units as PayPal shows them, with a sign where there is one."""
    sign = "-" if amount < 0 else ""
    if currency in NO_MINOR_UNIT:
        return f"{sign}{abs(amount)}"
    whole, part = divmod(abs(amount), 100)
    return f"{sign}{whole}" if currency in NO_DECIMALS else f"{sign}{whole}.{part:02d}"


def money(amount: int, currency: str) -> dict[str, object]:
    return {"currency_code": currency, "value": text(amount, currency)}


def read(given: object, field: str) -> tuple[int, str]:
    """(minor units, currency) of a money object in a request."""
    if not isinstance(given, dict):
        raise invalid(field, MISSING)
    currency, value = given.get("currency_code"), given.get("value")
    if not isinstance(currency, str) or len(currency) != 3:
        raise invalid(f"{field}/currency_code", "INVALID_STRING_LENGTH" if currency else MISSING)
    if currency not in CURRENCIES:
        raise unprocessable("CURRENCY_NOT_SUPPORTED", f"{field}/currency_code")
    read_value = _VALUE.fullmatch(value) if isinstance(value, str) else None
    if read_value is None:
        raise invalid(f"{field}/value", "INVALID_PARAMETER_SYNTAX" if value else MISSING)
    sign, whole, part = read_value[1], read_value[2], read_value[3] or ""
    if len(part) > (0 if currency in NO_DECIMALS else 2):
        raise unprocessable("DECIMAL_PRECISION", f"{field}/value")
    amount = int(whole) if currency in NO_MINOR_UNIT else int(whole) * 100 + int(part.ljust(2, "0"))
    if sign or amount == 0:
        raise unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE", f"{field}/value")
    return amount, currency
