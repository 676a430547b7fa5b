"""Builds the adapters that the settings name."""

from shared.providers.base import Adapter
from shared.providers.paypal import PayPalAdapter
from shared.providers.razorpay import RazorpayAdapter
from shared.settings import ProviderSettings


def adapters(settings: ProviderSettings) -> dict[str, Adapter]:
    """The configured adapters by name, in the order in which routing prefers them."""
    found: dict[str, Adapter] = {}
    if settings.razorpay is not None:
        found["razorpay"] = RazorpayAdapter(settings.razorpay)
    if settings.paypal is not None:
        found["paypal"] = PayPalAdapter(settings.paypal)
    return found
