"""Text that people typed, made safe to show on one line."""

import unicodedata

TEXT_LENGTH_MAX = 400  # of one printed name; longer ones end in an ellipsis
_BIDI_CONTROLS = {
    "\u061c",
    "\u200e",
    "\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}
_PROVIDERS = {"razorpay": "Razorpay", "stripe": "Stripe", "paypal": "PayPal"}


def plain(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """One line of printable text: no control characters, no reversed writing, not endless."""
    shown = "".join(
        " " if c.isspace() or unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text
        if c not in _BIDI_CONTROLS and unicodedata.category(c) not in ("Cs", "Co", "Cn")
    )
    line = " ".join(shown.split())
    return line if len(line) <= length_max else line[: length_max - 1].rstrip() + "…"


def provider_name(provider: str) -> str:
    """The provider as buyers know it."""
    return _PROVIDERS.get(provider, plain(provider.title()))
