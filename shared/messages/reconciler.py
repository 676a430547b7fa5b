"""`reconciler.events`, key mismatch id, and `reconciler.commands`."""

from datetime import date, datetime
from typing import ClassVar, Literal

import msgspec

from shared.messages.base import Command, Event

MismatchKind = Literal[
    "missing_local", "missing_provider", "amount", "currency", "status", "refund", "duplicate_capture",
    "late_success", "dispute", "fee", "unsettled",
]  # fmt: skip


class RunReconciliation(Command, frozen=True, kw_only=True):
    """Compare one provider's day (UTC) with ours, now. The same run asked twice is one run."""

    TYPE: ClassVar[str] = "reconciler.run_reconciliation.v1"

    provider: str
    day: date


class Leg(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one side says of a payment, in minor units."""

    side: Literal["ours", "provider"]
    charge_id: str = ""
    order_id: str = ""
    state: str = ""
    amount: int | None = None
    currency: str = ""


class MismatchDetected(Event, frozen=True, kw_only=True):
    """The books differ. `mismatch_id` is a UUIDv5 of provider, account, kind and subject."""

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


class MismatchResolved(Event, frozen=True, kw_only=True):
    """The books agree again, or a person accepted the difference."""

    TYPE: ClassVar[str] = "reconciler.mismatch_resolved.v1"

    mismatch_id: str
    occurrence: int
    how: Literal["agreed", "accepted"]
    person: str = ""
    reason: str = ""


class ReconciliationCompleted(Event, frozen=True, kw_only=True):
    """One run is done: what was compared and what came out, per currency in minor units."""

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
