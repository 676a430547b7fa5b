"""PayPal's decimal texts and our minor units: the one place where one becomes the other.

Facts (PayPal docs, Currency codes): two decimals, but HUF, JPY and TWD take none, whatever ISO 4217 says.
BRL, CNY, INR and MYR are for accounts in their own country only and are not offered.
"""

import re

from shared.errors import Malformed, Rejected
from shared.money import exponent

CURRENCIES = frozenset(
    "AUD CAD CHF CZK DKK EUR GBP HKD HUF ILS JPY MXN NOK NZD PHP PLN SEK SGD THB TWD USD".split()
)
ZERO_DECIMAL = frozenset({"HUF", "JPY", "TWD"})
AMOUNT_MAX = 10**15  # minor units, beyond any real amount; keeps nonsense out of the database

_DECIMAL = re.compile(r"(-?)(\d{1,15})(?:\.(\d{1,8}))?", re.ASCII)


def check(amount: int, currency: str) -> None:
    """Raises Rejected when PayPal cannot take this amount."""
    if currency not in CURRENCIES:
        raise Rejected("currency-not-supported", f"PayPal does not take {currency}")
    if amount < 1:
        raise Rejected("amount-out-of-range", "PayPal takes at least the smallest unit of a currency")
    if amount % _unit(currency):
        raise Rejected("amount-not-representable", f"PayPal takes whole {currency} only")


def decimal_text(amount: int, currency: str) -> str:
    """Minor units as PayPal writes them: USD 1050 is `10.50`, HUF 12300 is `123`."""
    check(amount, currency)
    digits = _digits(currency)
    whole, part = divmod(amount // _unit(currency), 10**digits)
    return f"{whole}.{part:0{digits}d}" if digits else str(whole)


def minor_units(value: str, currency: str) -> int:
    """PayPal's text in minor units, with its sign, or Malformed: it is never rounded."""
    read = _DECIMAL.fullmatch(value)
    digits = exponent(currency)
    if read is None:
        raise Malformed("provider-answer-unreadable", f"{value!r:.40} is not a decimal amount")
    sign, whole, part = read[1], read[2], read[3] or ""
    if part[digits:].strip("0"):
        raise Malformed("provider-answer-unreadable", f"{value!r:.40} has more decimals than {currency}")
    amount = int(whole + part[:digits].ljust(digits, "0"))
    if amount > AMOUNT_MAX:
        raise Malformed("amount-out-of-range", f"{value!r:.40} {currency} is beyond any real amount")
    return -amount if sign else amount


def _digits(currency: str) -> int:
    return 0 if currency in ZERO_DECIMAL else 2


def _unit(currency: str) -> int:
    """How many of our minor units PayPal's smallest unit is."""
    return int(10 ** (exponent(currency) - _digits(currency)))
