"""The rules of captures by hand and of approvals, as sentences."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.payments.domain import facts
from services.payments.domain.amounts import amounts_of
from services.payments.domain.captures import capture_ended, capture_payment, capture_unanswered
from services.payments.domain.orders import cancel_order
from services.payments.domain.people import mark_payment
from shared.messages.facts import (
    CaptureEnded,
    CaptureUnanswered,
    ChargeFact,
    LapseDue,
    Looked,
    Seen,
    WebhookContent,
)
from shared.messages.payments import CancelOrder, CapturePayment, ConfirmCheckout, MarkPayment
from tests.unit.payments.examples import AMOUNT, SOMEONE, THREE, Story, charge


def authorized(provider: str = "stripe") -> Story:
    """A manual order, authorised and waiting for somebody to capture it."""
    story = Story(policy=THREE).placed(capture="manual").asked_to_pay(provider).opened()
    fact = replace(charge("authorized"), capture_before=story.now + timedelta(days=7))
    return story.heard(fact, provider=provider)


def capture(story: Story, amount: int | None = None) -> Story:
    command = CapturePayment(order_id="order-1", amount=amount)
    return story.tell(capture_payment(story.payment, command, SOMEONE, story.now, story.policy))


def captured(story: Story, amount: int = AMOUNT, provider: str = "stripe") -> Story:
    result = CaptureEnded(order_id="order-1", provider=provider, charge=charge("captured", amount=amount))
    return story.tell(capture_ended(story.payment, result, story.now, story.policy))


def test_a_manual_order_waits_for_somebody_to_capture_it() -> None:
    story = authorized()
    assert (story.payment.status, story.payment.detail) == ("processing", "authorized")
    assert story.asked("capture") == []
    captured(capture(story))
    assert story.payment.status == "paid"


def test_a_part_is_captured_where_the_provider_can_and_the_rest_released() -> None:
    story = capture(authorized(), 10_000)
    (request,) = story.asked("capture")
    assert (request["amount"], request["authorized"]) == (10_000, AMOUNT)
    captured(story, 10_000)
    assert (story.payment.status, amounts_of(story.payment).captured) == ("paid", 10_000)
    assert not story.payment.flags


def test_a_part_that_the_provider_cannot_capture_is_refused() -> None:
    assert capture(authorized("razorpay"), 10_000).answered()[0] == "not-supported-by-provider"


def test_more_than_authorised_is_refused() -> None:
    assert capture(authorized(), AMOUNT + 1).answered()[0] == "capture-exceeds-authorized"


def test_a_second_capture_while_one_runs_is_refused() -> None:
    story = capture(capture(authorized()))
    assert story.answered()[0] == "capture-in-progress"
    assert len(story.asked("capture")) == 1


def test_a_capture_by_hand_that_the_provider_refused_may_be_asked_for_again() -> None:
    story = capture(authorized())
    refused = CaptureEnded(
        order_id="order-1", provider="stripe", charge=charge("authorized"), refused="try again later"
    )
    story.tell(capture_ended(story.payment, refused, story.now, story.policy))
    assert [f.reason for f in story.payment.flags] == ["capture_refused"]
    story.open_tasks.clear()
    assert capture(story).answered()[0] == "ok"
    assert len(story.asked("capture")) == 1
    captured(story)
    assert story.payment.status == "paid"


def test_nothing_authorised_is_nothing_to_capture() -> None:
    story = Story(policy=THREE).placed(capture="manual").asked_to_pay("stripe").opened()
    assert capture(story).answered()[0] == "nothing-to-capture"


def test_a_person_is_warned_before_an_authorisation_lapses() -> None:
    story = authorized()
    task = story.open_tasks["lapse:pay_1"]
    assert task.delay_s == timedelta(days=6).total_seconds()
    due = LapseDue(order_id="order-1", charge_id="pay_1")
    story.tell(facts.lapse_due(story.payment, due, story.now, story.policy))
    assert [f.reason for f in story.payment.flags] == ["authorization_lapses"]


def test_a_cancel_gives_an_authorisation_back_where_the_provider_can() -> None:
    for provider, cancels in (("stripe", 1), ("razorpay", 0)):
        story = authorized(provider)
        command = CancelOrder(order_id="order-1")
        story.tell(cancel_order(story.payment, command, SOMEONE, story.now, story.policy))
        assert (story.payment.closed, len(story.asked("cancel"))) == ("cancelled", cancels)


def test_a_provider_that_cannot_wait_is_not_asked_for_a_manual_order() -> None:
    story = Story(policy=THREE).placed(capture="manual").asked_to_pay("paypal")
    assert story.answered()[0] == "not-supported-by-provider"


def test_an_unknown_capture_is_read_again_under_the_same_key() -> None:
    story = capture(authorized(), 10_000)
    for tries in range(7):
        story.open_tasks.clear()
        unknown = CaptureUnanswered(order_id="order-1", provider="stripe", charge_id="pay_1", tries=tries)
        story.tell(capture_unanswered(story.payment, unknown, story.now, story.policy))
        (request,) = story.asked("capture")
        assert (request["key"], request["amount"]) == ("capture-pay_1", 10_000)
    assert [f.reason for f in story.payment.flags] == ["capture_unknown"]


# --- approvals ----------------------------------------------------------------------------------------------


def approved(times: int = 1) -> Story:
    story = Story(policy=THREE).placed().asked_to_pay("paypal").opened()
    for _ in range(times):
        look(story)
    return story


def look(story: Story, verify: int = 0, *, is_approved: bool = True) -> Story:
    result = Looked(
        order_id="order-1",
        attempt_id=story.payment.attempts[0].id,
        reason="verify" if verify else "asked",
        seen=Seen(provider_order_id="order_P1", approved=is_approved),
        verify=verify,
    )
    return story.tell(facts.looked(story.payment, result, story.now, story.policy))


def came_back(story: Story) -> Story:
    command = ConfirmCheckout(order_id="order-1", provider="paypal", provider_order_id="order_P1")
    return story.tell(facts.confirm_checkout(story.payment, command, SOMEONE, story.now, story.policy))


def told_of_an_approval(story: Story) -> Story:
    content = WebhookContent(
        event_type="CHECKOUT.ORDER.APPROVED", account="acc", live=None, known=True,
        provider_order_id="order_P1", hint=True, approval=True,
    )  # fmt: skip
    return story.tell(facts.webhook_received(story.payment, "paypal", content, story.now, story.policy))


def capture_of_approval(story: Story, fact: ChargeFact | None, number: int = 1, refused: str = "") -> Story:
    attempt = story.payment.attempts[0]
    story.open_tasks.pop(f"capture:{attempt.id}:{number}", None)
    result = CaptureEnded(
        order_id="order-1", provider="paypal", charge=fact, refused=refused, attempt_id=attempt.id,
        number=number,
    )  # fmt: skip
    return story.tell(capture_ended(story.payment, result, story.now, story.policy))


def test_an_approval_is_captured_once_however_often_it_is_seen() -> None:
    story = approved(times=3)
    (request,) = story.asked("capture")
    assert (request["charge_id"], request["key"]) == ("", f"{story.payment.attempts[0].id}-c1")
    assert (story.payment.status, amounts_of(story.payment).authorized) == ("processing", 0)
    capture_of_approval(story, charge("captured", "CAP-1"))
    assert story.payment.status == "paid"


def test_a_declined_instrument_is_tried_again_only_when_the_buyer_came_back() -> None:
    story = look(came_back(approved()), verify=1)
    capture_of_approval(story, charge("failed", "order_P1-1"), refused="declined")
    assert story.answered()[0] == "instrument-declined"
    assert (story.payment.status, story.payment.detail) == ("failed", "declined")
    look(story)
    assert story.asked("capture") == []
    look(came_back(story), verify=2)
    (request,) = story.asked("capture")
    assert request["key"] == f"{story.payment.attempts[0].id}-c2"
    capture_of_approval(story, charge("captured", "CAP-2"), number=2)
    assert story.payment.status == "paid"


def test_a_buyer_who_approves_anew_and_closes_the_browser_is_captured() -> None:
    story = capture_of_approval(approved(), charge("failed", "order_P1-1"), refused="declined")
    look(told_of_an_approval(story), verify=1)
    (request,) = story.asked("capture")
    assert request["key"] == f"{story.payment.attempts[0].id}-c2"
    capture_of_approval(story, charge("captured", "CAP-2"), number=2)
    assert story.payment.status == "paid"


def test_the_late_webhook_of_an_approval_that_was_declined_captures_nothing() -> None:
    story = capture_of_approval(approved(), charge("failed", "order_P1-1"), refused="declined")
    look(told_of_an_approval(story), verify=1, is_approved=False)
    assert story.asked("capture") == []
    assert (story.payment.status, story.payment.detail) == ("failed", "declined")


def test_an_approval_that_is_told_before_the_decline_belongs_to_the_declined_capture() -> None:
    story = told_of_an_approval(approved())
    capture_of_approval(story, charge("failed", "order_P1-1"), refused="declined")
    look(story)
    assert story.asked("capture") == []


def test_the_buyers_return_is_answered_when_the_capture_has_ended() -> None:
    story = came_back(Story(policy=THREE).placed().asked_to_pay("paypal").opened())
    look(story, verify=1)
    assert story.answers[-1].code != "ok" or b"paid" not in story.answers[-1].answer
    answers = len(story.answers)
    capture_of_approval(story, charge("captured", "CAP-1"))
    assert len(story.answers) == answers + 1
    assert story.answered()[1]["status"] == "paid"


def test_a_pending_capture_is_processing_until_it_ends() -> None:
    story = capture_of_approval(approved(), charge("pending", "CAP-1"))
    assert (story.payment.status, story.payment.detail) == ("processing", "provider_pending")
    story.heard(charge("captured", "CAP-1"), provider="paypal")
    assert story.payment.status == "paid"


def test_a_pending_capture_that_is_declined_in_the_end_lets_the_buyer_approve_again() -> None:
    story = capture_of_approval(approved(), charge("pending", "CAP-1"))
    story.heard(charge("failed", "CAP-1"), provider="paypal")
    assert (story.payment.status, story.payment.detail) == ("failed", "declined")
    look(came_back(story), verify=1)
    (request,) = story.asked("capture")
    assert request["key"] == f"{story.payment.attempts[0].id}-c2"
    capture_of_approval(story, charge("pending", "CAP-1"))  # the first one's own answer, much too late
    assert story.payment.attempts[0].capturing


def test_a_decline_that_is_seen_before_the_capture_is_answered_as_pending_is_a_decline() -> None:
    story = approved().heard(charge("failed", "CAP-1"), provider="paypal")
    assert story.payment.detail == "provider_pending"  # the call may be another one's
    capture_of_approval(story, charge("pending", "CAP-1"))
    assert (story.payment.status, story.payment.detail) == ("failed", "declined")


def unanswered(story: Story, provider: str) -> Story:
    """The capture that was on its way got no answer."""
    attempt = story.payment.attempts[0]
    unknown = CaptureUnanswered(
        order_id="order-1", provider=provider, attempt_id=attempt.id,
        charge_id="pay_1" if provider == "stripe" else "", number=attempt.captures_asked,
    )  # fmt: skip
    return story.tell(capture_unanswered(story.payment, unknown, story.now, story.policy))


@pytest.mark.parametrize("provider", ["stripe", "paypal"])
def test_an_unknown_capture_is_read_and_not_repeated_once_the_order_is_cancelled(provider: str) -> None:
    story = capture(authorized()) if provider == "stripe" else approved()
    story.tell(cancel_order(story.payment, CancelOrder(order_id="order-1"), SOMEONE, story.now, story.policy))
    unanswered(story, provider)
    assert story.asked("capture") == []
    looks = [t for t in story.open_tasks.values() if t.key.startswith("asked:")]
    assert [t.delay_s for t in looks] == [60.0]  # when the call has ended, whatever it did


def test_an_unknown_capture_is_not_repeated_once_another_one_paid_the_order() -> None:
    story = Story(policy=THREE).awaiting_buyer().heard(charge("authorized"))
    story.heard(charge("captured", "pay_2"))
    unknown = CaptureUnanswered(order_id="order-1", provider="razorpay", charge_id="pay_1")
    story.tell(capture_unanswered(story.payment, unknown, story.now, story.policy))
    assert story.asked("capture") == []


def test_when_an_authorisation_lapses_may_be_learned_after_it_was_seen() -> None:
    """Stripe's event of the intent does not say it, its event of the charge does; either may come first."""
    story = Story(policy=THREE).placed(capture="manual").asked_to_pay("stripe").opened()
    story.heard(charge("authorized"), provider="stripe")
    until = story.now + timedelta(days=7)
    for _ in range(2):
        story.heard(replace(charge("authorized"), capture_before=until), provider="stripe")
        story.heard(charge("authorized"), provider="stripe")
    assert story.payment.charges[0].capture_before == until
    assert story.open_tasks["lapse:pay_1"].delay_s == timedelta(days=6).total_seconds()


def test_nobody_marks_an_order_as_paid_while_its_capture_is_under_way() -> None:
    """Two payments would stand, and the buyer's own would go back."""
    story = approved()
    command = MarkPayment(order_id="order-1", source="bank", person="Asha", reason="paid by transfer")
    story.tell(mark_payment(story.payment, command, SOMEONE, story.now, story.policy))
    assert story.answered()[0] == "attempt-in-flight"
    assert not story.payment.charges
