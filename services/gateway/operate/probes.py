"""Test webhooks, signed with our own secrets as the providers sign theirs. They change nothing.

Written from the providers' pages, beside the adapters: a probe that the gateway takes shows that address,
secret and verification fit.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import msgspec
from pydantic import SecretStr

from shared.settings import ProviderSettings

EVENT = "paystream.probe"  # no provider's type: kept and counted as unknown


@dataclass(frozen=True, slots=True)
class Probe:
    """One webhook to send. `secret`: the number of the secret that signed it, the newest is 1."""

    provider: str
    secret: int
    headers: dict[str, str]
    body: bytes


def probes(settings: ProviderSettings, now: datetime) -> Iterator[Probe]:
    """One for each webhook secret that is set. PayPal signs with a key that only PayPal has: none for it."""
    at = int(now.timestamp())
    if settings.razorpay is not None:
        account = settings.razorpay.account
        event = {"entity": "event", "account_id": account, "event": EVENT, "payload": {}, "created_at": at}
        for number, secret in enumerate(settings.razorpay.webhook_secrets, start=1):
            body = msgspec.json.encode({**event, "contains": [f"secret {number}"]})
            # Hex HMAC-SHA256 over the raw body (Razorpay docs, Validate and Test Webhooks).
            yield Probe("razorpay", number, {"x-razorpay-signature": _hmac(secret, body)}, body)
    if settings.stripe is not None:
        live = "_live_" in settings.stripe.secret_key.get_secret_value()
        for number, secret in enumerate(settings.stripe.webhook_secrets, start=1):
            data = {"object": {"id": f"probe_{number}", "object": "probe"}}
            event = {"id": f"evt_probe_{at}_{number}", "object": "event", "type": EVENT, "created": at}
            body = msgspec.json.encode({**event, "livemode": live, "data": data})
            # `t.body` under the whole secret (Stripe docs, Webhooks, Verify manually).
            signature = _hmac(secret, f"{at}.".encode() + body)
            yield Probe("stripe", number, {"stripe-signature": f"t={at},v1={signature}"}, body)


def _hmac(secret: SecretStr, signed: bytes) -> str:
    return hmac.new(secret.get_secret_value().encode(), signed, sha256).hexdigest()
