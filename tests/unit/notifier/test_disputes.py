from dataclasses import replace
from datetime import timedelta

import pytest

from services.notifier.domain.disputes import REMINDED_BEFORE, on_reminder_due
from services.notifier.domain.results import ReminderDue
from services.notifier.domain.state import Order
from shared.decision import Task
from tests.unit.notifier.examples import (
    DISPUTE,
    NOW,
    RULES,
    dispute_closed,
    dispute_opened,
    dispute_updated,
    play,
    the_mail,
)

DUE = ReminderDue(order_id="order-1", dispute="razorpay/disp_1")
DEADLINE = NOW + timedelta(days=7)


def kinds(order: Order) -> list[str]:
    return [mail.kind for mail in order.mails]


def reminder(tasks: tuple[Task, ...]) -> Task:
    (task,) = (task for task in tasks if task.kind == "remind")
    return task


def test_an_opened_dispute_is_told_at_once_and_again_48_hours_before_its_deadline() -> None:
    order, (decision,) = play(dispute_opened())
    assert the_mail(order, "dispute").recipient == "owner@shop.test"
    assert reminder(decision.tasks).delay_s == timedelta(days=5).total_seconds()
    at = DEADLINE - REMINDED_BEFORE
    reminded = on_reminder_due(order, DUE, RULES, at)
    assert kinds(reminded.state) == ["dispute", "dispute_reminder"]
    assert [task.kind for task in reminded.tasks] == ["mail"]
    assert on_reminder_due(reminded.state, DUE, RULES, at).tasks == ()


def test_the_lead_follows_the_time_scale_as_the_deadline_does() -> None:
    deadline = NOW + timedelta(seconds=100)
    _, (decision,) = play(dispute_opened(respond_by=deadline), rules=replace(RULES, time_scale=17_280.0))
    assert reminder(decision.tasks).delay_s == pytest.approx(90.0)


def test_a_dispute_that_is_over_is_not_reminded_of() -> None:
    order, (_, closed) = play(dispute_opened(), dispute_closed())
    assert closed.dropped == ("remind:razorpay/disp_1",)
    late = on_reminder_due(order, DUE, RULES, DEADLINE - REMINDED_BEFORE)
    assert (kinds(late.state), late.tasks) == (["dispute"], ())


def test_closed_before_it_was_opened_is_told_once_and_not_reminded_of() -> None:
    order, decisions = play(dispute_closed(), dispute_opened())
    assert kinds(order) == ["dispute"]
    assert [task.kind for decision in decisions for task in decision.tasks] == ["mail"]


def test_a_deadline_that_moved_moves_the_reminder() -> None:
    order, _ = play(dispute_opened(), dispute_updated(respond_by=DEADLINE + timedelta(days=3)))
    decision = on_reminder_due(order, DUE, RULES, DEADLINE - REMINDED_BEFORE)
    assert kinds(decision.state) == ["dispute"]
    assert reminder(decision.tasks).delay_s == timedelta(days=3).total_seconds()


@pytest.mark.parametrize("left", [timedelta(hours=40), timedelta(hours=48), timedelta(hours=-1)])
def test_a_dispute_opened_late_is_told_once(left: timedelta) -> None:
    order, (decision,) = play(dispute_opened(respond_by=NOW + left))
    assert kinds(order) == ["dispute"]
    assert [task.kind for task in decision.tasks] == ["mail"]


def test_a_deadline_that_was_told_of_late_is_reminded_of_at_once() -> None:
    """The first mail named none, or another one: there is no time left to lose."""
    soon = NOW + timedelta(hours=40)
    order, (_, learned, more) = play(
        dispute_opened(respond_by=None),
        dispute_updated(respond_by=soon),
        dispute_updated(respond_by=soon, amount=60_000),
    )
    assert reminder(learned.tasks).delay_s == 0
    assert more.tasks == (), "nothing more is known of the deadline"
    assert kinds(on_reminder_due(order, DUE, RULES, NOW).state) == ["dispute", "dispute_reminder"]
    _, (_, moved) = play(
        dispute_opened(respond_by=NOW + timedelta(hours=20)), dispute_updated(respond_by=soon)
    )
    assert reminder(moved.tasks).delay_s == 0


def test_a_deadline_that_has_passed_is_not_reminded_of() -> None:
    order, _ = play(dispute_opened())
    assert kinds(on_reminder_due(order, DUE, RULES, DEADLINE).state) == ["dispute"]


def test_a_dispute_without_a_deadline_is_told_once() -> None:
    order, (decision,) = play(dispute_opened(respond_by=None))
    assert kinds(order) == ["dispute"]
    assert [task.kind for task in decision.tasks] == ["mail"]


def test_without_a_merchants_address_nobody_is_told() -> None:
    order, (decision,) = play(dispute_opened(), rules=replace(RULES, merchant_email=""))
    assert (order.mails, decision.tasks) == ((), ())


def test_an_update_that_says_nothing_new_changes_nothing() -> None:
    order, (_, again) = play(dispute_opened(), dispute_updated())
    assert again.outcome == "ignored"
    assert order.disputes["razorpay/disp_1"].respond_by == DISPUTE.respond_by
