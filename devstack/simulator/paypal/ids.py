"""PayPal's ids. Random and not from the seed: a wiped ledger must not reissue ids that others still hold."""

import secrets
import string

_LETTERS = string.ascii_uppercase + string.digits


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def object_id() -> str:
    """17 upper-case letters and digits: orders, captures and refunds look alike."""
    return _letters(17)


def event_id() -> str:
    return f"WH-{_letters(17)}-{_letters(17)}"


def dispute_id() -> str:
    return f"PP-R-{_letters(3)}-{secrets.randbelow(90_000_000) + 10_000_000}"


def payer_id() -> str:
    return _letters(13)


def debug_id() -> str:
    return secrets.token_hex(7)[:13]
