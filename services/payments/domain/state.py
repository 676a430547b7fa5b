"""One order's payment: our decisions, and the facts its providers told us.

Structs of msgspec rather than dataclasses: a changed copy of one costs a tenth, and rules make many.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from shared.messages.facts import ChargeState
from shared.messages.payments import Status

AttemptState = Literal["opening", "unanswered", "open", "refused", "expired"]
ClosedReason = Literal["expired", "cancelled"]

# A charge's state only rises, whatever the order in which facts arrive.
CHARGE_RANK: Mapping[ChargeState, int] = {
    "pending": 0,
    "failed": 1,
    "authorized": 2,
    "lapsed": 3,
    "captured": 4,
}


class Attempt(msgspec.Struct, frozen=True):
    """One order at one provider. `id` is the reference we give there, and derives from our own row.

    `verify_asked` counts the buyer's returns, `verify_answered` the newest one that a read has answered.
    `amount` and `currency` are what the provider was asked for.
    """

    id: str
    number: int
    provider: str
    account: str
    state: AttemptState
    amount: int
    currency: str
    created_at: datetime
    expires_at: datetime
    provider_order_id: str | None = None
    opened: Mapping[str, str] = {}
    refusal: str = ""
    verify_asked: int = 0
    verify_answered: int = 0

    @property
    def verifying(self) -> bool:
        return self.verify_asked > self.verify_answered


class Charge(msgspec.Struct, frozen=True):
    """One payment at a provider. `stands`: it is the capture that pays the order.

    `capture_asked`: we decided to take this authorisation; at most one per order is being taken.
    """

    charge_id: str
    provider: str
    account: str
    provider_order_id: str
    state: ChargeState
    amount: int
    currency: str
    at: datetime | None = None
    failure: str = ""
    failure_text: str = ""
    stands: bool = False
    capture_asked: bool = False


class Flag(msgspec.Struct, frozen=True):
    """Something that waits for a person. Raised once per (reason, subject)."""

    reason: str
    subject: str
    note: str
    raised_at: datetime


class Waiter(msgspec.Struct, frozen=True):
    """Someone whose answer comes with a later result: `create`, or `verify` number `verify`."""

    correlation_id: str
    kind: Literal["create", "verify"]
    until: datetime
    verify: int = 0


class Payment(msgspec.Struct, frozen=True):
    """The aggregate: one order, one row, one lock, one counter. Unregistered while `id` is empty."""

    order_id: str
    id: str = ""
    version: int = 0
    status: Status = "created"
    detail: str = ""
    amount: int = 0
    currency: str = ""
    capture: Literal["automatic", "manual"] = "automatic"
    revision: int = 0
    content: bytes = b""  # the order as JSON, with personal data; erasable
    fingerprint: bytes = b""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    closes_at: datetime | None = None
    closed: ClosedReason | None = None
    closed_at: datetime | None = None
    paid_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    charges: tuple[Charge, ...] = ()
    flags: tuple[Flag, ...] = ()
    waiting: tuple[Waiter, ...] = ()

    @property
    def registered(self) -> bool:
        return bool(self.id)

    @property
    def standing(self) -> Charge | None:
        """The capture that pays this order."""
        return next((c for c in self.charges if c.stands), None)

    @property
    def current(self) -> Attempt | None:
        """The newest attempt that counts: one being opened, or refused, says nothing about money."""
        counting = [a for a in self.attempts if a.state not in ("opening", "refused")]
        return counting[-1] if counting else None

    @property
    def newest(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    def fits(self, charge: Charge) -> bool:
        """Whether a charge is for what we asked: same amount, same currency."""
        return charge.amount == self.amount and charge.currency == self.currency

    def charges_of(self, attempt: Attempt) -> tuple[Charge, ...]:
        """The charges made on one attempt."""
        return tuple(c for c in self.charges if c.provider_order_id == attempt.provider_order_id)


class ProviderPolicy(msgspec.Struct, frozen=True):
    """What the rules need to know of one provider; durations in seconds of this system's time scale."""

    name: str
    account: str
    check_amount: Callable[[int, str], None]  # pure; raises Rejected
    attempt_lifetime_s: float
    look_while_open_s: tuple[float, ...]
    look_after_verify_s: float
    look_after_close_s: tuple[float, ...]


class Policy(msgspec.Struct, frozen=True):
    """The shop's and the providers' settings that rules depend on."""

    providers: Mapping[str, ProviderPolicy]
    payment_window_s: float  # an order may be paid for so long after it was placed
    capture_grace_s: float  # an authorisation that the provider has not captured by then, we do
    answer_within_s: float = 60.0  # nobody waits longer for an answer


class Asker(msgspec.Struct, frozen=True):
    """Who wants the answer to a command; None when nobody waits."""

    correlation_id: str | None = None
