"""Currencies as Stripe lists them (docs, Supported currencies; Minimum and maximum charge amounts)."""

ZERO_DECIMALS = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMALS = frozenset("bhd jod kwd omr tnd".split())
WHOLE_ONLY = frozenset({"isk", "ugx"})  # two decimals in the API, always 00
TWO_DECIMALS = WHOLE_ONLY | frozenset(
    """aed afn all amd aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny
    cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr
    jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn
    nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd szl thb
    tjs top try ttd twd tzs uah usd uyu uzs wst xcd yer zar zmw""".split()
)
AMOUNT_MAX = 99_999_999
MINIMUMS = {
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17_500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300,
    "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip


def decimals(currency: str) -> int | None:
    """How many decimals the API's integer stands for, None for a currency that is not taken."""
    if currency in TWO_DECIMALS:
        return 2
    if currency in ZERO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else None


def shown(amount: int, currency: str) -> str:
    """An amount as Stripe's messages write it, for dollars `$25.00`."""
    places = decimals(currency) or 0
    text = f"{amount / 10**places:,.{places}f}"
    return f"${text}" if currency == "usd" else f"{text} {currency.upper()}"
