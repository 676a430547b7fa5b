"""Money is an integer in ISO 4217 minor units with its currency, never a float.

Decimals per currency come from CLDR (babel's copy of ISO 4217); what a provider does differently is
said by that provider's adapter.
"""

import re
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from babel.core import Locale, get_global
from babel.numbers import NumberPattern, get_territory_currencies

# CLDR's currencySpacing, which babel leaves out: `KWD 1.000`, never `KWD1.000`.
_CODE_BESIDE_DIGIT = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")

AMOUNT_MAX = 999_999_999_99  # minor units; 1 billion of a two-decimal currency, well inside 2**53

_NOT_MONEY = frozenset({"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XBA", "XBB", "XBC", "XBD", "XDR"})

# CLDR gives the decimals in daily use; ISO 4217 (the unit of our integers) differs for these.
_ISO_EXPONENTS = {
    "AFN": 2, "ALL": 2, "COP": 2, "CRC": 2, "CZK": 2, "DKK": 2, "HUF": 2, "IDR": 2, "IQD": 3, "IRR": 2,
    "KPW": 2, "LAK": 2, "LBP": 2, "MGA": 2, "MMK": 2, "MUR": 2, "NOK": 2, "PKR": 2, "RSD": 2, "SEK": 2,
    "SLE": 2, "SLL": 2, "SOS": 2, "SYP": 2, "TWD": 2, "TZS": 2, "UZS": 2, "YER": 2,
}  # fmt: skip


@cache
def currencies() -> frozenset[str]:
    """Every ISO 4217 code that is legal tender somewhere today, upper case."""
    territories = get_global("territory_currencies")
    return frozenset(c for t in territories for c in get_territory_currencies(t)) - _NOT_MONEY


@cache
def exponent(currency: str) -> int:
    """How many decimals the minor unit of `currency` stands for (JPY 0, INR 2, KWD 3)."""
    if currency in _ISO_EXPONENTS:
        return _ISO_EXPONENTS[currency]
    fractions = get_global("currency_fractions")
    digits: int = fractions.get(currency, fractions["DEFAULT"])[0]
    return digits


@cache
def _pattern(locale: str, digits: int) -> NumberPattern:
    """How `locale` writes money, with so many decimals: CLDR itself would leave out some of ISO's."""
    pattern: NumberPattern = copy(Locale.parse(locale).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units of one currency; arithmetic across currencies is refused."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise TypeError(f"amount must be an integer in minor units, got {type(self.amount).__name__}")
        if abs(self.amount) > AMOUNT_MAX:
            raise ValueError(f"amount {self.amount} is beyond {AMOUNT_MAX} minor units")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other).amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other).amount

    def _same(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other

    def decimal(self) -> str:
        """The plain decimal text, with as many decimals as the currency has: `1234.50`."""
        digits = exponent(self.currency)
        sign = "-" if self.amount < 0 else ""
        whole, part = divmod(abs(self.amount), 10**digits)
        return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"

    def text(self, locale: str = "en") -> str:
        """The amount as a reader of `locale` writes it: `₹1,234.50`."""
        pattern = _pattern(locale, exponent(self.currency))
        plain = pattern.apply(Decimal(self.decimal()), locale, currency=self.currency, currency_digits=False)
        return _CODE_BESIDE_DIGIT.sub("\N{NO-BREAK SPACE}", plain)
