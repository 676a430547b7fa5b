"""Razorpay's ids: a prefix and 14 case-sensitive letters and digits."""

import secrets
import string

_LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """Random and not from the seed: a wiped ledger must not reissue ids that others still hold."""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(14))}"
