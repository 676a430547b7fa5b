"""The providers' own books: what really happened to money."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ProviderOrder:
    """An order that exists at the provider. `reference` and `our_order` are what was put there."""

    id: str
    reference: str
    our_order: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Capture:
    """Money that was taken."""

    charge_id: str
    provider_order_id: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class GivenBack:
    """One refund in a provider's own book. `reference` is our refund's id, empty when it was made there."""

    id: str
    reference: str
    charge_id: str
    amount: int
    currency: str
    state: Literal["pending", "succeeded", "failed"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider's API, in the order of arrival.

    `operation`: the key of the task that may make this write; empty for reads, and for writes that nobody
    here may make. `about`: what must be read before it is made again; of a read, what it shows.
    """

    at: float
    method: str
    path: str
    body_sha256: str | None
    acted: bool
    answered: bool  # with the provider's own answer
    result: str | None
    operation: str = ""
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SentWebhook:
    """One event and how each try to deliver it was answered; None: not at all."""

    id: str
    event: str
    body: str
    state: str
    answers: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Ledger:
    orders: tuple[ProviderOrder, ...] = ()
    captures: tuple[Capture, ...] = ()
    given_back: tuple[GivenBack, ...] = ()
    calls: tuple[Call, ...] = ()
    webhooks: tuple[SentWebhook, ...] = ()
    bites: int = 0  # faults that struck

    @property
    def refunded(self) -> Mapping[str, int]:
        """Charge → money that went back, or is on its way."""
        found: Counter[str] = Counter()
        for refund in self.given_back:
            found[refund.charge_id] += refund.amount * (refund.state != "failed")
        return found
