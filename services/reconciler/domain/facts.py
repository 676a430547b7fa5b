"""What a comparison found, as messages that never leave this service."""

from datetime import date
from typing import ClassVar

from shared.messages.base import Message
from shared.messages.reconciler import Leg, MismatchKind


class DifferenceFound(Message, frozen=True, kw_only=True):
    """A run saw this difference."""

    TYPE: ClassVar[str] = "reconciler.difference_found.v1"

    mismatch_id: str
    run_id: str
    provider: str
    account: str
    day: date
    kind: MismatchKind
    subject: str
    order_id: str | None
    legs: tuple[Leg, ...]


class DifferenceGone(Message, frozen=True, kw_only=True):
    """A whole run of the day did not see this difference any more."""

    TYPE: ClassVar[str] = "reconciler.difference_gone.v1"

    mismatch_id: str


class DayCompared(Message, frozen=True, kw_only=True):
    """A run is through: everything it found is recorded."""

    TYPE: ClassVar[str] = "reconciler.day_compared.v1"

    provider: str
    account: str
    day: date
    number: int
    ours: int
    theirs: int
    agreed: int
    mismatches: int
