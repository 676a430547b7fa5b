"""One provider's window of time: at most one run of it is open, whoever asks and however often."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid5

from services.reconciler.domain.facts import WindowCompared
from services.reconciler.domain.mismatches import NAMESPACE
from shared.decision import Decision, Outgoing, Task
from shared.messages.reconciler import ReconciliationCompleted, RunReconciliation

TASK = "reconcile"
FIRST = datetime(2000, 1, 1, tzinfo=UTC)  # providers refuse to list earlier ones
WINDOW_MAX = timedelta(days=366)
_SEPARATOR = "|"  # in no provider's name or account


@dataclass(frozen=True, slots=True)
class Window:
    """The runs of one provider's [since, until). `number` counts them; the last one may be open."""

    provider: str
    account: str
    since: datetime
    until: datetime
    number: int = 0
    open: bool = False
    requested_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def key(self) -> str:
        return key_of(self.provider, self.account, self.since, self.until)

    @property
    def run_id(self) -> str:
        return str(uuid5(NAMESPACE, f"run/{self.key}/{self.number}"))


def key_of(provider: str, account: str, since: datetime, until: datetime) -> str:
    """The same window has the same key, in whatever zone it was asked for."""
    times = (at.astimezone(UTC).isoformat(timespec="seconds") for at in (since, until))
    return _SEPARATOR.join((provider, account, *times))


def window_of(key: str) -> Window:
    """What `key_of` said."""
    provider, account, since, until = key.split(_SEPARATOR)
    return Window(provider, account, datetime.fromisoformat(since), datetime.fromisoformat(until))


def begins(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def ends(day: date) -> datetime:
    """The first instant that is no longer part of the day."""
    return begins(day) + timedelta(days=1)


def asked_window(command: RunReconciliation) -> tuple[datetime, datetime] | None:
    """[since, until) in whole seconds, which is all that providers know; None when it is no window."""
    since, until = command.since, command.until
    if since is None and until is None:
        if not FIRST.date() <= command.day < date.max:
            return None
        return begins(command.day), ends(command.day)
    if since is None or until is None or since.tzinfo is None or until.tzinfo is None:
        return None
    try:
        since, until = (at.astimezone(UTC).replace(microsecond=0) for at in (since, until))
    except OverflowError:  # in UTC it would be before the first year, or after the last
        return None
    return (since, until) if FIRST <= since < until and until - since <= WINDOW_MAX else None


def run_reconciliation(known: Window, now: datetime) -> Decision[Window]:
    """Opens a run, or joins the open one. A window that begins in the future is ignored."""
    if known.open or known.since > now:
        return Decision(known, outcome="ignored")
    opened = replace(known, number=known.number + 1, open=True, requested_at=now)
    return Decision(opened, tasks=(Task(kind=TASK, key=f"{TASK}:{opened.key}", subject=opened.key),))


def window_compared(known: Window, fact: WindowCompared, now: datetime) -> Decision[Window]:
    """Closes the run and announces what came out; a late word on an older run changes nothing."""
    if not known.open or fact.number != known.number:
        return Decision(known, outcome="ignored")
    event = ReconciliationCompleted(
        run_id=known.run_id,
        provider=known.provider,
        account=known.account,
        day=known.since.astimezone(UTC).date(),
        ours=fact.ours,
        theirs=fact.theirs,
        agreed=fact.agreed,
        mismatches=fact.mismatches,
        completed_at=now,
        since=known.since,
        until=known.until,
        zone=fact.zone,
        settled=fact.settled,
        figures=fact.figures,
    )
    closed = replace(known, open=False, completed_at=now)
    return Decision(closed, events=(Outgoing("reconciler.events", known.run_id, event, now),))
