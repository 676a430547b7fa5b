"""What facts from a provider make of an order: declined, authorised, captured, too much, too late."""

import msgspec
import pytest
from msgspec.structs import replace

from services.payments.domain import facts
from services.payments.domain.amounts import amounts_of
from services.payments.domain.captures import capture_ended
from services.payments.domain.state import Asker
from shared.messages.facts import (
    CaptureEnded,
)
from shared.messages.payments import ConfirmCheckout
from tests.unit.payments.examples import (
    AMOUNT,
    POLICY,
    SOMEONE,
    Story,
    cancelled,
    charge,
    looked,
    seen,
    verified,
)


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
