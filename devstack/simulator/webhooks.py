"""What is sent and how far it has come: letters, signed webhooks, tries, and how a provider delivers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from devstack.simulator.ledger import Row
from devstack.simulator.misbehaviour import Secret

DeliveryState = Literal["pending", "delivered", "given_up", "dropped", "endpoint_disabled"]


@dataclass(frozen=True, kw_only=True)
class Letter:
    """An event that a provider wants sent; `sign` gives all headers for the secret to use."""

    id: str
    provider: str
    event: str
    url: str
    body: str
    subject: str
    identity: str
    sign: Callable[[Secret], dict[str, str]]


class Webhook(Row, frozen=True, kw_only=True):
    """One event as it was first signed: the body never changes again."""

    provider: str
    event: str
    url: str
    body: str
    headers: dict[str, str]
    subject: str  # the id of the object that it is about, e.g. an order
    identity: str  # the same in words that do not change from run to run
    created_at: float
    secret: Secret = "current"  # which one the faults chose, for providers that sign each try anew


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the receiver and what it answered."""

    at: float
    status: int | None
    error: str | None
    took_ms: int
    copy: int = 1


class Delivery(Row, frozen=True, kw_only=True):
    """How far a webhook has come."""

    state: DeliveryState
    due_at: float | None
    in_lane: bool = True  # waits its turn behind earlier webhooks of its subject
    copies: int = 1
    tries: list[Try] = []
    failures: int = 0
    corrupt: bool = False  # what is sent is not quite the body that was signed


class Endpoint(Row, frozen=True, kw_only=True):
    """Whether a provider still sends at all."""

    disabled_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How one provider delivers."""

    success: Callable[[int], bool]
    deadline_s: float  # real time: the receiver's network is not scaled
    first_retry_s: float
    longest_retry_s: float
    give_up_after_s: float
    sign: Callable[[Webhook], dict[str, str]] | None = None  # headers for each try; None: as at first
    disables: bool = True  # whether a webhook that was given up ends them all

    def retry_in_s(self, failures: int, jitter: float) -> float:
        """Exponential, ±10 % so that a burst of failures does not come back as a burst."""
        wait_s = min(self.first_retry_s * 2.0 ** (failures - 1), self.longest_retry_s)
        return wait_s * (0.9 + 0.2 * jitter)
