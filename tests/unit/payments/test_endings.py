"""How an order ends: cancelled, expired, looked at for the last time, paid after all."""

import msgspec

from services.payments.domain import facts
from services.payments.domain.status import reachable
from shared.messages.facts import Seen, WebhookContent
from tests.unit.payments.examples import (
    POLICY,
    Story,
    cancelled,
    charge,
    looked,
    seen,
    verified,
)


def test_a_cancel_closes_an_unpaid_order_once() -> None:
    story = cancelled(cancelled(Story().awaiting_buyer()))
    assert (story.payment.status, story.payment.detail) == ("failed", "cancelled")
    assert story.happened().count("PaymentClosed") == 1


def test_a_cancel_of_a_paid_order_moves_no_money_and_is_flagged() -> None:
    story = cancelled(seen(Story().awaiting_buyer(), charge("captured")))
    assert story.payment.status == "paid"
    assert [f.reason for f in story.payment.flags] == ["cancel_after_payment"]
    assert "PaymentClosed" not in story.happened()


def test_money_after_the_end_is_late_success_announced_and_flagged() -> None:
    story = seen(cancelled(Story().awaiting_buyer()), charge("captured"))
    assert story.payment.status == "paid"
    paid = next(e.message for e in story.events if type(e.message).__name__ == "PaymentPaid")
    assert paid.late is True  # type: ignore[attr-defined]
    assert [f.reason for f in story.payment.flags] == ["late_success"]


def test_a_late_authorisation_of_a_closed_order_is_left_to_lapse() -> None:
    story = seen(cancelled(Story().awaiting_buyer()), charge("authorized"))
    assert story.payment.status == "failed"
    assert not [t for t in story.open_tasks.values() if t.kind == "capture"]


def test_money_held_for_a_closed_order_is_told_when_it_comes_and_when_it_goes() -> None:
    story = cancelled(seen(Story().awaiting_buyer(), charge("authorized")))
    for state in ("lapsed", "lapsed"):
        seen(story, charge(state))
    assert story.happened()[-2:] == ["PaymentClosed", "PaymentAttemptEnded"]
    told = story.events[-1].message.payment  # type: ignore[attr-defined] # every event here has one
    assert [c.state for c in told.charges] == ["lapsed"]
    late = seen(cancelled(Story().awaiting_buyer()), charge("authorized"))
    assert late.happened()[-1] == "PaymentAttemptEnded"


def test_a_silent_attempt_is_looked_at_on_schedule_until_it_expires() -> None:
    story = Story().awaiting_buyer()
    key = f"look:{story.payment.attempts[0].id}"
    assert story.open_tasks[key].delay_s == 300
    looked(story.later(300))
    assert story.open_tasks[key].delay_s == 600
    looked(story.later(600), round_=1)
    assert story.payment.attempts[0].state == "open"
    looked(story.later(900), round_=1)
    assert (story.payment.status, story.payment.detail) == ("failed", "expired")
    assert story.happened()[-1] == "PaymentAttemptEnded"
    assert story.payment.closed is None
    assert msgspec.json.decode(story.open_tasks[key].payload)["reason"] == "late"


def test_after_expiry_a_new_attempt_may_be_opened() -> None:
    story = looked(Story().awaiting_buyer().later(1801), round_=1).asked_to_pay().opened("order_P2")
    assert (len(story.payment.attempts), story.payment.status) == (2, "pending_payment")


def test_an_attempt_that_was_cancelled_at_the_provider_is_over_when_a_webhook_says_so() -> None:
    """Somebody cancelled it in the dashboard: no buyer is given it any more."""
    story = Story().awaiting_buyer()
    content = WebhookContent(
        event_type="payment_intent.canceled", account="acc_1", live=None, known=True,
        seen=Seen(cancelled=True), provider_order_id="order_P1",
    )  # fmt: skip
    story.tell(facts.webhook_received(story.payment, "razorpay", content, story.now, POLICY))
    assert story.payment.attempts[0].state == "expired"
    assert len(story.asked_to_pay().payment.attempts) == 2


def test_an_order_whose_time_is_over_is_closed_after_a_last_look() -> None:
    story = Story().awaiting_buyer().later(86401)
    story.tell(facts.close_due(story.payment, story.now, POLICY))
    assert "PaymentClosed" not in story.happened()
    looked(story)
    assert (story.payment.closed, story.happened()[-1]) == ("expired", "PaymentClosed")


def test_an_order_with_money_in_flight_is_not_closed() -> None:
    story = seen(Story().awaiting_buyer(), charge("authorized")).later(86401)
    story.open_tasks.clear()
    story.tell(facts.close_due(story.payment, story.now, POLICY))
    assert not story.asked("look")  # asked each minute for days, providers would slow everyone down
    looked(story, charge("authorized"))
    assert story.payment.closed is None


def test_late_looks_end() -> None:
    story = cancelled(Story().awaiting_buyer())
    story.open_tasks.clear()
    for round_ in range(3):
        looked(story.later(90_000), late=True, round_=round_)
    assert not [t for t in story.open_tasks.values() if t.kind == "look"]


def test_a_paid_order_needs_no_more_looks() -> None:
    story = seen(Story().awaiting_buyer(), charge("captured"))
    assert story.open_tasks == {}


def test_versions_number_the_events_without_gap() -> None:
    story = seen(verified(Story().awaiting_buyer()), charge("failed"), charge("captured", "pay_2"))
    versions = [e.version for e in story.events if e.topic == "payments.events"]
    assert versions == list(range(1, len(versions) + 1))
    assert story.payment.version == len(versions)


def test_no_batch_can_save_a_paid_order_as_failed() -> None:
    assert ("paid", "failed") not in reachable()
    assert ("paid", "pending_payment") not in reachable()
    assert ("failed", "paid") in reachable()
