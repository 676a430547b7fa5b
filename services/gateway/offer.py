"""Which providers can take a payment, and what their checkouts need from us."""

from collections.abc import Mapping
from urllib.parse import urlencode

from services.gateway.views import View
from shared.errors import Rejected
from shared.providers.base import Adapter

RETURN_PATH = "/api/payments/return/"


class OptionView(View, frozen=True, kw_only=True):
    """One provider that can take this order. `keyId` is public: its browser SDK needs it."""

    provider: str
    key_id: str
    currency: str


class Offer:
    """The configured providers, in the order in which they are preferred."""

    def __init__(self, adapters: Mapping[str, Adapter], shop_name: str, public_base: str) -> None:
        self._adapters = adapters
        self._shop_name = shop_name
        self._public_base = public_base

    def options(self, amount: int, currency: str) -> list[OptionView]:
        """The providers that can express and take this amount."""
        return [
            OptionView(provider=a.name, key_id=a.key_id, currency=currency)
            for a in self._adapters.values()
            if _refusal(a, amount, currency) is None
        ]

    def check_payable(self, amount: int, currency: str) -> None:
        """Refuses an order that no provider could ever take, with the reason of the first one asked."""
        refusals = [_refusal(a, amount, currency) for a in self._adapters.values()]
        if refusals and all(refusals):
            raise next(r for r in refusals if r is not None)

    def key_id(self, provider: str) -> str:
        return self._adapter(provider).key_id

    def checkout(
        self, provider: str, order_id: str, prefill: Mapping[str, str], opened: Mapping[str, str]
    ) -> dict[str, object]:
        """What the provider's browser SDK needs besides key, ids and amount."""
        query = urlencode({"orderId": order_id})
        return {
            "name": self._shop_name,
            "prefill": dict(prefill),
            "callbackUrl": f"{self._public_base}{RETURN_PATH}{provider}?{query}",
            **self._adapter(provider).checkout(opened),
        }

    def check_proof(self, provider: str, proof: Mapping[str, str]) -> tuple[str, str | None]:
        """(provider order id, charge id) that the checkout brought back; Rejected `bad-signature`."""
        return self._adapter(provider).check_proof(proof)

    def _adapter(self, provider: str) -> Adapter:
        adapter = self._adapters.get(provider)
        if adapter is None:
            raise Rejected("provider-unknown", "this provider is not offered")
        return adapter


def _refusal(adapter: Adapter, amount: int, currency: str) -> Rejected | None:
    try:
        adapter.check_amount(amount, currency)
    except Rejected as error:
        return error
    return None
