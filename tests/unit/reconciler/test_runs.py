"""At most one run of a day is open, whoever asks."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.reconciler.domain.facts import DayCompared
from services.reconciler.domain.runs import ProviderDay, begins, day_compared, ends, run_reconciliation
from shared.messages.reconciler import ReconciliationCompleted, RunReconciliation

NOW = datetime(2026, 2, 1, 3, tzinfo=UTC)
DAY = ProviderDay("razorpay", "acc_1", date(2026, 1, 31))


def asked(day: date = DAY.day) -> RunReconciliation:
    return RunReconciliation(provider="razorpay", day=day)


def through(number: int) -> DayCompared:
    return DayCompared(
        provider="razorpay",
        account="acc_1",
        day=DAY.day,
        number=number,
        ours=3,
        theirs=4,
        agreed=3,
        mismatches=1,
    )


def test_a_request_opens_a_run_with_one_task() -> None:
    decision = run_reconciliation(DAY, asked(), NOW)
    assert (decision.state.open, decision.state.number) == (True, 1)
    assert [t.key for t in decision.tasks] == ["reconcile:razorpay/acc_1/2026-01-31"]


def test_a_second_request_joins_the_open_run() -> None:
    opened = run_reconciliation(DAY, asked(), NOW).state
    again = run_reconciliation(opened, asked(), NOW)
    assert again.state == opened
    assert again.tasks == ()


def test_the_end_is_announced_once_with_its_counts() -> None:
    opened = run_reconciliation(DAY, asked(), NOW).state
    closed = day_compared(opened, through(1), NOW)
    (event,) = closed.events
    assert isinstance(event.message, ReconciliationCompleted)
    assert (event.message.ours, event.message.theirs, event.message.mismatches) == (3, 4, 1)
    assert event.message.run_id == opened.run_id
    assert day_compared(closed.state, through(1), NOW).events == ()


def test_a_late_word_on_an_older_run_changes_nothing() -> None:
    second = replace(DAY, number=2, open=True, requested_at=NOW)
    assert day_compared(second, through(1), NOW).state == second


def test_each_run_of_a_day_has_its_own_id() -> None:
    assert replace(DAY, number=1).run_id != replace(DAY, number=2).run_id


@pytest.mark.parametrize("day", [date(2026, 2, 2), date(1999, 12, 31), date.min, date.max])
def test_a_day_nobody_has_books_of_opens_no_run(day: date) -> None:
    decision = run_reconciliation(replace(DAY, day=day), asked(day), NOW)
    assert not decision.state.open
    assert decision.tasks == ()


def test_the_running_day_may_be_asked_for_and_waits_for_its_end() -> None:
    assert run_reconciliation(replace(DAY, day=NOW.date()), asked(NOW.date()), NOW).state.open


def test_a_day_is_the_utc_day() -> None:
    assert begins(DAY.day) == datetime(2026, 1, 31, tzinfo=UTC)
    assert ends(DAY.day) == datetime(2026, 2, 1, tzinfo=UTC)
