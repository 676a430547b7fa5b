"""The rules about money, as sentences."""

import msgspec
import pytest
from msgspec.structs import replace

from services.payments.domain import facts
from services.payments.domain.amounts import amounts_of
from services.payments.domain.attempts import attempt_refused, attempt_unanswered, create_payment
from services.payments.domain.captures import capture_ended
from services.payments.domain.orders import cancel_order, place_order
from services.payments.domain.state import Asker, Payment
from services.payments.domain.status import reachable
from shared.errors import Rejected
from shared.messages.facts import (
    AttemptRefused,
    AttemptUnanswered,
    CaptureEnded,
    ChargeFact,
    Looked,
    Seen,
)
from shared.messages.payments import CancelOrder, ConfirmCheckout, CreatePayment, LookAgain
from tests.unit.payments.examples import AMOUNT, POLICY, SOMEONE, Story, charge, order


def seen(story: Story, *charges: ChargeFact) -> Story:
    return story.heard(*charges)


def verified(story: Story, asker: Asker = SOMEONE) -> Story:
    command = ConfirmCheckout(order_id="order-1", provider="razorpay", provider_order_id="order_P1")
    return story.tell(facts.confirm_checkout(story.payment, command, asker, story.now, POLICY))


def looked(story: Story, *charges: ChargeFact, verify: int = 0, round_: int = 0, late: bool = False) -> Story:
    result = Looked(
        order_id="order-1",
        attempt_id=story.payment.attempts[0].id,
        reason="verify" if verify else "late" if late else "schedule",
        seen=Seen(charges=charges),
        verify=verify,
        round=round_,
    )
    story.open_tasks.pop(f"look:{result.attempt_id}", None)
    return story.tell(facts.looked(story.payment, result, story.now, POLICY))


def cancelled(story: Story) -> Story:
    command = CancelOrder(order_id="order-1", reason="changed my mind")
    return story.tell(cancel_order(story.payment, command, SOMEONE, story.now, POLICY))


# --- orders -----------------------------------------------------------------------------------------------


def test_an_order_is_held_and_published_with_its_revision() -> None:
    story = Story().placed()
    assert story.payment.status == "created"
    assert story.happened() == ["PaymentCreated"]
    assert [e.message.revision for e in story.events if e.topic == "orders.events"] == [1]  # type: ignore[attr-defined]
    assert msgspec.json.decode(story.answers[-1].answer)["change"] == "created"


def test_the_same_order_again_changes_and_says_nothing() -> None:
    story = Story().placed()
    before, events = story.payment, len(story.events)
    story.placed()
    assert (story.payment, len(story.events)) == (before, events)
    assert msgspec.json.decode(story.answers[-1].answer)["change"] == "unchanged"


def test_new_content_before_any_attempt_is_the_next_revision() -> None:
    story = Story().placed()
    other = order(amount=2 * AMOUNT, lines=(replace_quantity(2),))
    story.tell(place_order(story.payment, other, SOMEONE, story.now, POLICY))
    assert (story.payment.amount, story.payment.revision) == (2 * AMOUNT, 2)


def test_new_content_after_an_attempt_is_refused() -> None:
    story = Story().awaiting_buyer()
    other = order(amount=2 * AMOUNT, lines=(replace_quantity(2),))
    story.tell(place_order(story.payment, other, SOMEONE, story.now, POLICY))
    assert story.answers[-1].code == "order-already-started"
    assert story.payment.amount == AMOUNT


def replace_quantity(quantity: int) -> object:
    return msgspec.structs.replace(order().lines[0], quantity=quantity)


def test_lines_that_do_not_add_up_are_refused() -> None:
    story = Story()
    story.tell(place_order(story.payment, order(amount=AMOUNT + 1), SOMEONE, story.now, POLICY))
    assert story.answers[-1].code == "amount-mismatch"
    assert not story.payment.registered


def test_an_order_from_the_topic_that_cannot_be_held_is_never_dropped() -> None:
    with pytest.raises(Rejected, match="amount-mismatch"):
        place_order(Payment("order-1"), order(amount=1), Asker(), Story().now, POLICY)


def test_commands_for_an_unknown_order_are_answered_not_found() -> None:
    story = Story()
    story.tell(create_payment(story.payment, CreatePayment(order_id="order-1"), SOMEONE, story.now, POLICY))
    cancelled(story)
    verified(story)
    story.tell(facts.look_again(story.payment, LookAgain(order_id="order-1"), SOMEONE, story.now, POLICY))
    assert [a.code for a in story.answers] == ["order-not-found"] * 4


# --- attempts ---------------------------------------------------------------------------------------------


def test_a_payment_starts_with_a_durable_intent_that_holds_the_exact_request() -> None:
    story = Story().placed().asked_to_pay()
    (task,) = [t for t in story.open_tasks.values() if t.kind == "open_order"]
    request = msgspec.json.decode(task.payload)
    assert request["attempt_id"] == story.payment.attempts[0].id
    assert (request["amount"], request["currency"], request["lookup_first"]) == (AMOUNT, "INR", False)
    assert 10 <= len(request["attempt_id"]) <= 40


def test_everyone_who_asks_while_it_is_opened_gets_the_same_answer() -> None:
    story = Story().placed().asked_to_pay()
    again = CreatePayment(order_id="order-1")
    story.tell(create_payment(story.payment, again, Asker("waiting-2"), story.now, POLICY))
    assert len(story.payment.attempts) == 1
    story.opened()
    replies = {a.correlation_id: a.answer for a in story.answers}
    assert replies["waiting-1"] == replies["waiting-2"]
    assert msgspec.json.decode(replies["waiting-2"])["provider_order_id"] == "order_P1"


def test_asking_again_while_it_is_open_gives_the_same_attempt() -> None:
    story = Story().awaiting_buyer()
    first = story.answers[-1].answer
    story.asked_to_pay()
    assert story.answers[-1].answer == first
    assert len(story.payment.attempts) == 1


def test_an_unanswered_create_is_unknown_and_looked_up_never_created_again_blindly() -> None:
    story = Story().placed().asked_to_pay()
    attempt = story.payment.attempts[0]
    story.open_tasks.clear()
    result = AttemptUnanswered(order_id="order-1", attempt_id=attempt.id)
    story.tell(attempt_unanswered(story.payment, result, story.now, POLICY))
    assert (story.payment.status, story.payment.detail) == ("processing", "unknown")
    (task,) = story.open_tasks.values()
    assert msgspec.json.decode(task.payload)["lookup_first"] is True
    story.opened()
    assert (story.payment.status, story.payment.detail) == ("pending_payment", "awaiting_buyer")


def test_a_refused_create_lets_the_buyer_try_again_with_a_new_attempt() -> None:
    story = Story().placed().asked_to_pay()
    refused = AttemptRefused(
        order_id="order-1", attempt_id=story.payment.attempts[0].id, code="provider-rejected"
    )
    story.tell(attempt_refused(story.payment, refused, story.now, POLICY))
    assert story.answers[-1].code == "provider-rejected"
    assert story.payment.status == "created"
    story.asked_to_pay()
    assert [a.state for a in story.payment.attempts] == ["refused", "opening"]


def test_an_unanswered_create_that_is_refused_in_the_end_lets_the_buyer_try_again() -> None:
    story = Story().placed().asked_to_pay()
    attempt_id = story.payment.attempts[0].id
    unanswered = AttemptUnanswered(order_id="order-1", attempt_id=attempt_id)
    story.tell(attempt_unanswered(story.payment, unanswered, story.now, POLICY))
    refused = AttemptRefused(order_id="order-1", attempt_id=attempt_id, code="provider-rejected")
    story.tell(attempt_refused(story.payment, refused, story.now, POLICY))
    assert story.answers[-1].code == "provider-rejected"
    assert (story.payment.status, story.happened()[-1]) == ("created", "PaymentAttemptEnded")


def test_an_amount_that_no_provider_takes_is_refused_up_front() -> None:
    small = order(amount=50, lines=(msgspec.structs.replace(order().lines[0], unit_amount=50),))
    story = Story()
    story.tell(place_order(story.payment, small, SOMEONE, story.now, POLICY))
    story.asked_to_pay()
    assert story.answers[-1].code == "amount-out-of-range"
    assert story.payment.attempts == ()


# --- facts ------------------------------------------------------------------------------------------------


def test_a_capture_pays_the_order_once() -> None:
    story = seen(seen(Story().awaiting_buyer(), charge("captured")), charge("captured"))
    assert story.payment.status == "paid"
    assert story.happened().count("PaymentPaid") == 1


def test_a_browser_alone_never_pays() -> None:
    story = verified(Story().awaiting_buyer())
    assert (story.payment.status, story.payment.detail) == ("processing", "verifying")
    looked(story, verify=1)
    assert (story.payment.status, story.payment.detail) == ("pending_payment", "awaiting_buyer")


def test_a_verify_is_answered_by_the_read_that_it_asked_for() -> None:
    story = verified(Story().awaiting_buyer(), Asker("buyer"))
    assert "buyer" not in {a.correlation_id for a in story.answers}
    looked(story, charge("captured"), verify=1)
    answer = msgspec.json.decode(story.answers[-1].answer)
    assert (answer["status"], answer["version"]) == ("paid", story.payment.version)


def test_a_webhook_that_comes_first_answers_the_waiting_verify() -> None:
    story = seen(verified(Story().awaiting_buyer(), Asker("buyer")), charge("captured"))
    assert (story.answers[-1].correlation_id, story.payment.status) == ("buyer", "paid")


def test_ids_of_another_order_are_a_mismatch() -> None:
    story = Story().awaiting_buyer()
    command = ConfirmCheckout(order_id="order-1", provider="razorpay", provider_order_id="order_OTHER")
    story.tell(facts.confirm_checkout(story.payment, command, SOMEONE, story.now, POLICY))
    assert story.answers[-1].code == "attempt-mismatch"


def test_a_decline_may_be_tried_again_and_then_paid() -> None:
    story = seen(Story().awaiting_buyer(), charge("failed"))
    assert (story.payment.status, story.payment.detail) == ("failed", "declined")
    assert "PaymentFailed" in story.happened()
    seen(story, charge("captured", "pay_2"))
    assert story.payment.status == "paid"


def test_a_late_failure_never_undoes_a_payment() -> None:
    story = seen(seen(Story().awaiting_buyer(), charge("captured")), charge("failed"))
    assert story.payment.status == "paid"
    assert "PaymentFailed" not in story.happened()


def test_an_authorisation_is_captured_by_us_when_the_provider_has_not() -> None:
    story = seen(Story().awaiting_buyer(), charge("authorized"))
    assert (story.payment.status, story.payment.detail) == ("processing", "authorized")
    (task,) = [t for t in story.open_tasks.values() if t.kind == "capture"]
    assert task.delay_s == POLICY.capture_grace_s
    seen(story, charge("captured"))
    assert not [t for t in story.open_tasks.values() if t.kind == "capture"]


def test_of_two_authorisations_only_one_is_captured() -> None:
    story = seen(Story().awaiting_buyer(), charge("authorized"), charge("authorized", "pay_2"))
    assert len([t for t in story.open_tasks.values() if t.kind == "capture"]) == 1
    seen(story, charge("lapsed"))
    (task,) = [t for t in story.open_tasks.values() if t.kind == "capture"]
    assert msgspec.json.decode(task.payload)["charge_id"] == "pay_2"


def test_a_later_authorisation_waits_while_another_is_being_captured() -> None:
    story = seen(seen(Story().awaiting_buyer(), charge("authorized")), charge("authorized", "pay_2"))
    (task,) = [t for t in story.open_tasks.values() if t.kind == "capture"]
    assert msgspec.json.decode(task.payload)["charge_id"] == "pay_1"


def test_a_capture_that_the_provider_refuses_waits_for_a_person() -> None:
    story = seen(Story().awaiting_buyer(), charge("authorized"))
    ended = CaptureEnded(order_id="order-1", provider="razorpay", charge=charge("authorized"), refused="no")
    story.tell(capture_ended(story.payment, ended, story.now, POLICY))
    assert [f.reason for f in story.payment.flags] == ["capture_refused"]


def test_a_second_capture_is_surplus_and_goes_back_by_itself() -> None:
    story = seen(Story().awaiting_buyer(), charge("captured"), charge("captured", "pay_2"))
    assert story.happened().count("PaymentPaid") == 1
    assert story.happened().count("RefundRequested") == 1
    amounts = amounts_of(story.payment)
    assert (amounts.captured, amounts.refund_pending) == (2 * AMOUNT, AMOUNT)
    (task,) = [t for t in story.open_tasks.values() if t.kind == "refund"]
    assert msgspec.json.decode(task.payload)["charge_id"] == "pay_2"


def test_a_surplus_above_the_cap_waits_for_a_person() -> None:
    policy = replace(POLICY, refund_max={"INR": AMOUNT - 1})
    story = Story(policy=policy).awaiting_buyer().heard(charge("captured"), charge("captured", "pay_2"))
    assert [f.reason for f in story.payment.flags] == ["duplicate_capture"]
    assert not [t for t in story.open_tasks.values() if t.kind == "refund"]


def test_money_after_the_end_goes_back_where_the_shop_wants_that() -> None:
    story = cancelled(Story(policy=replace(POLICY, reopens_late=False)).awaiting_buyer())
    story.heard(charge("captured"))
    assert story.payment.status == "failed"
    assert story.happened()[-1] == "RefundRequested"


@pytest.mark.parametrize("wrong", [{"amount": AMOUNT - 1}, {"amount": AMOUNT + 1}, {"currency": "USD"}])
def test_another_amount_or_currency_changes_no_status_and_waits_for_a_person(
    wrong: dict[str, object],
) -> None:
    story = seen(Story().awaiting_buyer(), charge("captured", **wrong))  # type: ignore[arg-type]
    assert story.payment.status == "pending_payment"
    assert story.happened()[-1] == "PaymentFlagged"
    assert [f.reason for f in story.payment.flags] == ["amount_mismatch"]


# --- the end of an order ----------------------------------------------------------------------------------


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


def test_an_order_whose_time_is_over_is_closed_after_a_last_look() -> None:
    story = Story().awaiting_buyer().later(86401)
    story.tell(facts.close_due(story.payment, story.now, POLICY))
    assert "PaymentClosed" not in story.happened()
    looked(story)
    assert (story.payment.closed, story.happened()[-1]) == ("expired", "PaymentClosed")


def test_an_order_with_money_in_flight_is_not_closed() -> None:
    story = seen(Story().awaiting_buyer(), charge("authorized")).later(86401)
    story.tell(facts.close_due(story.payment, story.now, POLICY))
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


def test_waiters_who_gave_up_are_forgotten() -> None:
    story = Story().placed().asked_to_pay().later(61)
    story.tell(
        attempt_unanswered(
            story.payment,
            AttemptUnanswered(order_id="order-1", attempt_id=story.payment.attempts[0].id),
            story.now,
            POLICY,
        )
    )
    assert story.payment.waiting == ()
