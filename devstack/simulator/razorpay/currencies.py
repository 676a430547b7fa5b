"""Currencies and their decimals as Razorpay lists them (docs, International payments)."""

TWO_DECIMALS = frozenset(
    """AED ALL AMD AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BZD CAD CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ETB EUR FJD GBP GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR
    JMD KES KGS KHR KYD KZT LAK LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SCR SEK SGD SLL SOS SVC SZL THB TRY
    TTD TWD TZS UAH USD UYU UZS XCD YER ZAR ZMW""".split()
)
ZERO_DECIMALS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())
THREE_DECIMALS = frozenset("BHD IQD JOD KWD OMR TND".split())


def decimals(currency: str) -> int | None:
    """How many decimals an amount has, None for a currency that is not taken."""
    if currency in TWO_DECIMALS:
        return 2
    if currency in ZERO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else None


def minimum(currency: str) -> int:
    """₹1.00 for rupees; for other currencies no minimum is published."""
    return 100 if currency == "INR" else 1
