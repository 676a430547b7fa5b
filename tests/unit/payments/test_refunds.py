"""The rules of refunds, as sentences."""

import pytest
from msgspec.structs import replace

from services.payments.domain.amounts import amounts_of
from services.payments.domain.refunds import refund_ended, refund_payment, refund_unanswered
from services.payments.domain.snapshot import snapshot
from shared.errors import Rejected
from shared.messages.base import IdempotencyKey
from shared.messages.facts import DisputeFact, RefundEnded, RefundFact, RefundState, RefundUnanswered
from shared.messages.payments import RefundPayment
from tests.unit.payments.examples import AMOUNT, POLICY, SOMEONE, Story, charge


def refund(story: Story, amount: int | None = None, key: str = "k1", charge_id: str | None = None) -> Story:
    asked = IdempotencyKey(principal="shop", key=key, fingerprint=b"x")
    command = RefundPayment(order_id="order-1", amount=amount, charge_id=charge_id, idempotency=asked)
    return story.tell(refund_payment(story.payment, command, SOMEONE, story.now, story.policy))


def ended(story: Story, state: RefundState | None, number: int = 0) -> Story:
    """The provider's answer to our refund; None: it refuses."""
    mine = story.payment.refunds[number]
    story.open_tasks.pop(f"refund:{mine.id}", None)
    result = RefundEnded(
        order_id="order-1",
        provider="razorpay",
        refund_id=mine.id,
        fact=fact(state, mine.amount, reference=mine.id) if state else None,
        refused="" if state else "insufficient balance",
    )
    return story.tell(refund_ended(story.payment, result, story.now, story.policy))


def fact(state: RefundState, amount: int, refund_id: str = "rfnd_1", reference: str = "") -> RefundFact:
    return RefundFact(
        refund_id=refund_id,
        charge_id="pay_1",
        state=state,
        amount=amount,
        currency="INR",
        reference=reference,
    )


def test_a_refund_is_reserved_before_the_provider_is_asked() -> None:
    story = refund(Story().paid())
    code, answer = story.answered()
    assert (code, answer["status"], answer["amount"], answer["refundable"]) == ("ok", "requested", AMOUNT, 0)
    (request,) = story.asked("refund")
    assert (request["refund_id"], request["charge_id"]) == (answer["refund_id"], "pay_1")
    assert story.payment.status == "paid"
    assert amounts_of(story.payment).refund_pending == AMOUNT


def test_a_refund_that_succeeded_changes_the_status() -> None:
    story = ended(refund(Story().paid()), "succeeded")
    assert story.payment.status == "refunded"
    assert story.happened()[-3:] == ["RefundRequested", "RefundSucceeded", "PaymentRefunded"]


def test_parts_add_up_and_what_is_left_is_said() -> None:
    story = ended(refund(Story().paid(), 10_000), "succeeded")
    assert story.payment.status == "partially_refunded"
    refund(story, AMOUNT, key="k2")
    code, answer = story.answered()
    assert (code, answer["refundable"]) == ("refund-exceeds-remaining", AMOUNT - 10_000)
    refund(story, None, key="k3")
    assert story.answered()[1]["amount"] == AMOUNT - 10_000
    refund(story, None, key="k4")
    assert story.answered()[0] == "nothing-to-refund"


def test_two_refunds_at_once_cannot_exceed_the_capture() -> None:
    story = refund(refund(Story().paid(), AMOUNT * 6 // 10), AMOUNT * 6 // 10, key="k2")
    assert story.answered()[0] == "refund-exceeds-remaining"
    assert len(story.asked("refund")) == 1


def test_the_same_key_is_one_refund() -> None:
    story = refund(refund(Story().paid(), 100), 100)
    first, second = (a.answer for a in story.answers[-2:])
    assert first == second
    assert len(story.payment.refunds) == 1


def test_what_is_left_goes_back_even_when_so_little_could_not_be_charged() -> None:
    def takes_a_rupee(amount: int, _currency: str) -> None:
        if amount < 100:
            raise Rejected("amount-out-of-range", "at least 1.00")

    razorpay = replace(POLICY.providers["razorpay"], check_refund=lambda _amount, _currency: None)
    razorpay = replace(razorpay, check_amount=takes_a_rupee)
    story = Story(policy=replace(POLICY, providers={"razorpay": razorpay})).paid()
    ended(refund(story, AMOUNT - 30), "succeeded")
    assert refund(story, key="k2").answered()[1]["amount"] == 30


def test_an_unpaid_order_has_nothing_to_refund() -> None:
    assert refund(Story().awaiting_buyer()).answered()[0] == "not-paid"


def test_a_refused_refund_failed_and_its_amount_is_free_again() -> None:
    story = ended(refund(Story().paid()), None)
    assert story.happened()[-1] == "RefundFailed"
    assert story.payment.refunds[0].failure == "insufficient balance"
    assert refund(story, key="k2").answered()[0] == "ok"


def test_a_pending_refund_is_not_done() -> None:
    story = ended(refund(Story().paid()), "pending")
    assert story.payment.status == "paid"
    assert "RefundSucceeded" not in story.happened()


def test_a_refund_that_fails_after_it_succeeded_makes_the_order_paid_again() -> None:
    story = ended(refund(Story().paid()), "succeeded").heard(refunds=(fact("failed", AMOUNT),))
    assert (story.payment.status, story.happened()[-1]) == ("paid", "RefundFailed")
    assert story.happened().count("PaymentPaid") == 1


@pytest.mark.parametrize("late", [False, True])
def test_success_and_failure_are_each_announced_once_in_either_order(late: bool) -> None:
    told = (fact("failed", AMOUNT), fact("succeeded", AMOUNT))
    story = Story().paid()
    for each in told if late else told[::-1]:
        story.heard(refunds=(each, each))
    assert story.payment.refunds[0].state == "failed"
    assert [story.happened().count(n) for n in ("RefundRequested", "RefundSucceeded", "RefundFailed")] == [
        1
    ] * 3


def test_a_refund_made_in_the_providers_dashboard_is_in_our_books() -> None:
    story = Story().paid().heard(refunds=(fact("succeeded", 10_000, "rfnd_dashboard"),))
    assert (story.payment.status, story.payment.refunds[0].origin) == ("partially_refunded", "provider")
    assert amounts_of(story.payment).net == AMOUNT - 10_000
    assert refund(story, AMOUNT).answered()[0] == "refund-exceeds-remaining"


def test_an_authorisation_that_lapsed_and_went_back_is_no_refund() -> None:
    """Razorpay gives back what nobody captured in the form of a refund; it never was ours."""
    second = charge("lapsed", "pay_2")
    back = replace(fact("succeeded", AMOUNT), charge_id="pay_2")
    story = Story().paid().heard(second, refunds=(back,))
    view = snapshot(story.payment)
    assert (view.status, view.amounts.net, view.refunds) == ("paid", AMOUNT, ())
    assert {"RefundRequested", "RefundSucceeded"} & set(story.happened()) == set()


def test_a_refund_that_is_told_before_its_capture_is_announced_with_it() -> None:
    story = Story().placed().asked_to_pay().opened().heard(refunds=(fact("succeeded", 10_000),))
    assert story.happened()[-1] == "PaymentPending"
    story.heard(charge("captured"))
    assert story.happened()[-4:] == [
        "PaymentPaid", "RefundRequested", "RefundSucceeded", "PaymentPartiallyRefunded",
    ]  # fmt: skip


def test_a_webhook_of_our_own_refund_before_its_answer_is_the_same_refund() -> None:
    story = refund(Story().paid())
    mine = story.payment.refunds[0]
    story.heard(refunds=(fact("succeeded", AMOUNT, reference=mine.id),))
    ended(story, "pending")
    assert [(r.id, r.state) for r in story.payment.refunds] == [(mine.id, "succeeded")]


def test_a_capture_and_its_refund_may_be_learned_at_once() -> None:
    story = Story().awaiting_buyer().heard(charge("captured"), refunds=(fact("succeeded", AMOUNT),))
    assert story.payment.status == "refunded"
    paid, *rest = [n for n in story.happened() if n.startswith(("PaymentPaid", "Refund", "PaymentRefunded"))]
    assert (paid, rest) == ("PaymentPaid", ["RefundRequested", "RefundSucceeded", "PaymentRefunded"])


def test_an_unanswered_refund_is_looked_up_and_blocks_others_until_it_is_known() -> None:
    story = refund(Story().paid(), 100)
    mine = story.payment.refunds[0]
    for tries in range(6):
        story.open_tasks.clear()
        unanswered = RefundUnanswered(order_id="order-1", refund_id=mine.id, tries=tries)
        story.tell(refund_unanswered(story.payment, unanswered, story.now, story.policy))
        assert [t["refund_id"] for t in story.asked("refund")] == [mine.id]
    assert [f.reason for f in story.payment.flags] == ["refund_unknown"]
    assert refund(story, 100, key="k2").answered()[0] == "outcome-unknown"
    ended(story, "succeeded")
    assert refund(story, 100, key="k3").answered()[0] == "ok"


def test_nothing_is_refunded_while_a_dispute_is_open() -> None:
    dispute = DisputeFact(
        dispute_id="disp_1", charge_id="pay_1", kind="chargeback", state="open", money="withdrawn",
        amount=10_000, currency="INR",
    )  # fmt: skip
    story = Story().paid().heard(disputes=(dispute,))
    assert refund(story).answered()[0] == "dispute-open"


def test_a_surplus_capture_may_be_refunded_by_its_id() -> None:
    story = Story().paid().heard(charge("captured", "pay_2"))
    assert refund(story, charge_id="pay_2").answered()[0] == "nothing-to-refund"  # it goes back by itself
    assert refund(story, charge_id="pay_3", key="k2").answered()[0] == "not-paid"


def second_capture() -> Story:
    """Paid by one capture; a second one of the same amount came too."""
    return Story().paid().heard(charge("captured", "pay_2"))


def test_a_surplus_that_the_provider_will_not_give_back_waits_for_a_person() -> None:
    for state in ("failed", None):
        story = ended(second_capture(), state)
        assert [(f.reason, f.subject) for f in story.payment.flags] == [("refund_refused", "pay_2")]
        assert len(story.payment.refunds) == 1


def test_what_comes_back_to_a_surplus_goes_back_too() -> None:
    """A refund of the surplus in the dashboard was counted, and then it failed."""
    elsewhere = replace(fact("pending", 1000, "rfnd_dashboard"), charge_id="pay_2")
    story = Story().paid().heard(charge("captured", "pay_2"), refunds=(elsewhere,))
    assert [request["amount"] for request in story.asked("refund")] == [AMOUNT - 1000]
    story.heard(refunds=(replace(elsewhere, state="failed"),))
    assert [request["amount"] for request in story.asked("refund")] == [AMOUNT - 1000, 1000]
    assert len({request["refund_id"] for request in story.asked("refund")}) == 2


def test_a_refund_that_the_provider_made_after_it_had_refused_it_is_in_our_books() -> None:
    story = ended(refund(Story().paid()), None)
    mine = story.payment.refunds[0]
    story.heard(refunds=(fact("succeeded", AMOUNT, reference=mine.id),))
    assert (story.payment.status, amounts_of(story.payment).net) == ("refunded", 0)
    assert refund(story, key="k2").answered()[0] == "nothing-to-refund"
    assert [(f.reason, f.subject) for f in story.payment.flags] == [("refund_mismatch", mine.id)]


def test_a_refund_that_the_provider_made_twice_is_counted_twice_and_told() -> None:
    story = ended(refund(Story().paid(), 10_000), "succeeded")
    mine = story.payment.refunds[0]
    for _ in range(2):
        story.heard(refunds=(fact("succeeded", 10_000, "rfnd_2", reference=mine.id),))
    assert amounts_of(story.payment).refunded == 20_000
    assert [(f.reason, f.subject) for f in story.payment.flags] == [("refund_mismatch", mine.id)]


def test_a_key_that_asked_for_an_unknown_order_is_answered_so_again() -> None:
    """Not `in-progress` for ever: nothing runs under it."""
    (answer,) = refund(Story()).answers
    assert (answer.code, answer.stored_under) == ("order-not-found", ("shop", "k1"))
