"""From an order to its money: open, find, pay, decline, capture, cancel, and answers that were lost."""

import asyncio

import pytest

from shared.errors import NotFound, OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import ChargeFact, ProviderOrderFact
from shared.providers.base import Adapter
from tests.contract.providers.contract.driver import Driver, scenario, until
from tests.contract.providers.contract.orders import request, taking


async def charge_of(adapter: Adapter, provider_order_id: str, state: str = "captured") -> ChargeFact:
    """The order's one charge, once it is in this state."""

    async def look() -> ChargeFact | None:
        charges = (await adapter.read(provider_order_id)).charges
        return next((charge for charge in charges if charge.state == state), None)

    charge = await until(look, f"a charge becomes {state}")
    assert charge is not None
    return charge


async def paid(
    adapter: Adapter, driver: Driver, amount: int = 50_000, currency: str = ""
) -> tuple[ProviderOrderFact, ChargeFact]:
    """An order that a buyer has paid."""
    opened = await adapter.open_order(request(currency or driver.currency, amount))
    driver.pay(opened.provider_order_id)
    if adapter.capabilities.capture_on_approval:
        await adapter.capture(taking(opened))
    return opened, await charge_of(adapter, opened.provider_order_id)


@scenario()
async def an_opened_order_is_found_by_our_reference(adapter: Adapter, driver: Driver) -> None:
    wanted = request(driver.currency)
    opened = await adapter.open_order(wanted)
    assert (opened.amount, opened.currency, opened.reference) == (50_000, driver.currency, wanted.reference)
    assert not opened.paid
    assert await adapter.read_order(opened.provider_order_id) == opened
    found = await adapter.find_order(wanted)
    assert found == opened if driver.traits.finds_orders else found is None
    if not driver.traits.finds_orders:
        assert await adapter.open_order(wanted) == opened
    assert await adapter.find_order(request(driver.currency)) is None


@scenario()
async def an_open_order_shows_nothing(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency))
    seen = await adapter.read(opened.provider_order_id)
    assert (seen.charges, seen.refunds, seen.disputes) == ((), (), ())
    assert (seen.approved, seen.cancelled) == (False, False)


@scenario()
async def a_paid_order_is_read_with_its_capture(adapter: Adapter, driver: Driver) -> None:
    opened, charge = await paid(adapter, driver)
    assert (charge.amount, charge.currency) == (50_000, driver.currency)
    assert charge.provider_order_id == opened.provider_order_id
    assert charge.fee
    assert (await adapter.read(opened.provider_order_id)).charges == (charge,)
    assert await adapter.read_charge(charge.charge_id) == charge
    assert (await adapter.read_order(opened.provider_order_id)).paid


@scenario()
async def after_a_decline_the_next_try_pays(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency))
    order_id = opened.provider_order_id
    driver.pay(order_id, "declined")
    if adapter.capabilities.capture_on_approval:
        with pytest.raises(Rejected, match="instrument-declined"):
            await adapter.capture(taking(opened))
        assert not (await adapter.read(order_id)).approved
        driver.pay(order_id)
        await adapter.capture(taking(opened))
    else:
        declined = await charge_of(adapter, order_id, "failed")
        assert declined.failure
        assert declined.failure_text
        driver.pay(order_id)
    assert (await charge_of(adapter, order_id)).amount == 50_000


@scenario(lambda can, _: can.capture_on_approval)
async def an_approval_is_seen_and_captured_once(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency))
    order_id = opened.provider_order_id
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened))
    driver.pay(order_id)
    seen = await adapter.read(order_id)
    assert (seen.approved, seen.provider_order_id, seen.charges) == (True, order_id, ())
    captured = await adapter.capture(taking(opened))
    assert await adapter.capture(taking(opened)) == captured
    assert (await adapter.read(order_id)).charges == (captured,)


@scenario(lambda can, _: can.manual_capture)
async def an_authorisation_is_captured_once(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency, capture_automatically=False))
    driver.pay(opened.provider_order_id)
    authorized = await charge_of(adapter, opened.provider_order_id, "authorized")
    assert authorized.capture_before
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened, authorized.charge_id, 50_001))
    wanted = taking(opened, authorized.charge_id)
    captured = await adapter.capture(wanted)
    assert (captured.state, captured.amount) == ("captured", 50_000)
    if driver.traits.repeats_captures:
        assert await adapter.capture(wanted) == captured
    else:
        with pytest.raises(Rejected, match="capture-refused"):
            await adapter.capture(wanted)
    (charge,) = (await adapter.read(opened.provider_order_id)).charges
    assert (charge.charge_id, charge.state) == (authorized.charge_id, "captured")


@scenario(lambda can, _: can.manual_capture)
async def a_part_is_captured_only_where_the_provider_can(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency, capture_automatically=False))
    driver.pay(opened.provider_order_id)
    authorized = await charge_of(adapter, opened.provider_order_id, "authorized")
    wanted = taking(opened, authorized.charge_id, 20_000)
    if not adapter.capabilities.partial_capture:
        with pytest.raises(Rejected, match="capture-refused"):
            await adapter.capture(wanted)
        assert (await adapter.read_charge(authorized.charge_id)).state == "authorized"
        return
    assert (await adapter.capture(wanted)).amount == 20_000
    seen = await adapter.read(opened.provider_order_id)
    assert [(c.state, c.amount) for c in seen.charges] == [("captured", 20_000)]
    assert seen.refunds == ()


@scenario(lambda can, _: can.void)
async def a_cancelled_authorisation_is_given_back(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency, capture_automatically=False))
    driver.pay(opened.provider_order_id)
    authorized = await charge_of(adapter, opened.provider_order_id, "authorized")
    seen = await adapter.cancel(opened.provider_order_id, f"cancel-{opened.reference}")
    assert seen.cancelled
    assert [(c.charge_id, c.state) for c in seen.charges] == [(authorized.charge_id, "lapsed")]
    assert await adapter.read(opened.provider_order_id) == seen
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened, authorized.charge_id))


@scenario(lambda can, _: can.cancel_open)
async def an_unpaid_order_is_cancelled_twice_alike(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency))
    driver.pay(opened.provider_order_id, "declined")
    key = f"cancel-{opened.reference}"
    first = await adapter.cancel(opened.provider_order_id, key)
    assert first.cancelled
    assert [c.state for c in first.charges] == ["failed"]
    assert await adapter.cancel(opened.provider_order_id, key) == first


@scenario()
async def a_paid_order_is_never_cancelled(adapter: Adapter, driver: Driver) -> None:
    opened, charge = await paid(adapter, driver)
    with pytest.raises(Rejected, match="cancel-refused"):
        await adapter.cancel(opened.provider_order_id, f"cancel-{opened.reference}")
    assert await adapter.read_charge(charge.charge_id) == charge


@scenario(lambda can, _: not can.cancel_open)
async def what_cannot_be_cancelled_says_so(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency))
    with pytest.raises(Rejected, match="cancel-refused"):
        await adapter.cancel(opened.provider_order_id, f"cancel-{opened.reference}")
    driver.pay(opened.provider_order_id)  # nothing was closed


@scenario()
async def a_lost_answer_to_a_create_is_unknown_and_makes_one_order(adapter: Adapter, driver: Driver) -> None:
    driver.faults(driver.create_call, act_then_drop=1.0)
    wanted = request(driver.currency)
    with pytest.raises(OutcomeUnknown):
        await adapter.open_order(wanted)
    driver.no_faults()
    found = await adapter.find_order(wanted)
    if not driver.traits.finds_orders:
        found = await adapter.open_order(wanted)
    assert found is not None
    assert found.reference == wanted.reference
    assert await adapter.read_order(found.provider_order_id) == found


@scenario(lambda can, _: can.manual_capture or can.capture_on_approval)
async def a_lost_answer_to_a_capture_is_unknown_and_takes_once(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency, capture_automatically=False))
    driver.pay(opened.provider_order_id)
    charge_id = ""
    if not adapter.capabilities.capture_on_approval:
        charge_id = (await charge_of(adapter, opened.provider_order_id, "authorized")).charge_id
    driver.faults(driver.capture_call, status_502=1.0)
    with pytest.raises(OutcomeUnknown):
        await adapter.capture(taking(opened, charge_id))
    driver.no_faults()
    charge = await charge_of(adapter, opened.provider_order_id)
    if driver.traits.repeats_captures:
        assert (await adapter.capture(taking(opened, charge_id))).charge_id == charge.charge_id
    assert (await adapter.read(opened.provider_order_id)).charges == (charge,)


@scenario()
async def a_slowed_down_caller_knows_that_nothing_was_done(adapter: Adapter, driver: Driver) -> None:
    driver.faults(driver.create_call, status_429=1.0, before=1.0, retry_after_s=7)
    wanted = request(driver.currency)
    with pytest.raises(Unavailable, match="provider-rate-limited") as caught:
        await adapter.open_order(wanted)
    driver.no_faults()
    assert caught.value.retry_after_s == 7
    assert await adapter.find_order(wanted) is None
    await adapter.open_order(wanted)


@scenario()
async def what_nobody_has_is_not_found(adapter: Adapter, driver: Driver) -> None:
    with pytest.raises(NotFound):
        await adapter.read_order(driver.unknown_order)
    with pytest.raises(NotFound):
        await adapter.read_charge(driver.unknown_charge)
    with pytest.raises(Rejected):
        await adapter.cancel(driver.unknown_order, "cancel-of-nothing")


@scenario()
async def calls_run_side_by_side_without_mixing_their_amounts(adapter: Adapter, driver: Driver) -> None:
    requests = [request(driver.currency, 10_000 + n) for n in range(20)]
    opened = await asyncio.gather(*(adapter.open_order(r) for r in requests))
    assert [o.amount for o in opened] == [r.amount for r in requests]
    assert [o.reference for o in opened] == [r.reference for r in requests]
