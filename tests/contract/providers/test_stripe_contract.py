"""The Stripe adapter against the simulator: the common scenarios, and what only Stripe does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import OutcomeUnknown, Rejected
from shared.providers.stripe import StripeAdapter
from tests.contract.providers.stripe_driver import StripeDriver
from tests.contract.providers.stripe_scenarios import SCENARIOS, Scenario, request
from tests.contract.simulator.running import Receiver, eventually
from tests.contract.simulator.stripe_running import StripeSimulator, told, types

World = tuple[StripeSimulator, Receiver]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_scenario(
    scenario: Scenario, stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    await scenario(stripe_adapter, stripe_driver)


async def test_lists_go_on_over_pages(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.providers.stripe.adapter.PAGE", 3)
    first = request(stripe_driver)
    await stripe_adapter.open_order(first)
    ids = set()
    for _ in range(7):
        opened = await stripe_adapter.open_order(request(stripe_driver))
        ids.add(stripe_driver.pay(opened.provider_order_id))
    now = datetime.now(UTC)
    window = (now - timedelta(days=1), now + timedelta(days=1))
    listed = [c.charge_id async for c in stripe_adapter.list_charges(*window)]
    assert len(listed) == len(set(listed))
    assert ids <= set(listed)
    assert await stripe_adapter.find_order(first) is not None


async def test_the_browser_gets_the_secret_the_script_and_where_to_return(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    opened = await stripe_adapter.open_order(request(stripe_driver))
    checkout = stripe_adapter.checkout(opened.secrets)
    assert str(checkout["clientSecret"]).startswith(f"{opened.provider_order_id}_secret_")
    assert checkout["returnUrl"] == "https://shop.example/return?from=stripe&order=o-1"
    assert checkout["script"] == "https://js.stripe.com/v3/"
    assert stripe_adapter.check_proof({"payment_intent": "pi_1"}) == ("pi_1", None)


async def test_a_stored_error_is_replayed_and_one_second_key_makes_the_order(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver, stripe_world: World
) -> None:
    """Stripe keeps a 500 under its key: the same create never succeeds, and was never done."""
    stripe_driver.faults(stripe_driver.create_call, next=[{"do": "status_500", "before": True}])
    wanted = request(stripe_driver)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await stripe_adapter.open_order(wanted)
        assert await stripe_adapter.find_order(wanted) is None
    again = replace(wanted, tries=1)
    opened = await stripe_adapter.open_order(again)
    assert await stripe_adapter.open_order(replace(wanted, tries=2)) == opened
    assert await stripe_adapter.find_order(wanted) == opened
    keys = [call["idempotency_key"] for call in stripe_world[0].ledger()["calls"] if call["method"] == "POST"]
    ours = [key for key in keys if key.startswith(wanted.reference)]
    assert ours == [wanted.reference] * 2 + [f"{wanted.reference}-2"] * 2


async def test_a_key_used_for_another_order_is_refused(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    wanted = request(stripe_driver)
    await stripe_adapter.open_order(wanted)
    with pytest.raises(Rejected, match="provider-rejected"):
        await stripe_adapter.open_order(replace(wanted, amount=1234))


@pytest.mark.parametrize(
    ("outcome", "manual", "states"),
    [
        ("success", False, ["captured"] * 3),
        ("success", True, ["authorized"] * 2),
        ("declined", False, ["failed"] * 2),
        ("authentication_failed", False, ["failed"]),
        ("processing", False, ["pending"] * 2),
    ],
)
async def test_the_simulators_webhooks_are_verified_and_read(
    stripe_adapter: StripeAdapter,
    stripe_driver: StripeDriver,
    stripe_world: World,
    outcome: str,
    manual: bool,
    states: list[str],
) -> None:
    """Each event that carries a fact says the same as a read does."""
    simulator, receiver = stripe_world
    opened = await stripe_adapter.open_order(request(stripe_driver, capture_automatically=not manual))
    intent_id = opened.provider_order_id
    simulator.pay_intent(intent_id, outcome=outcome)
    (charge,) = (await stripe_adapter.read(intent_id)).charges
    seen: list[str] = []

    def all_arrived() -> bool:
        return len([t for t in types(receiver, intent_id) if known(t)]) == len(states)

    def known(event: str) -> bool:
        return event not in ("payment_intent.created", "payment_intent.requires_action")

    eventually(all_arrived)
    for arrival in told(receiver, intent_id):
        await stripe_adapter.verify_webhook(arrival.headers, arrival.raw, datetime.now(UTC))
        content = stripe_adapter.read_webhook(arrival.raw)
        assert (content.account, content.live) == (stripe_adapter.account, False)
        assert content.known is known(content.event_type)
        identity, subject = stripe_adapter.webhook_identity(arrival.headers, arrival.raw)
        assert (identity, subject) == (arrival.body["id"], intent_id)
        if content.known:
            assert content.provider_order_id == intent_id
            assert [c.charge_id for c in content.seen.charges] == [charge.charge_id]
            assert [c.amount for c in content.seen.charges] == [50_000]
            seen += [c.state for c in content.seen.charges]
    assert seen == states
    assert charge.state == states[-1]


async def test_webhooks_of_refunds_and_disputes_name_their_charge(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver, stripe_world: World
) -> None:
    _, receiver = stripe_world
    opened = await stripe_adapter.open_order(request(stripe_driver))
    charge_id = stripe_driver.pay(opened.provider_order_id)
    stripe_driver.refund(charge_id, 1000)
    dispute_id = stripe_driver.dispute(charge_id)
    stripe_driver.decide(dispute_id, "won")
    eventually(lambda: "charge.dispute.closed" in types(receiver, opened.provider_order_id))
    refunds, disputes = [], []
    for arrival in told(receiver, opened.provider_order_id):
        content = stripe_adapter.read_webhook(arrival.raw)
        if content.known:
            assert (content.provider_order_id, content.charge_id) == (opened.provider_order_id, charge_id)
        refunds += [r.state for r in content.seen.refunds]
        disputes += [(d.state, d.money) for d in content.seen.disputes]
    assert refunds == ["succeeded"]
    assert disputes == [
        ("open", "none"),
        ("open", "withdrawn"),
        ("won", "reinstated"),
        ("won", "reinstated"),
    ]


async def test_cancelled_and_expired_are_told_by_webhook_too(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver, stripe_world: World
) -> None:
    _, receiver = stripe_world
    for end in ("cancel", "expire"):
        opened = await stripe_adapter.open_order(request(stripe_driver, capture_automatically=False))
        intent_id = opened.provider_order_id
        stripe_driver.pay(intent_id)
        if end == "cancel":
            await stripe_adapter.cancel(intent_id, f"cancel-{intent_id[-20:]}")
        else:
            stripe_driver.expire(intent_id)
        eventually(lambda: "payment_intent.canceled" in types(receiver, intent_id))  # noqa: B023 - awaited here
        contents = [stripe_adapter.read_webhook(arrival.raw) for arrival in told(receiver, intent_id)]
        assert contents[-1].seen.cancelled
        assert [c.state for content in contents for c in content.seen.charges][-1] == "lapsed"


async def test_events_of_other_accounts_and_of_live_mode_say_so(
    stripe_adapter: StripeAdapter, stripe_world: World
) -> None:
    simulator, receiver = stripe_world
    count = len(receiver.arrivals)
    simulator.act("webhooks", event="payment_intent.succeeded", account="acct_other", livemode=True,
                  data={"id": "pi_x", "amount": 1, "currency": "usd", "status": "canceled"})  # fmt: skip
    arrival = eventually(lambda: receiver.arrivals[count:])[0]
    content = stripe_adapter.read_webhook(arrival.raw)
    assert (content.account, content.live) == ("acct_other", True)
