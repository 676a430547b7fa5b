"""Stripe's objects in their published shapes, and odd ones, as facts or as Malformed."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Malformed
from shared.messages.facts import WebhookContent
from tests.contract.providers.drivers.stripe import stripe_adapter_at

ADAPTER = stripe_adapter_at("http://127.0.0.1:9")
Json = dict[str, Any]
INTENT: Json = {
    "id": "pi_1",
    "amount": 2000,
    "currency": "usd",
    "status": "succeeded",
    "amount_received": 2000,
    "latest_charge": "ch_1",
    "metadata": {},
}
CHARGE: Json = {
    "id": "ch_1",
    "amount": 2000,
    "currency": "usd",
    "status": "succeeded",
    "captured": True,
    "amount_captured": 2000,
    "payment_intent": "pi_1",
    "created": 1_700_000_000,
}
REFUND: Json = {
    "id": "re_1",
    "amount": 500,
    "currency": "usd",
    "status": "succeeded",
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "metadata": {"reference": "refund-1"},
}
DISPUTE: Json = {
    "id": "du_1",
    "amount": 2000,
    "currency": "usd",
    "status": "needs_response",
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "reason": "fraudulent",
    "evidence_details": {"due_by": 1_700_500_000},
    "balance_transactions": [],
}


def body(event_type: str, entity: Json, **fields: object) -> bytes:
    event = {"id": "evt_1", "object": "event", "type": event_type, "livemode": False,
             "data": {"object": entity}, **fields}  # fmt: skip
    return json.dumps(event).encode()


def read(event_type: str, entity: Json, **changes: object) -> WebhookContent:
    return ADAPTER.read_webhook(body(event_type, {**entity, **changes}))


@pytest.mark.parametrize(
    ("status", "changes", "state", "amount"),
    [
        ("succeeded", {}, "captured", 2000),
        ("succeeded", {"amount_received": 700}, "captured", 700),
        ("requires_capture", {"amount_capturable": 2000, "amount_received": 0}, "authorized", 2000),
        ("processing", {"amount_received": 0}, "pending", 2000),
    ],
)
def test_an_intents_charge_is_known_by_its_id(status: str, changes: Json, state: str, amount: int) -> None:
    content = read("payment_intent.succeeded", INTENT, status=status, **changes)
    (charge,) = content.seen.charges
    assert (charge.charge_id, charge.provider_order_id) == ("ch_1", "pi_1")
    assert (charge.state, charge.amount, charge.currency) == (state, amount, "USD")
    assert (content.provider_order_id, content.charge_id) == ("pi_1", "ch_1")


@pytest.mark.parametrize(("made", "charge_id"), [("ch_9", "ch_9"), (None, "pi_1")])
def test_a_decline_is_of_its_charge_or_else_of_the_intent(made: str | None, charge_id: str) -> None:
    failed = {"code": "card_declined", "decline_code": "lost_card", "message": "No.", "charge": made}
    content = read(
        "payment_intent.payment_failed", INTENT, status="requires_payment_method", last_payment_error=failed
    )
    (charge,) = content.seen.charges
    assert (charge.charge_id, charge.state) == (charge_id, "failed")
    assert (charge.failure, charge.failure_text) == ("lost_card", "No.")


def test_a_decline_stays_one_when_the_next_try_has_begun() -> None:
    failed = {"code": "card_declined", "message": "No.", "charge": "ch_9"}
    content = read("payment_intent.payment_failed", INTENT, status="processing", last_payment_error=failed)
    assert [(c.charge_id, c.state) for c in content.seen.charges] == [("ch_9", "failed")]


def test_a_cancelled_intent_says_nothing_of_its_charge() -> None:
    """It may have been declined, or authorised and given back: the charge's own event says which."""
    content = read("payment_intent.canceled", INTENT, status="canceled", amount_received=0)
    assert content.seen.cancelled
    assert content.seen.charges == ()


@pytest.mark.parametrize(
    ("event", "changes", "state", "amount"),
    [
        ("succeeded", {}, "captured", 2000),
        ("captured", {"amount_captured": 700, "amount_refunded": 1300}, "captured", 700),
        ("succeeded", {"captured": False, "amount_captured": 0}, "authorized", 2000),
        ("expired", {"captured": False, "amount_captured": 0}, "lapsed", 2000),
        ("refunded", {"captured": False, "amount_captured": 0, "refunded": True}, "lapsed", 2000),
        ("refunded", {"refunded": True, "amount_refunded": 2000}, "captured", 2000),
        ("pending", {"status": "pending", "captured": False}, "pending", 2000),
        ("failed", {"status": "failed", "captured": False}, "failed", 2000),
    ],
)
def test_a_charge_is_read_as_it_is(event: str, changes: Json, state: str, amount: int) -> None:
    content = read(f"charge.{event}", CHARGE, **changes)
    assert [(c.state, c.amount) for c in content.seen.charges] == [(state, amount)]
    assert (content.provider_order_id, content.charge_id) == ("pi_1", "ch_1")


def test_a_charge_of_no_intent_is_none_of_ours() -> None:
    content = read("charge.succeeded", CHARGE, payment_intent=None)
    assert (content.known, content.provider_order_id) == (False, None)


def test_the_time_left_to_capture_is_the_banks() -> None:
    card = {"card": {"capture_before": 1_700_600_000}}
    content = read("charge.succeeded", CHARGE, captured=False, payment_method_details=card)
    (charge,) = content.seen.charges
    assert charge.capture_before is not None
    assert charge.capture_before.timestamp() == 1_700_600_000


@pytest.mark.parametrize(
    ("status", "state"),
    [("pending", "pending"), ("requires_action", "pending"), ("succeeded", "succeeded"),
     ("failed", "failed"), ("canceled", "failed")],
)  # fmt: skip
@pytest.mark.parametrize(
    "event", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
)
def test_a_refund_is_read_as_it_is(event: str, status: str, state: str) -> None:
    (refund,) = read(event, REFUND, status=status).seen.refunds
    assert (refund.refund_id, refund.charge_id, refund.reference) == ("re_1", "ch_1", "refund-1")
    assert (refund.state, refund.amount) == (state, 500)


@pytest.mark.parametrize(
    ("event", "status", "kind", "state", "money"),
    [
        ("created", "warning_needs_response", "inquiry", "open", "none"),
        ("updated", "warning_under_review", "inquiry", "under_review", "none"),
        ("closed", "warning_closed", "inquiry", "closed", "none"),
        ("created", "needs_response", "chargeback", "open", "none"),
        ("funds_withdrawn", "needs_response", "chargeback", "open", "withdrawn"),
        ("updated", "under_review", "chargeback", "under_review", "none"),
        ("funds_reinstated", "won", "chargeback", "won", "reinstated"),
        ("closed", "lost", "chargeback", "lost", "none"),
        ("closed", "prevented", "chargeback", "closed", "none"),
    ],
)
def test_a_dispute_is_read_as_it_is(event: str, status: str, kind: str, state: str, money: str) -> None:
    (dispute,) = read(f"charge.dispute.{event}", DISPUTE, status=status).seen.disputes
    assert (dispute.kind, dispute.state, dispute.money) == (kind, state, money)
    assert dispute.respond_by is not None
    assert dispute.respond_by.timestamp() == 1_700_500_000


@pytest.mark.parametrize(
    ("moves", "money"), [([-2000], "withdrawn"), ([-2000, 2000], "reinstated"), ([2000, -2000], "reinstated")]
)
def test_a_disputes_own_lines_say_what_happened_to_the_money(moves: list[int], money: str) -> None:
    lines = [{"amount": amount} for amount in moves]
    (dispute,) = read("charge.dispute.updated", DISPUTE, balance_transactions=lines).seen.disputes
    assert dispute.money == money


@pytest.mark.parametrize(
    "event_type",
    ["payment_intent.created", "payment_intent.requires_action", "payout.paid", "x.y", "customer.created"],
)
def test_types_that_carry_no_fact_are_kept_and_said_to_be_unknown(event_type: str) -> None:
    content = read(event_type, {"id": 5})
    assert (content.event_type, content.known) == (event_type, False)
    assert (content.account, content.live) == (ADAPTER.account, False)


@pytest.mark.parametrize(
    "amount", ['"100"', "1.5", "-1", "1e30", "null", "true", "99999999999999999999", "9999999999999999"]
)
def test_an_event_with_an_odd_amount_is_archived_but_never_read_as_money(amount: str) -> None:
    raw = body("payment_intent.succeeded", {**INTENT, "amount": 424242}).replace(b"424242", amount.encode())
    assert ADAPTER.webhook_identity({}, raw) == ("evt_1", "pi_1")
    with pytest.raises(Malformed):
        ADAPTER.read_webhook(raw)


@pytest.mark.parametrize(
    ("event_type", "entity", "changes"),
    [
        ("payment_intent.succeeded", INTENT, {"status": "teleported"}),
        ("payment_intent.succeeded", INTENT, {"currency": "zzz"}),
        ("payment_intent.succeeded", INTENT, {"id": ""}),
        ("payment_intent.succeeded", INTENT, {"metadata": []}),
        ("charge.succeeded", CHARGE, {"status": "teleported"}),
        ("charge.succeeded", CHARGE, {"created": "today"}),
        ("refund.created", REFUND, {"status": "teleported"}),
        ("refund.created", REFUND, {"amount": 5, "currency": "isk"}),
        ("charge.dispute.created", DISPUTE, {"status": "teleported"}),
        ("charge.dispute.created", DISPUTE, {"charge": None}),
    ],
)
def test_what_cannot_be_understood_is_malformed(event_type: str, entity: Json, changes: Json) -> None:
    with pytest.raises(Malformed):
        read(event_type, entity, **changes)


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
NAMES = st.sampled_from([*INTENT, *CHARGE, "x"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=12,
)
EVENTS = ("payment_intent.succeeded", "charge.updated", "refund.failed", "charge.dispute.closed")


@given(ANYTHING, st.sampled_from(EVENTS))
def test_nothing_but_malformed_comes_out(entity: object, event_type: str) -> None:
    raw = json.dumps({"id": "evt_1", "type": event_type, "data": {"object": entity}}).encode()
    with suppress(Malformed):
        assert ADAPTER.read_webhook(raw).event_type == event_type
