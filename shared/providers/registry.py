"""Builds the adapters that the settings name, and says which of them is preferred."""

from collections.abc import Mapping

from shared.providers.base import Adapter
from shared.providers.paypal import PayPalAdapter
from shared.providers.razorpay import RazorpayAdapter
from shared.providers.stripe import StripeAdapter
from shared.settings import ProviderSettings


def adapters(settings: ProviderSettings) -> dict[str, Adapter]:
    """The configured adapters by name, in the order in which routing prefers them."""
    found: dict[str, Adapter] = {}
    if settings.razorpay is not None:
        found["razorpay"] = RazorpayAdapter(settings.razorpay)
    if settings.stripe is not None:
        found["stripe"] = StripeAdapter(settings.stripe)
    if settings.paypal is not None:
        found["paypal"] = PayPalAdapter(settings.paypal)
    return found


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
