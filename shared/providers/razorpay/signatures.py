"""Razorpay's two signatures. Both are lower-case hex HMAC-SHA256; a comparison takes constant time."""

import hmac
from collections.abc import Iterable
from hashlib import sha256

SIGNATURE_HEADER = "x-razorpay-signature"


def webhook_signature(secret: bytes, body: bytes) -> str:
    """The signature over a webhook's raw bytes (Razorpay docs, Validate and Test Webhooks)."""
    return hmac.new(secret, body, sha256).hexdigest()


def checkout_signature(key_secret: bytes, order_id: str, payment_id: str) -> str:
    """The signature the browser brings back (Razorpay docs, Standard Checkout, Verify Payment Signature)."""
    return hmac.new(key_secret, f"{order_id}|{payment_id}".encode(), sha256).hexdigest()


def matches(given: str, expected: Iterable[str]) -> bool:
    """Whether `given` is one of `expected`; anything but 64 lower-case hex digits is not."""
    if len(given) != 64 or not given.isascii():
        return False
    return any(hmac.compare_digest(given.encode(), e.encode()) for e in expected)
