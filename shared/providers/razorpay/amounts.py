"""Which amounts Razorpay takes: its integers are ISO 4217 minor units, for the currencies that it lists.

Facts (Razorpay docs, International Payments; Create an Order): the last digit of three-decimal amounts is
0; rupees begin at ₹1.00; for other currencies no minimum is published.
"""

from shared.errors import Rejected
from shared.money import exponent

TWO_DECIMAL = frozenset(
    """AED ALL AMD AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BZD CAD CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ETB EUR FJD GBP GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR
    JMD KES KGS KHR KYD KZT LAK LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SCR SEK SGD SLL SOS SVC SZL THB TRY
    TTD TWD TZS UAH USD UYU UZS XCD YER ZAR ZMW""".split()
)
ZERO_DECIMAL = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF".split())
THREE_DECIMAL = frozenset("BHD IQD JOD KWD OMR TND".split())
MINIMUM = {"INR": 100}  # minor units


def check(amount: int, currency: str) -> None:
    """Raises Rejected when Razorpay cannot take this amount."""
    if _decimals(currency) != exponent(currency):
        raise Rejected("currency-not-supported", f"Razorpay does not take {currency}")
    least = MINIMUM.get(currency, 1)
    if amount < least:
        raise Rejected("amount-out-of-range", f"Razorpay takes at least {least} in {currency}")
    if currency in THREE_DECIMAL and amount % 10:
        raise Rejected("amount-not-representable", f"in {currency} the last digit must be 0 at Razorpay")


def _decimals(currency: str) -> int | None:
    """None for a currency that Razorpay does not list."""
    if currency in TWO_DECIMAL:
        return 2
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else None
