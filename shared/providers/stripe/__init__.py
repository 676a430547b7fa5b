"""Stripe. Facts: Stripe docs (PaymentIntents, Webhooks, Idempotent requests) and the SDK `stripe` 16.1.0."""

from shared.providers.stripe.adapter import StripeAdapter

__all__ = ["StripeAdapter"]
