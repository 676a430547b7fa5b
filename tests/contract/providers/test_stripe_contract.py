"""What only Stripe does: its own keys, 3-D Secure, bank debits, inquiries, and events of each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from shared.errors import OutcomeUnknown, Rejected
from shared.providers.stripe import StripeAdapter
from tests.contract.providers.contract.driver import all_of
from tests.contract.providers.contract.orders import request
from tests.contract.providers.contract.payment_scenarios import paid
from tests.contract.providers.drivers.stripe import Outcome, StripeDriver
from tests.contract.simulator.running import eventually
from tests.contract.simulator.stripe_running import told, types


async def test_the_browser_gets_the_secret_the_script_and_where_to_return(
    stripe_adapter: StripeAdapter,
) -> None:
    wanted = request("USD")
    opened = await stripe_adapter.open_order(wanted)
    checkout = stripe_adapter.checkout(opened.secrets)
    assert str(checkout["clientSecret"]).startswith(f"{opened.provider_order_id}_secret_")
    assert checkout["returnUrl"] == f"https://shop.example/return?from=stripe&order={wanted.order_id}"
    assert checkout["script"] == "https://js.stripe.com/v3/"
    assert stripe_adapter.check_proof({"payment_intent": "pi_1"}) == ("pi_1", None)


async def test_a_stored_error_is_replayed_and_one_second_key_makes_the_order(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    """Stripe keeps a 500 under its key: the same create never succeeds, and was never done."""
    stripe_driver.faults(stripe_driver.create_call, next=[{"do": "status_500", "before": True}])
    wanted = request("USD")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await stripe_adapter.open_order(wanted)
        assert await stripe_adapter.find_order(wanted) is None
    again = replace(wanted, tries=1)
    opened = await stripe_adapter.open_order(again)
    assert await stripe_adapter.open_order(replace(wanted, tries=2)) == opened
    assert await stripe_adapter.find_order(wanted) == opened
    keys = [
        call["idempotency_key"]
        for call in stripe_driver.simulator.ledger()["calls"]
        if call["method"] == "POST"
    ]
    ours = [key for key in keys if key.startswith(wanted.reference)]
    assert ours == [wanted.reference] * 2 + [f"{wanted.reference}-2"] * 2


async def test_a_key_used_for_another_order_says_nothing_of_this_one(stripe_adapter: StripeAdapter) -> None:
    wanted = request("USD")
    await stripe_adapter.open_order(wanted)
    with pytest.raises(OutcomeUnknown, match="Keys for idempotent requests"):
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
    outcome: Outcome,
    manual: bool,
    states: list[str],
) -> None:
    """Each event that carries a fact says the same as a read does."""
    receiver = stripe_driver.receiver
    opened = await stripe_adapter.open_order(request("USD", capture_automatically=not manual))
    intent_id = opened.provider_order_id
    stripe_driver.pay(intent_id, outcome)
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
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    receiver = stripe_driver.receiver
    opened = await stripe_adapter.open_order(request("USD"))
    charge_id = stripe_driver.pay(opened.provider_order_id)
    stripe_driver.refund_elsewhere(charge_id, 1000, "USD")
    dispute_id = stripe_driver.dispute(charge_id)
    stripe_driver.decide(dispute_id, won=True)
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
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    receiver = stripe_driver.receiver
    for end in ("cancel", "expire"):
        opened = await stripe_adapter.open_order(request("USD", capture_automatically=False))
        intent_id = opened.provider_order_id
        stripe_driver.pay(intent_id)
        if end == "cancel":
            await stripe_adapter.cancel(intent_id, f"cancel-{intent_id[-20:]}")
        else:
            stripe_driver.simulator.act(f"payment_intents/{intent_id}/expire")
        eventually(lambda: "payment_intent.canceled" in types(receiver, intent_id))  # noqa: B023 - awaited here
        contents = [stripe_adapter.read_webhook(arrival.raw) for arrival in told(receiver, intent_id)]
        assert contents[-1].seen.cancelled
        assert [c.state for content in contents for c in content.seen.charges][-1] == "lapsed"


async def test_a_failed_authentication_is_a_decline_of_the_order(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    opened = await stripe_adapter.open_order(request("USD"))
    stripe_driver.pay(opened.provider_order_id, "authentication_failed")
    (charge,) = (await stripe_adapter.read(opened.provider_order_id)).charges
    assert (charge.charge_id, charge.state) == (opened.provider_order_id, "failed")
    assert charge.failure
    assert await stripe_adapter.read_charge(charge.charge_id) == charge


async def test_an_authorisation_that_nobody_captures_lapses(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    opened = await stripe_adapter.open_order(request("USD", capture_automatically=False))
    stripe_driver.pay(opened.provider_order_id)
    stripe_driver.simulator.act(f"payment_intents/{opened.provider_order_id}/expire")
    seen = await stripe_adapter.read(opened.provider_order_id)
    assert [charge.state for charge in seen.charges] == ["lapsed"]


@pytest.mark.parametrize(("succeeded", "state"), [(True, "captured"), (False, "failed")])
async def test_a_payment_under_way_is_pending_and_never_cancelled(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver, succeeded: bool, state: str
) -> None:
    opened = await stripe_adapter.open_order(request("USD"))
    charge_id = stripe_driver.pay(opened.provider_order_id, "processing")
    assert (await stripe_adapter.read_charge(charge_id)).state == "pending"
    with pytest.raises(Rejected, match="cancel-refused"):
        await stripe_adapter.cancel(opened.provider_order_id, f"cancel-{charge_id[-20:]}")
    stripe_driver.simulator.act(f"payment_intents/{opened.provider_order_id}/settle", succeeded=succeeded)
    (charge,) = (await stripe_adapter.read(opened.provider_order_id)).charges
    assert (charge.charge_id, charge.state) == (charge_id, state)


async def test_an_inquiry_moves_no_money(stripe_adapter: StripeAdapter, stripe_driver: StripeDriver) -> None:
    opened = await stripe_adapter.open_order(request("USD"))
    dispute_id = stripe_driver.dispute(stripe_driver.pay(opened.provider_order_id), inquiry=True)
    (asked,) = (await stripe_adapter.read(opened.provider_order_id)).disputes
    assert (asked.kind, asked.state, asked.money) == ("inquiry", "open", "none")
    stripe_driver.simulator.act(f"disputes/{dispute_id}/closed")
    (closed,) = (await stripe_adapter.read(opened.provider_order_id)).disputes
    assert (closed.state, closed.money) == ("closed", "none")


async def test_what_was_paid_out_names_its_payout(
    stripe_adapter: StripeAdapter, stripe_driver: StripeDriver
) -> None:
    since = datetime.now(UTC).replace(microsecond=0)
    paid = [
        stripe_driver.pay((await stripe_adapter.open_order(request("USD"))).provider_order_id) for _ in "12"
    ]
    stripe_driver.dispute(paid[0])
    stripe_driver.pay_out()
    window = (since, datetime.now(UTC) + timedelta(minutes=1))
    lines = [line async for line in stripe_adapter.list_settlement_lines(*window)]
    assert {line.kind for line in lines} >= {"payment", "dispute", "payout"}
    ours = [line for line in lines if line.charge_id in paid]
    assert len(ours) == 3
    (payout,) = {line.settlement_id for line in ours}
    assert payout


async def test_the_day_of_a_payout_has_the_older_lines_that_it_paid_out(tmp_path: Path) -> None:
    """Else money would be in the bank and on its way for a week."""
    with StripeDriver.running(tmp_path, time_scale=1) as driver:
        adapter, days = driver.adapter(), [datetime.now(UTC) - timedelta(days=n) for n in (2, 0)]
        windows = [(day - timedelta(hours=1), day + timedelta(hours=1)) for day in days]
        driver.simulator.control("PUT", "/clock", {"behind_s": 2 * 86_400})
        _, charge = await paid(adapter, driver)
        (waits,) = await all_of(adapter.list_settlement_lines(*windows[0]))
        driver.simulator.control("PUT", "/clock", {"behind_s": 0})
        driver.pay_out()
        lines = {line.kind: line for line in await all_of(adapter.list_settlement_lines(*windows[1]))}
        later = await all_of(adapter.list_settlement_lines(*windows[0]))
        await adapter.close()
    assert (waits.charge_id, waits.settlement_id) == (charge.charge_id, "")
    assert lines.keys() == {"payment", "payout"}
    assert lines["payment"] == replace_struct(waits, settlement_id=lines["payout"].settlement_id)
    assert later == [lines["payment"]]
