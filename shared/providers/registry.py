"""Every provider that there is: builds the adapters that the settings name, says which is preferred.

A provider more is a line in ADAPTERS and one in PROOFS (docs/adding-a-provider.md).
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.providers.base import Adapter
from shared.providers.paypal import PayPalAdapter
from shared.providers.razorpay import RazorpayAdapter
from shared.providers.stripe import StripeAdapter
from shared.settings import ProviderSettings


def adapters(settings: ProviderSettings) -> dict[str, Adapter]:
    """The configured adapters by name, in the order in which routing prefers them."""
    configured = settings.configured()
    return {name: build(configured[name]) for name, build in ADAPTERS.items() if name in configured}


# How each is built from its own section of the settings.
ADAPTERS: dict[str, Callable[[Any], Adapter]] = {
    "razorpay": RazorpayAdapter,
    "stripe": StripeAdapter,
    "paypal": PayPalAdapter,
}

# What each provider's checkout hands to the buyer's browser: the fields of a verify, none in two of them.
PROOFS: dict[str, tuple[str, ...]] = {
    "razorpay": ("razorpay_payment_id", "razorpay_order_id", "razorpay_signature"),
    "stripe": ("payment_intent",),
    "paypal": ("paypal_order_id",),
}


def preferred(found: Mapping[str, Adapter], settings: ProviderSettings, currency: str) -> list[Adapter]:
    """All of them in the order that the settings prefer for this currency; who is not named comes last."""
    order = settings.order_by_currency.get(currency, settings.order)
    named = [found[name] for name in order if name in found]
    return named + [adapter for name, adapter in found.items() if name not in order]
