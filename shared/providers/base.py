"""What every provider's adapter offers. Services know this file and no provider."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.messages.facts import (
    ChargeFact,
    DisputeFact,
    ProviderOrderFact,
    RefundFact,
    Seen,
    SettlementLine,
    WebhookContent,
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to look at an open attempt that hears nothing. Seconds, before the time scale is applied."""

    after_verify_s: tuple[float, ...]
    while_open_s: tuple[float, ...]  # after the attempt was opened
    attempt_lifetime_s: float
    after_close_s: tuple[float, ...]  # late successes


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the provider can do; what it cannot is refused up front.

    `capture_on_approval`: the buyer only approves, and our capture is what moves money (PayPal).
    """

    manual_capture: bool
    partial_capture: bool
    void: bool  # an authorisation can be given back
    cancel_open: bool  # an order that nobody paid can be closed
    capture_on_approval: bool = False


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What we ask a provider to open: stored with the decision, sent exactly so.

    `reference` is our attempt's id, unique, and the key by which the order can be found again. `tries`
    counts the creates that got no answer: where a provider replays a stored error under its key, a create
    that was looked up and not found may take one second key, and no more.
    """

    reference: str
    order_id: str
    amount: int
    currency: str
    asked_at: datetime
    capture_automatically: bool = True
    tries: int = 0


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """Money to take. `key` is ours, the same at every repetition.

    `charge_id` is empty where the capture itself makes the charge (PayPal). `authorized` is all that could
    be taken: what `amount` leaves is released for good.
    """

    key: str
    provider_order_id: str
    charge_id: str
    amount: int
    currency: str
    authorized: int


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Money to give back. `key` is our refund's id: the provider's key and the reference to find it by."""

    key: str
    order_id: str
    provider_order_id: str
    charge_id: str
    amount: int
    currency: str
    reason: str = ""


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

    def check_refund(self, amount: int, currency: str) -> None:
        """The same for a part that goes back: what may be charged at least says nothing of it."""
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

    async def verify_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Raises Rejected `bad-signature` before any parsing; its detail is a short reason for the metric.

        Raises Unavailable when what it takes to judge (a certificate) cannot be had now.
        """
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

    async def find_order(self, request: OrderRequest) -> ProviderOrderFact | None:
        """The order with our reference, or None when the provider's own list does not have it.

        None too where the provider has no such list but honours our key: repeating the create is harmless.
        """
        ...

    async def read_order(self, provider_order_id: str) -> ProviderOrderFact:
        """One order by the provider's own id. Raises NotFound."""
        ...

    async def read(self, provider_order_id: str) -> Seen:
        """Everything that the provider knows of this order: its charges, their refunds, failed ones as well,
        and their disputes where it tells them by the order (Razorpay does not).
        """
        ...

    async def read_charge(self, charge_id: str) -> ChargeFact:
        """One payment. Raises NotFound."""
        ...

    async def read_dispute(self, dispute_id: str) -> DisputeFact:
        """One dispute, as a list would show it now. Raises NotFound."""
        ...

    async def capture(self, request: CaptureRequest) -> ChargeFact:
        """Takes the money. Rejected when the provider says it will not: `capture-refused`, or
        `instrument-declined` when the buyer has to choose another way to pay.
        """
        ...

    async def cancel(self, provider_order_id: str, key: str) -> Seen:
        """Closes an unpaid order, gives an authorisation back. Rejected `cancel-refused` when it is too late
        or the provider cannot (`Capabilities.void`, `Capabilities.cancel_open`).
        """
        ...

    async def refund(self, request: RefundRequest) -> RefundFact:
        """Gives money back. Rejected `refund-refused` with the provider's words."""
        ...

    async def find_refund(self, request: RefundRequest) -> RefundFact | None:
        """The refund with our reference, or None when the provider's own list does not have it."""
        ...

    # Lists: everything whose time lies in [since, until), page by page, in any order. A page that changes
    # while it is read may repeat an object; it must not skip one.

    def list_charges(self, since: datetime, until: datetime) -> AsyncIterator[ChargeFact]:
        """Every payment created then."""
        ...

    def list_refunds(self, since: datetime, until: datetime) -> AsyncIterator[RefundFact]:
        """Every refund created then."""
        ...

    def list_disputes(self, since: datetime, until: datetime) -> AsyncIterator[DisputeFact]:
        """Every dispute created then."""
        ...

    def list_settlement_lines(self, since: datetime, until: datetime) -> AsyncIterator[SettlementLine]:
        """Every line of our account then, payouts included; and older ones that a payout of then paid out."""
        ...

    async def close(self) -> None:
        """Frees connections and threads."""
        ...
