"""Our amounts as Stripe writes them, and back: the only place that knows both.

Ours are ISO 4217 minor units. Stripe's differ where a currency has no decimals there (MGA), or is sent
with two although it has none in use (ISK, UGX) (Stripe docs, Supported currencies).
"""

from shared.errors import Malformed, Rejected
from shared.money import exponent

ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
WHOLE_TWO_DECIMAL = frozenset({"ISK", "UGX"})  # sent with two decimals that must be 00
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})  # the last digit must be 0
TWO_DECIMAL = frozenset(
    """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY
    COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR
    JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN
    NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB
    TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD YER ZAR ZMW""".split()
)

CHARGE_MAX = 99_999_999  # eight digits (Stripe docs, PaymentIntents, amount)
# The least that can be charged, in Stripe's units (Stripe docs, Minimum and maximum charge amounts).
# Elsewhere the minimum is what $0.50 is worth, which only Stripe can say.
CHARGE_MIN = {
    "USD": 50, "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17_500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300,
    "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000,
}  # fmt: skip


def to_stripe(amount: int, currency: str) -> int:
    """Our amount in Stripe's units. Rejected: `currency-not-supported`, `amount-not-representable`."""
    shift = _shift(currency)
    if shift is None:
        raise Rejected("currency-not-supported", f"Stripe does not take {currency}")
    scaled = _shifted(amount, shift)
    if scaled is None:
        raise Rejected("amount-not-representable", f"Stripe takes {currency} in whole units only")
    if currency in THREE_DECIMAL and scaled % 10:
        raise Rejected("amount-not-representable", f"in {currency} the last digit must be 0 at Stripe")
    return scaled


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's amount in our minor units; `currency` in upper case. Malformed when it is none of them."""
    shift = _shift(currency)
    if shift is None:
        raise Malformed("unknown-currency", f"Stripe states an amount in {currency!r:.20}")
    scaled = _shifted(amount, -shift)
    if scaled is None:
        raise Malformed("amount-not-representable", f"{amount} in {currency} is no whole minor unit")
    return scaled


def check(amount: int, currency: str) -> None:
    """Refuses what Stripe would not charge; the limit is said in our own minor units."""
    scaled = to_stripe(amount, currency)
    most = CHARGE_MAX - (CHARGE_MAX % 100 if currency in WHOLE_TWO_DECIMAL else 0)
    least = CHARGE_MIN.get(currency, 1)
    if scaled < least:
        limit = from_stripe(least, currency)
        raise Rejected("amount-out-of-range", f"Stripe takes at least {limit} in {currency}")
    if scaled > most:
        limit = from_stripe(most, currency)
        raise Rejected("amount-out-of-range", f"Stripe takes at most {limit} in {currency}")


def check_refund(amount: int, currency: str) -> None:
    """Refuses what Stripe cannot give back: any part of a charge can be (Stripe docs, Refunds)."""
    if to_stripe(amount, currency) < 1:
        raise Rejected("amount-out-of-range", "Stripe gives back at least the smallest unit of a currency")


def _shift(currency: str) -> int | None:
    """Stripe's decimals less ours; None for a currency that Stripe does not take."""
    if currency in TWO_DECIMAL or currency in WHOLE_TWO_DECIMAL:
        return 2 - exponent(currency)
    if currency in ZERO_DECIMAL:
        return -exponent(currency)
    return 3 - exponent(currency) if currency in THREE_DECIMAL else None


def _shifted(amount: int, decimals: int) -> int | None:
    """`amount` with so many decimals more, or fewer; None when something would be cut off."""
    factor = int(10 ** abs(decimals))
    if decimals >= 0:
        return amount * factor
    scaled, rest = divmod(amount, factor)
    return None if rest else scaled
