"""`reconciler.events`, key mismatch id or run id, and `reconciler.commands`."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from shared.messages.base import Command, Event, IdempotencyKey

MismatchKind = Literal[
    "missing_local", "missing_provider", "amount", "currency", "status", "refund", "duplicate_capture",
    "late_success", "dispute", "fee", "unsettled",
]  # fmt: skip
Severity = Literal["low", "medium", "high"]

# --- reconciler.commands ----------------------------------------------------------------------------------


class RunReconciliation(Command, frozen=True, kw_only=True):
    """Compare one provider's day (UTC) with ours, now. The same run asked twice is one run.

    With `since` and `until` it is that window instead of the day.
    """

    TYPE: ClassVar[str] = "reconciler.run_reconciliation.v1"

    provider: str
    day: date
    since: datetime | None = None
    until: datetime | None = None


class AcceptMismatch(Command, frozen=True, kw_only=True):
    """A person accepts this difference as it is; it comes back only with other evidence."""

    TYPE: ClassVar[str] = "reconciler.accept_mismatch.v1"

    mismatch_id: str
    occurrence: int
    person: str
    reason: str
    idempotency: IdempotencyKey | None = None


class ApproveRepair(Command, frozen=True, kw_only=True):
    """A person wants the proposed repair of this occurrence to be done. Twice is once."""

    TYPE: ClassVar[str] = "reconciler.approve_repair.v1"

    mismatch_id: str
    occurrence: int
    person: str
    reason: str = ""
    idempotency: IdempotencyKey | None = None


# --- reconciler.events ------------------------------------------------------------------------------------


class Leg(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one side says, in minor units of `currency`. `settlement`: the sum of its lines, signed."""

    side: Literal["ours", "provider", "settlement"]
    charge_id: str = ""
    order_id: str = ""
    state: str = ""
    amount: int | None = None
    currency: str = ""
    refund_id: str = ""
    dispute_id: str = ""
    fee: int | None = None
    rate: str = ""
    settlement_id: str = ""
    at: datetime | None = None


class MismatchDetected(Event, frozen=True, kw_only=True):
    """The books differ. `mismatch_id` is a UUIDv5 of provider, account, kind and subject.

    `amount` is the money in question. `proposed_repair` is done by itself, or waits for `ApproveRepair`
    when `needs_approval`; `repair` says in words what will happen.
    """

    TYPE: ClassVar[str] = "reconciler.mismatch_detected.v1"

    mismatch_id: str
    occurrence: int
    provider: str
    account: str
    kind: MismatchKind
    subject: str
    order_id: str | None
    legs: tuple[Leg, ...]
    first_seen_at: datetime
    proposed_repair: str = ""
    amount: int = 0
    currency: str = ""
    at: datetime | None = None
    severity: Severity = "low"
    needs_approval: bool = False
    repair: str = ""


class MismatchResolved(Event, frozen=True, kw_only=True):
    """The books agree again, or a person accepted the difference."""

    TYPE: ClassVar[str] = "reconciler.mismatch_resolved.v1"

    mismatch_id: str
    occurrence: int
    how: Literal["agreed", "accepted"]
    person: str = ""
    reason: str = ""


class Figures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One currency on one day (UTC), in minor units of what was charged.

    `remaining = captured - refunded - disputed - fees - settled`; `waiting` of it is on its way to the bank
    in time. `unexplained` is the money of open mismatches, by kind in `by_kind`; `explained` the share of
    `moved` that is not in one.
    """

    day: date
    currency: str
    captured: int = 0
    refunded: int = 0
    disputed: int = 0
    fees: int = 0
    settled: int = 0
    remaining: int = 0
    waiting: int = 0
    accepted: int = 0
    moved: int = 0
    unexplained: int = 0
    by_kind: dict[str, int] = {}
    explained: float = 1.0
    oldest_unexplained_at: datetime | None = None


class ReconciliationProgressed(Event, frozen=True, kw_only=True):
    """How far a run has come. `listed` and `compared` count records so far."""

    TYPE: ClassVar[str] = "reconciler.reconciliation_progressed.v1"

    run_id: str
    provider: str
    account: str
    since: datetime
    until: datetime
    phase: Literal["listing", "comparing"]
    leg: str = ""
    listed: int = 0
    compared: int = 0


class ReconciliationCompleted(Event, frozen=True, kw_only=True):
    """One run is done: what was compared and what came out, per day and currency in minor units.

    The counts are of charges with money, of refunds and of disputes. `zone` is where the days of the
    provider's settlements are counted.
    """

    TYPE: ClassVar[str] = "reconciler.reconciliation_completed.v1"

    run_id: str
    provider: str
    account: str
    day: date
    ours: int
    theirs: int
    agreed: int
    mismatches: int
    completed_at: datetime
    since: datetime | None = None
    until: datetime | None = None
    zone: str = ""
    settled: int = 0
    figures: tuple[Figures, ...] = ()
