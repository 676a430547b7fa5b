"""Stripe's webhooks: verified by the official SDK, signed anew at each try, kept over restarts."""

import time
from pathlib import Path

import pytest
import stripe

from tests.contract.simulator.running import Arrival, Receiver, eventually
from tests.contract.simulator.stripe_running import (
    ACCOUNT,
    OLD_STRIPE_SECRET,
    STRIPE_SECRET,
    StripeSimulator,
    running,
    told,
    types,
)

World = tuple[StripeSimulator, Receiver]


def made(simulator: StripeSimulator, **more: object) -> str:
    wanted = {"amount": 1099, "currency": "usd", **more}
    return simulator.sdk().v1.payment_intents.create(wanted).id  # type: ignore[arg-type]


def event(arrival: Arrival, secret: str = STRIPE_SECRET) -> stripe.Event:
    return stripe.Webhook.construct_event(  # type: ignore[no-any-return]
        arrival.raw, arrival.headers["stripe-signature"], secret
    )


def times(arrival: Arrival) -> int:
    return int(arrival.headers["stripe-signature"].split(",")[0].removeprefix("t="))


def test_the_worked_example_of_the_signature() -> None:
    from devstack.simulator.stripe.events import webhook_signature  # noqa: PLC0415 - the one look inside

    body = '{"id":"evt_demo","object":"event","type":"payment_intent.succeeded"}'
    expected = "a0bf2fadb36b2dda63ed377cf7425da5466ee916d93c86ca27b88d18a95f457b"
    assert webhook_signature("whsec_demo", 1_700_000_000, body) == expected


def test_a_card_payment_tells_its_story_in_order(stripe_world: World) -> None:
    simulator, receiver = stripe_world
    intent_id = made(simulator)
    simulator.pay_intent(intent_id)
    story = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "charge.updated"]
    eventually(lambda: types(receiver, intent_id) == story)
    arrivals = told(receiver, intent_id)
    events = [event(arrival) for arrival in arrivals]
    assert [each.type for each in events] == story
    assert len({each.id for each in events}) == 4
    body = arrivals[0].body
    assert (body["object"], body["livemode"], body["pending_webhooks"]) == ("event", False, 1)
    assert body["data"]["object"]["status"] == "requires_payment_method", "a snapshot of its moment"
    assert b"\n" in arrivals[0].raw, "indented: a re-serialised body does not verify"


@pytest.mark.parametrize(
    ("outcome", "manual", "story"),
    [
        ("success", True, ["charge.succeeded", "payment_intent.amount_capturable_updated"]),
        ("declined", False, ["charge.failed", "payment_intent.payment_failed"]),
        (
            "authentication_failed",
            False,
            ["payment_intent.requires_action", "payment_intent.payment_failed"],
        ),
        ("processing", False, ["payment_intent.processing", "charge.pending"]),
    ],
)
def test_other_payments_tell_theirs(
    stripe_world: World, outcome: str, manual: bool, story: list[str]
) -> None:
    simulator, receiver = stripe_world
    intent_id = made(simulator, capture_method="manual" if manual else "automatic")
    simulator.pay_intent(intent_id, outcome=outcome)
    eventually(lambda: types(receiver, intent_id)[1:] == story)


def test_refunds_tell_one_fact_twice(stripe_world: World) -> None:
    simulator, receiver = stripe_world
    intent_id = made(simulator)
    charge_id = simulator.pay_intent(intent_id)["charge"]
    refund_id = simulator.act(f"charges/{charge_id}/refund")["id"]
    simulator.act(f"refunds/{refund_id}/fail")
    story = ["charge.refunded", "refund.created", "refund.failed", "charge.refund.updated"]
    eventually(lambda: types(receiver, intent_id)[4:] == story)


def test_each_try_is_signed_with_its_own_time(tmp_path: Path) -> None:
    """A retry comes with a new `t` and the same event; only what is fresh passes the window."""
    with running(tmp_path, time_scale=60) as (simulator, receiver):
        receiver.answer = lambda _arrival: 500 if len(receiver.arrivals) < 2 else 200
        intent_id = made(simulator)
        eventually(lambda: len(told(receiver, intent_id)) == 3, 20)
        arrivals = told(receiver, intent_id)
        assert len({arrival.raw for arrival in arrivals}) == 1
        assert len({event(arrival).id for arrival in arrivals}) == 1
        assert times(arrivals[-1]) > times(arrivals[0])
        assert all(abs(times(arrival) - arrival.at) < 2 for arrival in arrivals)


def test_a_rotated_secret_signs_beside_the_old_one_for_a_while(tmp_path: Path) -> None:
    with running(tmp_path) as (simulator, receiver):
        first = made(simulator)
        eventually(lambda: told(receiver, first))
        simulator.control("PUT", "/stripe/webhook-secret", {"webhook_secret": "whsec_new", "overlap_s": 3000})
        second = made(simulator)
        (arrival,) = eventually(lambda: told(receiver, second))
        assert arrival.headers["stripe-signature"].count("v1=") == 2
        assert event(arrival, "whsec_new").id == event(arrival, STRIPE_SECRET).id

        def alone() -> bool:
            later = made(simulator)
            (newest,) = eventually(lambda: told(receiver, later))
            return newest.headers["stripe-signature"].count("v1=") == 1

        eventually(alone, 20)


@pytest.mark.parametrize(("fault", "secret"), [("old_secret", OLD_STRIPE_SECRET), ("bad_signature", None)])
def test_old_and_wrong_signatures_on_request(
    stripe_world: World, stripe_simulator: StripeSimulator, fault: str, secret: str | None
) -> None:
    _, receiver = stripe_world
    stripe_simulator.faults(webhooks={"next": [{"do": fault}]})
    intent_id = made(stripe_simulator)
    (arrival,) = eventually(lambda: told(receiver, intent_id))
    with pytest.raises(stripe.SignatureVerificationError):
        event(arrival)
    if secret is None:
        with pytest.raises(stripe.SignatureVerificationError):
            event(arrival, OLD_STRIPE_SECRET)
    else:
        assert event(arrival, secret).type == "payment_intent.created"


def test_events_by_hand_say_what_they_are_told(stripe_world: World) -> None:
    simulator, receiver = stripe_world
    data = {"id": "pi_by_hand", "amount": 1, "currency": "usd"}
    simulator.act(
        "webhooks", event="payment_intent.succeeded", account="acct_other", livemode=True, data=data
    )
    (arrival,) = eventually(lambda: told(receiver, "pi_by_hand"))
    assert (arrival.body["account"], arrival.body["livemode"]) == ("acct_other", True)
    assert event(arrival).type == "payment_intent.succeeded"


def test_missed_events_are_listed_and_the_account_is_known(stripe_world: World) -> None:
    simulator, receiver = stripe_world
    intent_id = made(simulator)
    eventually(lambda: told(receiver, intent_id))
    sdk = simulator.sdk()
    listed = sdk.v1.events.list({"limit": 5, "type": "payment_intent.created"}).data
    assert listed[0].data.object["id"] == intent_id
    assert sdk.v1.events.retrieve(listed[0].id).id == listed[0].id
    assert sdk.v1.accounts.retrieve_current().id == ACCOUNT
    assert sdk.v1.webhook_endpoints.list().data[0].url.endswith("/webhooks")


def test_after_a_kill_the_books_the_keys_and_the_webhooks_go_on(tmp_path: Path) -> None:
    with running(tmp_path) as (simulator, receiver):
        receiver.answer = lambda _arrival: 503
        sdk = simulator.sdk()
        wanted = {"amount": 1099, "currency": "usd", "capture_method": "manual"}
        intent = sdk.v1.payment_intents.create(wanted, {"idempotency_key": "kept"})  # type: ignore[arg-type]
        simulator.pay_intent(intent.id)
        simulator.kill()
        receiver.answer = lambda _arrival: 200
        simulator.start()
        sdk = simulator.sdk()
        assert sdk.v1.payment_intents.retrieve(intent.id).status == "requires_capture"
        again = sdk.v1.payment_intents.create(wanted, {"idempotency_key": "kept"})  # type: ignore[arg-type]
        assert again.id == intent.id
        assert len(sdk.v1.charges.list({"payment_intent": intent.id}).data) == 1
        assert sdk.v1.payment_intents.capture(intent.id).status == "succeeded"

        def taken() -> set[str]:
            return {str(a.body["type"]) for a in told(receiver, intent.id) if a.status == 200}

        wanted_types = {"payment_intent.created", "charge.succeeded", "payment_intent.succeeded"}
        eventually(lambda: wanted_types <= taken(), 20)
        assert time.time() - times(receiver.arrivals[-1]) < 5
