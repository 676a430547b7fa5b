"""One merchant's accounts at the three simulated providers: their keys, and who is told which.

The simulator gets each account in its configuration file, the services get theirs in the environment.
"""

import json
import secrets
import string
from dataclasses import dataclass
from pathlib import Path

from devstack.secret_file import random_secret

# PayPal's own is up to three hours late; nobody who tries this system out wants to wait for that.
PAYPAL_REPORT_LAG_S = 600.0

_LETTERS = string.ascii_letters + string.digits


def _id(prefix: str, length: int = 14, letters: str = _LETTERS) -> str:
    return prefix + "".join(secrets.choice(letters) for _ in range(length))


def new_keys() -> dict[str, str]:
    """Name → value of everything that a provider and its merchant share, in the provider's own form."""
    capitals = string.ascii_uppercase + string.digits
    return {
        "razorpay_key_id": _id("rzp_test_"),
        "razorpay_key_secret": random_secret(),
        "razorpay_webhook_secret": random_secret(),
        "razorpay_account": _id("acc_"),
        "stripe_secret_key": _id("sk_test_", 48),
        "stripe_publishable_key": _id("pk_test_", 48),
        "stripe_webhook_secret": _id("whsec_", 32),
        "stripe_account": _id("acct_", 16),
        "paypal_client_id": _id("A", 79),
        "paypal_client_secret": _id("E", 79),
        "paypal_webhook_id": _id("", 17, capitals),
        "paypal_merchant_id": _id("", 13, capitals),
    }


@dataclass(frozen=True)
class Accounts:
    """The three accounts of one stack, and the addresses at which everyone finds everyone."""

    keys: dict[str, str]
    simulator_url: str
    gateway_url: str
    return_url: str
    simulator_folder: Path

    def simulator_config(self) -> dict[str, dict[str, str | float]]:
        """The simulator's configuration file."""
        keys, webhooks = self.keys, f"{self.gateway_url}/api/payments/webhook"
        return {
            "razorpay": {
                "key_id": keys["razorpay_key_id"],
                "key_secret": keys["razorpay_key_secret"],
                "webhook_secret": keys["razorpay_webhook_secret"],
                "account_id": keys["razorpay_account"],
                "webhook_url": f"{webhooks}/razorpay",
            },
            "stripe": {
                "secret_key": keys["stripe_secret_key"],
                "publishable_key": keys["stripe_publishable_key"],
                "webhook_secret": keys["stripe_webhook_secret"],
                "account_id": keys["stripe_account"],
                "webhook_url": f"{webhooks}/stripe",
            },
            "paypal": {
                "client_id": keys["paypal_client_id"],
                "client_secret": keys["paypal_client_secret"],
                "webhook_id": keys["paypal_webhook_id"],
                "merchant_id": keys["paypal_merchant_id"],
                "webhook_url": f"{webhooks}/paypal",
                "report_lag_s": PAYPAL_REPORT_LAG_S,
            },
        }

    def service_settings(self) -> dict[str, str]:
        """The settings of a service that talks to the providers."""
        return {
            f"PROVIDERS__{provider}__{name}": value
            for provider, values in (
                ("RAZORPAY", self._razorpay()),
                ("STRIPE", self._stripe()),
                ("PAYPAL", self._paypal()),
            )
            for name, value in values.items()
        }

    def _razorpay(self) -> dict[str, str]:
        return {
            "KEY_ID": self.keys["razorpay_key_id"],
            "KEY_SECRET": self.keys["razorpay_key_secret"],
            "WEBHOOK_SECRETS": json.dumps([self.keys["razorpay_webhook_secret"]]),
            "ACCOUNT": self.keys["razorpay_account"],
            "BASE_URL": self.simulator_url,
            "CHECKOUT_SCRIPT": f"{self.simulator_url}/v1/checkout.js",
        }

    def _stripe(self) -> dict[str, str]:
        return {
            "SECRET_KEY": self.keys["stripe_secret_key"],
            "PUBLISHABLE_KEY": self.keys["stripe_publishable_key"],
            "WEBHOOK_SECRETS": json.dumps([self.keys["stripe_webhook_secret"]]),
            "ACCOUNT": self.keys["stripe_account"],
            "BASE_URL": f"{self.simulator_url}/stripe",
            "CHECKOUT_SCRIPT": f"{self.simulator_url}/stripe/v3/",
            "RETURN_URL": self.return_url,
        }

    def _paypal(self) -> dict[str, str]:
        return {
            "CLIENT_ID": self.keys["paypal_client_id"],
            "CLIENT_SECRET": self.keys["paypal_client_secret"],
            "WEBHOOK_ID": self.keys["paypal_webhook_id"],
            "ACCOUNT": self.keys["paypal_merchant_id"],
            "BASE_URL": self.simulator_url,
            "CERTIFICATE_HOSTS": json.dumps([self.simulator_url]),
            "CERTIFICATE_AUTHORITIES": str(self.simulator_folder / "paypal" / "root.pem"),
            "RETURN_URL": self.return_url,
            "CANCEL_URL": f"{self.return_url}?cancelled=1",
        }
