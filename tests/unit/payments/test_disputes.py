"""The rules of disputes, as sentences."""

from datetime import timedelta
from itertools import permutations

from services.payments.domain.amounts import amounts_of, refundable
from services.payments.domain.snapshot import snapshot
from shared.messages.facts import DisputeFact, DisputeMoney, DisputeState
from tests.unit.payments.examples import AMOUNT, NOW, Story


def dispute(state: DisputeState, money: DisputeMoney = "none", kind: str = "chargeback") -> DisputeFact:
    return DisputeFact(
        dispute_id="disp_1",
        charge_id="pay_1",
        kind="inquiry" if kind == "inquiry" else "chargeback",
        state=state,
        money=money,
        amount=10_000,
        currency="INR",
        reason="fraudulent",
        respond_by=NOW + timedelta(days=7),
    )


def test_a_dispute_is_told_with_its_deadline_and_does_not_change_the_status() -> None:
    story = Story().paid().heard(disputes=(dispute("open", "withdrawn"),))
    assert (story.payment.status, story.happened()[-1]) == ("paid", "DisputeOpened")
    assert snapshot(story.payment).disputes[0].respond_by == NOW + timedelta(days=7)


def test_money_in_a_dispute_is_not_ours_to_give_back() -> None:
    story = Story().paid().heard(disputes=(dispute("open", "withdrawn"),))
    assert story.payment.standing is not None
    assert refundable(story.payment, story.payment.standing) == AMOUNT - 10_000
    amounts = amounts_of(story.payment)
    assert (amounts.disputed, amounts.lost, amounts.net) == (10_000, 0, AMOUNT - 10_000)


def test_won_money_comes_back_and_lost_money_does_not() -> None:
    won = Story().paid().heard(disputes=(dispute("open", "withdrawn"), dispute("won", "reinstated")))
    assert amounts_of(won.payment).net == AMOUNT
    lost = Story().paid().heard(disputes=(dispute("open", "withdrawn"), dispute("lost")))
    assert (amounts_of(lost.payment).lost, amounts_of(lost.payment).net) == (10_000, AMOUNT - 10_000)


def test_created_after_closed_and_every_other_order_end_the_same() -> None:
    told = [dispute("open"), dispute("under_review", "withdrawn"), dispute("won", "reinstated")]
    for order in permutations(told):
        story = Story().paid()
        for each in order:
            story.heard(disputes=(each, each))
        (end,) = story.payment.disputes
        assert (end.state, end.money) == ("won", "reinstated")
        assert [story.happened().count(n) for n in ("DisputeOpened", "DisputeClosed")] == [1, 1]


def test_an_inquiry_moves_no_money() -> None:
    story = (
        Story().paid().heard(disputes=(dispute("open", kind="inquiry"), dispute("closed", kind="inquiry")))
    )
    assert amounts_of(story.payment).net == AMOUNT
    assert story.happened()[-2:] == ["DisputeOpened", "DisputeClosed"]
