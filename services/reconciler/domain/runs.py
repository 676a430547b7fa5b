"""One provider's day: at most one run of it is open, whoever asks and however often."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid5

from services.reconciler.domain.facts import DayCompared
from services.reconciler.domain.mismatches import NAMESPACE
from shared.decision import Decision, Outgoing, Task
from shared.messages.reconciler import ReconciliationCompleted, RunReconciliation

TASK = "reconcile"
FIRST = date(2000, 1, 1)  # providers refuse to list earlier ones


@dataclass(frozen=True, slots=True)
class ProviderDay:
    """The runs of one provider's UTC day. `number` counts them; the last one may be open."""

    provider: str
    account: str
    day: date
    number: int = 0
    open: bool = False
    requested_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def key(self) -> str:
        return key_of(self.provider, self.account, self.day)

    @property
    def run_id(self) -> str:
        return str(uuid5(NAMESPACE, f"run/{self.key}/{self.number}"))


def key_of(provider: str, account: str, day: date) -> str:
    return f"{provider}/{account}/{day.isoformat()}"


def begins(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def ends(day: date) -> datetime:
    """The first instant that is no longer part of the day."""
    return begins(day) + timedelta(days=1)


def run_reconciliation(
    known: ProviderDay, command: RunReconciliation, now: datetime
) -> Decision[ProviderDay]:
    """Opens a run, or joins the open one. A day that nobody can have books of is ignored."""
    if known.open or not FIRST <= command.day <= now.date():
        return Decision(known, outcome="ignored")
    opened = replace(known, number=known.number + 1, open=True, requested_at=now)
    return Decision(opened, tasks=(Task(kind=TASK, key=f"{TASK}:{opened.key}", subject=opened.key),))


def day_compared(known: ProviderDay, fact: DayCompared, now: datetime) -> Decision[ProviderDay]:
    """Closes the run and announces what came out; a late word on an older run changes nothing."""
    if not known.open or fact.number != known.number:
        return Decision(known, outcome="ignored")
    event = ReconciliationCompleted(
        run_id=known.run_id,
        provider=known.provider,
        account=known.account,
        day=known.day,
        ours=fact.ours,
        theirs=fact.theirs,
        agreed=fact.agreed,
        mismatches=fact.mismatches,
        completed_at=now,
    )
    closed = replace(known, open=False, completed_at=now)
    return Decision(closed, events=(Outgoing("reconciler.events", known.run_id, event, now),))
