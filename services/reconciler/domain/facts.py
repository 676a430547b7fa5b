"""What a comparison found, as messages that never leave this service."""

from datetime import datetime
from typing import ClassVar

from services.reconciler.domain.matching import Difference
from shared.messages.base import Message
from shared.messages.reconciler import Figures


class DifferenceFound(Message, frozen=True, kw_only=True):
    """A comparison saw this difference."""

    TYPE: ClassVar[str] = "reconciler.difference_found.v1"

    mismatch_id: str
    run_id: str
    provider: str
    account: str
    difference: Difference


class DifferenceGone(Message, frozen=True, kw_only=True):
    """The same thing was compared again, and this difference is no longer there."""

    TYPE: ClassVar[str] = "reconciler.difference_gone.v1"

    mismatch_id: str


class Rechecked(Message, frozen=True, kw_only=True):
    """A mismatch was compared again as often as it is worth; the next run goes on."""

    TYPE: ClassVar[str] = "reconciler.rechecked.v1"

    mismatch_id: str


class WindowCompared(Message, frozen=True, kw_only=True):
    """A run is through: everything it found is recorded."""

    TYPE: ClassVar[str] = "reconciler.window_compared.v1"

    provider: str
    account: str
    since: datetime
    until: datetime
    number: int
    zone: str
    ours: int
    theirs: int
    settled: int
    agreed: int
    mismatches: int
    figures: tuple[Figures, ...] = ()
