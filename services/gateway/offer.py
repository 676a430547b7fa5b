"""Which providers can take a payment, and what their checkouts need from us."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from services.gateway.views import View
from shared.errors import Malformed, Rejected
from shared.providers.base import Adapter
from shared.providers.registry import PROOFS, preferred
from shared.settings import ProviderSettings

RETURN_PATH = "/api/payments/return/"
POSTS_BACK = frozenset({"razorpay"})  # whose redirect checkout ends with a form post to us

Capture = Literal["automatic", "manual"]


class OptionView(View, frozen=True, kw_only=True):
    """One provider that can take this order. `keyId` is public: its browser SDK needs it."""

    provider: str
    key_id: str
    currency: str


class Offer:
    """The configured providers, in the order in which they are preferred."""

    def __init__(
        self,
        adapters: Mapping[str, Adapter],
        settings: ProviderSettings,
        shop_name: str,
        public_base: str,
        return_url: str,
    ) -> None:
        self._adapters = adapters
        self._settings = settings
        self._shop_name = shop_name
        self._public_base = public_base
        self._return_url = return_url

    def options(self, amount: int, currency: str, capture: Capture = "automatic") -> list[OptionView]:
        """The providers that can express and take this amount, the preferred one first."""
        return [
            OptionView(provider=a.name, key_id=a.key_id, currency=currency)
            for a in preferred(self._adapters, self._settings, currency)
            if _refusal(a, amount, currency, capture) is None
        ]

    def check_payable(self, amount: int, currency: str, capture: Capture) -> None:
        """Refuses an order that no provider could ever take, with the reason of the first one asked."""
        asked = preferred(self._adapters, self._settings, currency)
        refusals = [_refusal(a, amount, currency, capture) for a in asked]
        if refusals and all(refusals):
            raise next(r for r in refusals if r is not None)

    def key_id(self, provider: str) -> str:
        return self._adapter(provider).key_id

    def checkout(
        self, provider: str, order_id: str, prefill: Mapping[str, str], opened: Mapping[str, str]
    ) -> dict[str, object]:
        """What the provider's browser SDK needs besides key, ids and amount.

        Where a provider needs a `returnUrl` and the settings name none, it is the shop's.
        """
        checkout = {
            "name": self._shop_name,
            "prefill": dict(prefill),
            **self._adapter(provider).checkout(opened),
        }
        if provider in POSTS_BACK:
            query = urlencode({"orderId": order_id})
            checkout["callbackUrl"] = f"{self._public_base}{RETURN_PATH}{provider}?{query}"
        if checkout.get("returnUrl") == "":
            checkout["returnUrl"] = with_order(self._return_url, order_id)
        return checkout

    def check_proof(self, proof: Mapping[str, str]) -> tuple[str, str, str | None]:
        """(provider, provider order id, charge id) that the checkout brought back.

        Raises Malformed `bad-proof` when the fields are not exactly one provider's, and Rejected
        `bad-signature`.
        """
        provider = next((name for name, fields in PROOFS.items() if set(fields) == set(proof)), None)
        if provider is None:
            raise Malformed("bad-proof", "send the fields of one provider's checkout, all of them")
        return provider, *self._adapter(provider).check_proof(proof)

    def _adapter(self, provider: str) -> Adapter:
        adapter = self._adapters.get(provider)
        if adapter is None:
            raise Rejected("provider-unknown", "this provider is not offered")
        return adapter


def _refusal(adapter: Adapter, amount: int, currency: str, capture: Capture) -> Rejected | None:
    if capture == "manual" and not adapter.capabilities.manual_capture:
        return Rejected("not-supported-by-provider", "it cannot hold money for a capture by hand")
    try:
        adapter.check_amount(amount, currency)
    except Rejected as error:
        return error
    return None


def with_order(address: str, order_id: str) -> str:
    """The configured address with the order's id; nothing of the request decides where it leads."""
    parts = urlsplit(address)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("orderId", order_id)])
    return urlunsplit(parts._replace(query=query))
