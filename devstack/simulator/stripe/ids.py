"""Stripe's ids: a prefix and 24 letters and digits."""

import secrets
import string

_LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """Random and not from the seed: a wiped ledger must not reissue ids that others still hold."""
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(length))}"
