"""One order's payment: our decisions, and the facts its providers told us.

Structs of msgspec rather than dataclasses: a changed copy of one costs a tenth, and rules make many.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from shared.messages.facts import ChargeState, DisputeMoney, DisputeState
from shared.messages.payments import Status

AttemptState = Literal["opening", "unanswered", "open", "refused", "expired", "superseded", "abandoned"]
RefundState = Literal["requested", "pending", "succeeded", "failed"]
RefundOrigin = Literal["api", "policy", "provider"]
ClosedReason = Literal["expired", "cancelled"]

# A charge's state only rises, whatever the order in which facts arrive.
CHARGE_RANK: Mapping[ChargeState, int] = {
    "pending": 0,
    "failed": 1,
    "authorized": 2,
    "lapsed": 3,
    "captured": 4,
}
REFUND_RANK: Mapping[RefundState, int] = {"requested": 0, "pending": 1, "succeeded": 2, "failed": 3}
DISPUTE_RANK: Mapping[DisputeState, int] = {"open": 0, "under_review": 1, "closed": 2, "won": 3, "lost": 4}
DISPUTE_MONEY_RANK: Mapping[DisputeMoney, int] = {"none": 0, "withdrawn": 1, "reinstated": 2}

BY_HAND = "hand"  # the provider of a charge that a person marked; no adapter has this name


class Attempt(msgspec.Struct, frozen=True):
    """One order at one provider. `id` is the reference we give there, and derives from our own row.

    `verify_asked` counts the buyer's returns (after a decline also what hints at a new approval),
    `verify_answered` the newest one that a read has answered.
    `amount` and `currency` are what the provider was asked for, `why` is what decided for this provider.
    Superseded: the buyer chose another provider. Abandoned: its create got no answer, another provider was
    asked instead.

    Where the buyer only approves and our capture moves the money: `approved`, and how many captures were
    `captures_asked` and definitely `captures_declined`; `captured_for` is the buyer's return that the newest
    one followed.
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
    why: str = ""
    approved: bool = False
    captures_asked: int = 0
    captures_declined: int = 0
    captured_for: int = 0
    cancel_asked: bool = False
    cancelled: bool = False

    @property
    def verifying(self) -> bool:
        return self.verify_asked > self.verify_answered

    @property
    def capturing(self) -> bool:
        """Whether a capture of an approval is on its way, and its end not known."""
        return self.captures_asked > self.captures_declined


class Charge(msgspec.Struct, frozen=True):
    """One payment at a provider. `stands`: it is the capture that pays the order.

    `capture_asked`: we decided to take this authorisation, `capture_amount` of it when that is not all; at
    most one per order is being taken. `by`: who marked it and why, when a person did.
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
    capture_amount: int = 0
    capture_before: datetime | None = None
    by: str = ""

    @property
    def ref(self) -> tuple[str, str]:
        return self.provider, self.charge_id


class Refund(msgspec.Struct, frozen=True):
    """Money going back. `id` is ours, the provider's key and the reference by which it is found there.

    `succeeded`: the provider said so once, though it may have failed later. `unknown`: nobody knows whether
    the provider did it.
    """

    id: str
    provider: str
    charge_id: str
    provider_order_id: str
    state: RefundState
    amount: int
    currency: str
    origin: RefundOrigin
    created_at: datetime
    provider_refund_id: str | None = None
    reason: str = ""
    by: str = ""
    failure: str = ""
    succeeded: bool = False
    unknown: bool = False


class Dispute(msgspec.Struct, frozen=True):
    """A buyer or a bank asks for a charge's money back. State and money only rise."""

    dispute_id: str
    provider: str
    charge_id: str
    kind: Literal["inquiry", "chargeback"]
    state: DisputeState
    money: DisputeMoney
    amount: int
    currency: str
    reason: str = ""
    respond_by: datetime | None = None
    at: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("closed", "won", "lost")

    @property
    def holds_money(self) -> bool:
        """Whether its amount is not ours to give back: taken by the provider, or lost."""
        return self.money == "withdrawn" or (self.state == "lost" and self.money != "reinstated")


class Flag(msgspec.Struct, frozen=True):
    """Something that waits for a person. Raised once per (reason, subject); resolved, it stays on record."""

    reason: str
    subject: str
    note: str
    raised_at: datetime
    resolved_at: datetime | None = None
    resolved_by: str = ""
    resolution: str = ""


class Waiter(msgspec.Struct, frozen=True):
    """Someone whose answer comes with a later result: `create`, or `verify` number `verify` of `attempt`.

    `provider`: a create that waits for a look at the open attempt, before it may go to this provider.
    """

    correlation_id: str
    kind: Literal["create", "verify"]
    until: datetime
    verify: int = 0
    provider: str = ""
    attempt: str = ""


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
    erased: bool = False  # its customer's data were blanked; nothing raw of it is kept any more
    created_at: datetime | None = None
    updated_at: datetime | None = None
    closes_at: datetime | None = None
    closed: ClosedReason | None = None
    closed_at: datetime | None = None
    paid_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
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
    def refunds_of_captures(self) -> tuple[Refund, ...]:
        """The refunds that moved our money. Providers let an authorisation go in the form of one, too."""
        captured = {c.ref for c in self.charges if c.state == "captured"}
        return tuple(r for r in self.refunds if (r.provider, r.charge_id) in captured)

    @property
    def current(self) -> Attempt | None:
        """The newest attempt that counts: one being opened, or refused, says nothing about money."""
        counting = [a for a in self.attempts if a.state not in ("opening", "refused")]
        return counting[-1] if counting else None

    @property
    def newest(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    def fits(self, charge: Charge) -> bool:
        """Whether a charge is what we asked for: our currency, the amount of the order or of our capture."""
        if charge.currency != self.currency:
            return False
        if charge.state == "captured" and charge.amount == charge.capture_amount:
            return True
        return charge.amount == self.amount

    def charges_of(self, attempt: Attempt) -> tuple[Charge, ...]:
        """The charges made on one attempt."""
        return tuple(c for c in self.charges if c.provider_order_id == attempt.provider_order_id)


class ProviderPolicy(msgspec.Struct, frozen=True):
    """What the rules need to know of one provider; durations in seconds of this system's time scale."""

    name: str
    account: str
    check_amount: Callable[[int, str], None]  # pure; raises Rejected
    check_refund: Callable[[int, str], None]  # of a part that goes back
    attempt_lifetime_s: float
    look_while_open_s: tuple[float, ...]
    look_after_verify_s: float
    look_after_close_s: tuple[float, ...]
    manual_capture: bool = True
    partial_capture: bool = False
    void: bool = False
    cancel_open: bool = False
    capture_on_approval: bool = False


class Policy(msgspec.Struct, frozen=True):
    """The shop's and the providers' settings that rules depend on."""

    providers: Mapping[str, ProviderPolicy]
    payment_window_s: float  # an order may be paid for so long after it was placed
    capture_grace_s: float  # an authorisation that the provider has not captured by then, we do
    answer_within_s: float = 60.0  # nobody waits longer for an answer
    unhealthy: frozenset[str] = frozenset()  # providers that do not answer just now
    order_by_currency: Mapping[str, tuple[str, ...]] = {}  # preference; else the order of `providers`
    refunds_surplus: bool = True  # a second capture goes back by itself
    refund_max: Mapping[str, int] = {}  # by currency: above it a surplus waits for a person
    reopens_late: bool = True  # money after the end pays the order; else it goes back
    lapse_warning_s: float = 86_400.0  # before an authorisation lapses, a person is told


class Asker(msgspec.Struct, frozen=True):
    """Who wants the answer to a command; None when nobody waits."""

    correlation_id: str | None = None
