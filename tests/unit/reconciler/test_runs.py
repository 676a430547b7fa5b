"""At most one run of a window is open, whoever asks; its steps follow from the window alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from services.reconciler.domain.facts import WindowCompared
from services.reconciler.domain.runs import (
    Window,
    asked_window,
    begins,
    ends,
    key_of,
    run_reconciliation,
    window_compared,
    window_of,
)
from services.reconciler.domain.steps import Plan, steps
from shared.messages.reconciler import ReconciliationCompleted, RunReconciliation

NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)
DAY = date(2026, 1, 31)
WINDOW = Window("razorpay", "acc_1", begins(DAY), ends(DAY))
HOUR = timedelta(hours=1)


def asked(day: date = DAY, since: datetime | None = None, until: datetime | None = None) -> RunReconciliation:
    return RunReconciliation(provider="razorpay", day=day, since=since, until=until)


def through(number: int) -> WindowCompared:
    return WindowCompared(
        provider="razorpay",
        account="acc_1",
        since=WINDOW.since,
        until=WINDOW.until,
        number=number,
        zone="Asia/Kolkata",
        ours=3,
        theirs=4,
        settled=2,
        agreed=3,
        mismatches=1,
    )


def test_a_request_opens_a_run_with_one_task() -> None:
    decision = run_reconciliation(WINDOW, NOW)
    assert (decision.state.open, decision.state.number) == (True, 1)
    assert [t.subject for t in decision.tasks] == [WINDOW.key]


def test_a_second_request_joins_the_open_run() -> None:
    opened = run_reconciliation(WINDOW, NOW).state
    again = run_reconciliation(opened, NOW)
    assert (again.state, again.tasks) == (opened, ())


def test_the_end_is_announced_once_with_its_counts() -> None:
    opened = run_reconciliation(WINDOW, NOW).state
    closed = window_compared(opened, through(1), NOW)
    (event,) = closed.events
    assert isinstance(event.message, ReconciliationCompleted)
    assert (event.message.ours, event.message.settled, event.message.mismatches) == (3, 2, 1)
    assert (event.message.day, event.message.zone) == (DAY, "Asia/Kolkata")
    assert event.message.run_id == opened.run_id
    assert window_compared(closed.state, through(1), NOW).events == ()


def test_a_late_word_on_an_older_run_changes_nothing() -> None:
    second = replace(WINDOW, number=2, open=True, requested_at=NOW)
    assert window_compared(second, through(1), NOW).state == second


def test_each_run_of_a_window_has_its_own_id() -> None:
    assert replace(WINDOW, number=1).run_id != replace(WINDOW, number=2).run_id


def test_a_window_is_the_same_in_whatever_zone_it_is_asked_for() -> None:
    india = timezone(5 * HOUR + HOUR / 2)
    there = key_of("razorpay", "acc_1", WINDOW.since.astimezone(india), WINDOW.until.astimezone(india))
    assert there == WINDOW.key
    assert window_of(there) == WINDOW


def test_a_day_is_the_utc_day() -> None:
    assert asked_window(asked()) == (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


NO_WINDOWS = [
    asked(date(1999, 12, 31)),
    asked(date.min),
    asked(date.max),
    asked(since=NOW),
    asked(until=NOW),
    asked(since=NOW, until=NOW),
    asked(since=NOW, until=NOW - HOUR),
    asked(since=NOW, until=NOW + timedelta(days=400)),
    asked(since=NOW.replace(tzinfo=None), until=NOW),
    asked(since=datetime(1990, 1, 1, tzinfo=UTC), until=datetime(1990, 1, 2, tzinfo=UTC)),
    asked(since=datetime(1, 1, 1, tzinfo=timezone(14 * HOUR)), until=NOW),
    asked(since=NOW, until=datetime(9999, 12, 31, 23, tzinfo=timezone(-14 * HOUR))),
]


@pytest.mark.parametrize("command", NO_WINDOWS)
def test_what_is_no_window_of_any_books_opens_no_run(command: RunReconciliation) -> None:
    assert asked_window(command) is None


def test_the_last_days_of_all_are_a_window() -> None:
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert asked_window(asked(since=last - HOUR, until=last)) == (last - HOUR, last)


def test_a_window_in_the_future_opens_no_run_and_the_running_day_waits_for_its_end() -> None:
    later = replace(WINDOW, since=NOW + HOUR, until=NOW + 2 * HOUR)
    assert not run_reconciliation(later, NOW).state.open
    assert run_reconciliation(replace(WINDOW, since=begins(NOW.date())), NOW).state.open


def test_what_must_be_paid_out_by_now_is_read_and_compared_again() -> None:
    plan = Plan(settles=True, due_s=7 * 86_400.0, overlap_s=3_600.0)
    found = steps(WINDOW.since, WINDOW.until, plan)
    week = timedelta(days=7)
    lines = [(s.since, s.until) for s in found if s.leg == "lines"]
    start = WINDOW.since - HOUR
    assert lines == [(start, WINDOW.until), (start - week, WINDOW.until - week)]
    assert [s.leg for s in found if s.unsettled] == ["charges", "refunds", "disputes"]
    without = steps(
        WINDOW.since, WINDOW.until, Plan(settles=False, due_s=plan.due_s, overlap_s=plan.overlap_s)
    )
    assert [(s.since, s.until) for s in without if s.leg == "lines"] == lines
    assert not [s for s in without if s.unsettled]
