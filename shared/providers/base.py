"""What every provider's adapter offers. Services know this file and no provider."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.messages.facts import ChargeFact, ProviderOrderFact, WebhookContent


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to look at an open attempt that hears nothing. Seconds, before the time scale is applied."""

    after_verify_s: tuple[float, ...]
    while_open_s: tuple[float, ...]  # after the attempt was opened
    attempt_lifetime_s: float
    after_close_s: tuple[float, ...]  # late successes


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the provider can do; what it cannot is refused up front."""

    manual_capture: bool
    partial_capture: bool
    void: bool
    cancel_open: bool


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What we ask a provider to open: stored with the decision, sent exactly so.

    `reference` is our attempt's id, unique, and the key by which the order can be found again.
    """

    reference: str
    order_id: str
    amount: int
    currency: str
    capture_automatically: bool = True


class Adapter(Protocol):
    """One provider, one account. Amounts are ISO 4217 minor units on our side of it.

    Every call raises only the four errors of `shared.errors`: Unavailable when the provider certainly did
    nothing, OutcomeUnknown when it may have acted, Rejected with a code of the published table, Malformed
    when its answer cannot be read.
    """

    name: str
    account: str
    live: bool
    key_id: str  # public: the browser's SDK needs it
    capabilities: Capabilities
    schedule: Schedule

    # --- pure ---------------------------------------------------------------------------------------------

    def check_amount(self, amount: int, currency: str) -> None:
        """Raises Rejected: `currency-not-supported`, `amount-out-of-range` or `amount-not-representable`."""
        ...

    def checkout(self, opened: Mapping[str, str]) -> dict[str, object]:
        """What the browser's SDK needs besides key and ids, from settings and the provider's own answer."""
        ...

    def check_proof(self, proof: Mapping[str, str]) -> tuple[str, str | None]:
        """(provider order id, charge id or None) of what the buyer's browser brought back.

        Raises Rejected `bad-signature` when a signature that this provider gives does not hold.
        """
        ...

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """Whether these request headers carry this provider's webhook signature. Lower-case names."""
        ...

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Raises Rejected `bad-signature` before any parsing; its detail is a short reason for the metric."""
        ...

    def webhook_identity(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """(what makes this event the same event, the provider's object id for the Kafka key).

        Raises Malformed when a body with a good signature is not an event.
        """
        ...

    def read_webhook(self, body: bytes) -> WebhookContent:
        """The facts inside. Raises Malformed."""
        ...

    # --- calls --------------------------------------------------------------------------------------------

    async def open_order(self, request: OrderRequest) -> ProviderOrderFact:
        """Creates the order. The only call here that is not safe to repeat blindly."""
        ...

    async def find_order(self, reference: str) -> ProviderOrderFact | None:
        """The order with our reference, or None when the provider's own list does not have it."""
        ...

    async def read_order(self, provider_order_id: str) -> ProviderOrderFact:
        """One order by the provider's own id."""
        ...

    async def read_charges(self, provider_order_id: str) -> Sequence[ChargeFact]:
        """All payments that the provider knows for this order."""
        ...

    async def read_charge(self, charge_id: str) -> ChargeFact:
        """One payment."""
        ...

    async def capture(self, charge_id: str, amount: int, currency: str) -> ChargeFact:
        """Takes authorised money. `Rejected` when the provider says it cannot be captured."""
        ...

    def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        """Every payment created in [since, until), page by page."""
        ...

    async def close(self) -> None:
        """Frees connections and threads."""
        ...
