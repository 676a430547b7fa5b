"""Refunds, disputes, the balance and payouts, through the unmodified official SDK."""

from collections.abc import Callable
from pathlib import Path

import pytest
import stripe

from tests.contract.simulator.running import eventually
from tests.contract.simulator.stripe_running import StripeSimulator, running, types

Pay = Callable[..., str]


@pytest.fixture
def paid(stripe_sdk: stripe.StripeClient) -> Pay:
    """A captured charge of $50, by one of the published cards."""

    def pay(method: str = "pm_card_visa") -> str:
        intent = stripe_sdk.v1.payment_intents.create(
            {
                "amount": 5000,
                "currency": "usd",
                "allowed_payment_method_types": ["card"],
                "confirm": True,
                "payment_method": method,
            }
        )
        return str(intent.latest_charge)

    return pay


def test_refunds_in_parts_until_nothing_is_left(stripe_sdk: stripe.StripeClient, paid: Pay) -> None:
    charge_id = paid()
    refund = stripe_sdk.v1.refunds.create({"charge": charge_id, "amount": 2000, "metadata": {"a": "b"}})
    assert (refund.object, refund.amount, refund.status) == ("refund", 2000, "succeeded")
    assert (refund.charge, refund.to_dict()["metadata"]) == (charge_id, {"a": "b"})
    charge = stripe_sdk.v1.charges.retrieve(charge_id)
    assert (charge.amount_refunded, charge.refunded) == (2000, False)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stripe_sdk.v1.refunds.create({"charge": charge_id, "amount": 3001})
    assert str(caught.value.user_message) == (
        "Refund amount ($30.01) is greater than unrefunded amount on charge ($30.00)"
    )
    stripe_sdk.v1.refunds.create({"payment_intent": str(charge.payment_intent)})
    assert stripe_sdk.v1.charges.retrieve(charge_id).refunded
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stripe_sdk.v1.refunds.create({"charge": charge_id})
    assert caught.value.code == "charge_already_refunded"
    intent = stripe_sdk.v1.payment_intents.retrieve(str(charge.payment_intent))
    assert intent.status == "succeeded"
    listed = stripe_sdk.v1.refunds.list({"payment_intent": intent.id}).data
    assert sorted(each.amount for each in listed) == [2000, 3000]


@pytest.mark.parametrize(
    ("method", "first", "last"),
    [("pm_card_pendingRefund", "pending", "succeeded"), ("pm_card_refundFail", "succeeded", "failed")],
)
def test_the_published_refund_cards(
    stripe_sdk: stripe.StripeClient, paid: Pay, method: str, first: str, last: str
) -> None:
    charge_id = paid(method)
    refund = stripe_sdk.v1.refunds.create({"charge": charge_id})
    assert refund.status == first
    eventually(lambda: stripe_sdk.v1.refunds.retrieve(refund.id).status == last)
    charge = stripe_sdk.v1.charges.retrieve(charge_id)
    assert charge.amount_refunded == (5000 if last == "succeeded" else 0)
    lines = stripe_sdk.v1.balance_transactions.list({"source": refund.id}).data
    assert sorted(line.amount for line in lines) == ([-5000] if last == "succeeded" else [-5000, 5000])


@pytest.mark.parametrize(
    ("evidence", "status", "lines"),
    [("winning_evidence", "won", [-5000, 5000]), ("losing_evidence", "lost", [-5000])],
)
def test_a_dispute_is_answered_and_decided(
    stripe_sdk: stripe.StripeClient, paid: Pay, evidence: str, status: str, lines: list[int]
) -> None:
    charge_id = paid("pm_card_createDispute")
    (dispute,) = stripe_sdk.v1.disputes.list({"charge": charge_id}).data
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 5000)
    assert dispute.evidence_details.due_by
    assert stripe_sdk.v1.charges.retrieve(charge_id).disputed
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stripe_sdk.v1.refunds.create({"charge": charge_id})
    assert caught.value.code == "charge_disputed"
    decided = stripe_sdk.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}})
    assert decided.status == status
    assert [line.amount for line in decided.balance_transactions] == lines


def test_a_dispute_is_accepted(stripe_sdk: stripe.StripeClient, paid: Pay) -> None:
    (dispute,) = stripe_sdk.v1.disputes.list({"charge": paid("pm_card_createDispute")}).data
    assert stripe_sdk.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        stripe_sdk.v1.disputes.close(dispute.id)


def test_an_inquiry_becomes_a_chargeback(
    stripe_sdk: stripe.StripeClient,
    stripe_simulator: StripeSimulator,
    paid: Pay,
) -> None:
    charge_id = paid()
    dispute_id = stripe_simulator.act(f"charges/{charge_id}/dispute", inquiry=True)["id"]
    assert stripe_sdk.v1.disputes.retrieve(dispute_id).balance_transactions == []
    stripe_simulator.act(f"disputes/{dispute_id}/escalate")
    dispute = stripe_sdk.v1.disputes.retrieve(dispute_id)
    assert (dispute.status, len(dispute.balance_transactions)) == ("needs_response", 1)


def test_a_payout_holds_every_line_and_adds_up(tmp_path: Path) -> None:
    with running(tmp_path) as (simulator, receiver):
        sdk = simulator.sdk()
        intents = []
        for currency in ("usd", "usd", "eur"):
            intent = sdk.v1.payment_intents.create({"amount": 5000, "currency": currency})
            simulator.pay_intent(intent.id)
            intents.append(sdk.v1.payment_intents.retrieve(intent.id))
        sdk.v1.refunds.create({"payment_intent": intents[0].id, "amount": 1000})
        payout_id = simulator.act("payout", currency="usd")["id"]
        payout = sdk.v1.payouts.retrieve(payout_id)
        lines = list(
            sdk.v1.balance_transactions.list(
                {"payout": payout_id, "limit": 2, "expand": ["data.source"]}
            ).auto_paging_iter()
        )
        assert [line.type for line in lines] == ["payout", "refund", "charge", "charge"]
        assert all(line.net == line.amount - line.fee for line in lines)
        assert sum(line.net for line in lines) == 0
        assert payout.amount == sum(line.net for line in lines[1:]) == 5000 * 2 - 1000 - 2 * 175
        assert [getattr(line.source, "object", None) for line in lines] == [
            "payout",
            "refund",
            "charge",
            "charge",
        ]
        assert [each.id for each in sdk.v1.payouts.list().data] == [payout_id]
        eventually(lambda: "payout.paid" in types(receiver, payout_id))
        by_hand = simulator.act("payout", currency="eur", automatic=False)["id"]
        with pytest.raises(stripe.InvalidRequestError, match="automatic"):
            sdk.v1.balance_transactions.list({"payout": by_hand})
        simulator.act(f"payouts/{payout_id}/fail")
        assert sdk.v1.payouts.retrieve(payout_id).status == "failed"
        back = sdk.v1.balance_transactions.list({"type": "payout_failure"}).data
        assert [line.amount for line in back] == [payout.amount]
