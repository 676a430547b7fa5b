"""Stripe's webhook signature: hex HMAC-SHA256 over `t.body`, the time in the header beside it."""

import hmac
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from shared.errors import Rejected

SIGNATURE_HEADER = "stripe-signature"
TOLERANCE_S = 300  # the SDK's own; retries are signed anew (Stripe docs, Webhooks, Replay attacks)
SIGNATURES_MAX = 16  # one for each active secret; more is nobody's rotation


def signature(secret: bytes, time_text: str, body: bytes) -> str:
    """The `v1` of a body at a time; the key is the whole secret, its `whsec_` too (Stripe docs, Webhooks)."""
    return hmac.new(secret, time_text.encode() + b"." + body, sha256).hexdigest()


def verify(header: str, body: bytes, secrets: Iterable[bytes], now: datetime) -> None:
    """Raises Rejected `bad-signature` unless a `v1` holds and its time is near `now`, before or after.

    The detail is one word for the metric: missing, malformed, wrong or stale.
    """
    if not header:
        raise Rejected("bad-signature", "missing")
    time_text, given = _parts(header)
    expected = [signature(secret, time_text, body).encode() for secret in secrets]
    if not any(hmac.compare_digest(g.encode(), e) for g in given for e in expected):
        raise Rejected("bad-signature", "wrong")
    if abs(now.timestamp() - int(time_text)) > TOLERANCE_S:
        raise Rejected("bad-signature", "stale")


def _parts(header: str) -> tuple[str, list[str]]:
    """The time as it was signed, and every well-formed `v1`; other schemes are passed over."""
    times: list[str] = []
    given: list[str] = []
    for item in header.split(","):
        scheme, _, value = item.partition("=")
        if scheme == "t":
            times.append(value)
        elif scheme == "v1" and len(value) == 64 and value.isascii():
            given.append(value)
    if len(times) != 1 or not _is_time(times[0]) or not 0 < len(given) <= SIGNATURES_MAX:
        raise Rejected("bad-signature", "malformed")
    return times[0], given


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12 and str(int(text)) == text
