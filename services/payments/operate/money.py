"""Amounts as a person types and reads them, in the currency's own decimals."""

from decimal import Decimal, InvalidOperation, Overflow

from shared.errors import Rejected
from shared.money import AMOUNT_MAX, Money, exponent


def minor_units(typed: str, currency: str) -> int:
    """`12.50` in minor units. Raises Rejected: not a number, more decimals than it has, not above 0."""
    digits = exponent(currency)
    try:
        amount = Decimal(typed)
    except InvalidOperation:
        raise Rejected("invalid-amount", f"{typed!r} is not an amount like 12.50") from None
    if not amount.is_finite() or amount <= 0:
        raise Rejected("invalid-amount", "the amount must be above 0")
    try:
        scaled = amount.scaleb(digits)
    except Overflow:
        raise _too_large(typed) from None
    if scaled != scaled.to_integral_value():
        raise Rejected("invalid-amount", f"{currency} has {digits} decimals: {typed} has more")
    if scaled > AMOUNT_MAX:
        raise _too_large(typed)
    return int(scaled)


def _too_large(typed: str) -> Rejected:
    return Rejected("invalid-amount", f"{typed} is beyond any amount that is held here")


def shown(amount: int, currency: str) -> str:
    """`₹1,234.50`; an amount that no currency explains as it is."""
    try:
        return Money(amount, currency).text()
    except ValueError:
        return f"{amount} {currency}"
