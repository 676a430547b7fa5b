"""PayPal. Facts: PayPal docs (Orders v2, Payments v2, Disputes, Transaction Search, Webhooks)."""

from shared.providers.paypal.adapter import PayPalAdapter

__all__ = ["PayPalAdapter"]
