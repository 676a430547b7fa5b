"""What holds for a provider whose capture follows an approval, said once: an adapter and a driver are enough.

A driver plays the people behind the provider (buyer, bank, dashboard) by the simulator's control calls.
"""

import itertools
from datetime import UTC, datetime
from typing import Protocol

import pytest

from shared.errors import OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import ChargeFact, ProviderOrderFact
from shared.providers.base import Adapter, CaptureRequest, OrderRequest, RefundRequest

_numbers = itertools.count(1)


class Driver(Protocol):
    """The people behind a provider. `create_call`, `refund_call`: what fault rules call these calls."""

    currency: str
    create_call: str
    capture_call: str
    refund_call: str

    def pay(self, provider_order_id: str, outcome: str = "success") -> None: ...
    def refund_elsewhere(self, charge_id: str, amount: int) -> None: ...
    def fail_refund(self, refund_id: str) -> None: ...
    def dispute(self, charge_id: str) -> str: ...
    def decide(self, dispute_id: str, *, won: bool) -> None: ...
    def faults(self, call: str, **effects: object) -> None: ...
    def no_faults(self) -> None: ...


def request(currency: str, amount: int = 50_000) -> OrderRequest:
    number = next(_numbers)
    return OrderRequest(
        reference=f"attempt-{number:08d}",
        order_id=f"o-{number}",
        amount=amount,
        currency=currency,
        asked_at=datetime.now(UTC),
    )


def taking(opened: ProviderOrderFact) -> CaptureRequest:
    return CaptureRequest(
        key=f"capture-{opened.reference}",
        provider_order_id=opened.provider_order_id,
        charge_id="",
        amount=opened.amount,
        currency=opened.currency,
        authorized=opened.amount,
    )


def giving_back(charge: ChargeFact, amount: int) -> RefundRequest:
    return RefundRequest(
        key=f"refund-{next(_numbers):08d}",
        order_id="o-1",
        provider_order_id=charge.provider_order_id,
        charge_id=charge.charge_id,
        amount=amount,
        currency=charge.currency,
        reason="Ran out of it",
    )


async def paid(adapter: Adapter, driver: Driver) -> ChargeFact:
    """An order that was opened, approved and captured."""
    opened = await adapter.open_order(request(driver.currency))
    driver.pay(opened.provider_order_id)
    return await adapter.capture(taking(opened))


async def an_order_is_opened_once_under_one_reference(adapter: Adapter, driver: Driver) -> None:
    wanted = request(driver.currency)
    opened = await adapter.open_order(wanted)
    assert (opened.amount, opened.currency, opened.reference) == (50_000, driver.currency, wanted.reference)
    assert await adapter.open_order(wanted) == opened
    assert await adapter.read_order(opened.provider_order_id) == opened
    assert not opened.paid


async def an_approved_order_is_captured_once_however_often_it_is_asked(
    adapter: Adapter, driver: Driver
) -> None:
    opened = await adapter.open_order(request(driver.currency))
    before = await adapter.read(opened.provider_order_id)
    assert (before.approved, before.charges) == (False, ())
    driver.pay(opened.provider_order_id)
    after = await adapter.read(opened.provider_order_id)
    assert (after.approved, after.provider_order_id) == (True, opened.provider_order_id)
    charge = await adapter.capture(taking(opened))
    assert (charge.state, charge.amount, charge.currency) == ("captured", 50_000, driver.currency)
    assert charge.provider_order_id == opened.provider_order_id
    assert charge.fee
    assert await adapter.capture(taking(opened)) == charge
    assert (await adapter.read(opened.provider_order_id)).charges == (charge,)
    assert await adapter.read_charge(charge.charge_id) == charge
    assert (await adapter.read_order(opened.provider_order_id)).paid


async def nothing_is_captured_before_the_buyer_has_approved(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency))
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened))


async def a_refused_instrument_can_be_replaced_by_another(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver.currency))
    driver.pay(opened.provider_order_id, "declined")
    with pytest.raises(Rejected, match="instrument-declined"):
        await adapter.capture(taking(opened))
    assert not (await adapter.read(opened.provider_order_id)).approved
    driver.pay(opened.provider_order_id)
    assert (await adapter.capture(taking(opened))).state == "captured"


async def a_refund_is_made_once_and_found_by_our_reference(adapter: Adapter, driver: Driver) -> None:
    charge = await paid(adapter, driver)
    wanted = giving_back(charge, 20_000)
    assert await adapter.find_refund(wanted) is None
    made = await adapter.refund(wanted)
    assert (made.state, made.amount, made.reference) == ("succeeded", 20_000, wanted.key)
    assert await adapter.refund(wanted) == made
    assert await adapter.find_refund(wanted) == made
    assert (await adapter.read(charge.provider_order_id)).refunds == (made,)
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving_back(charge, 30_001))
    assert (await adapter.read_charge(charge.charge_id)).state == "captured"


async def a_refund_made_elsewhere_is_seen_and_is_none_of_ours(adapter: Adapter, driver: Driver) -> None:
    charge = await paid(adapter, driver)
    driver.refund_elsewhere(charge.charge_id, 10_000)
    (refund,) = (await adapter.read(charge.provider_order_id)).refunds
    assert (refund.amount, refund.reference, refund.charge_id) == (10_000, "", charge.charge_id)


async def a_refund_that_fails_later_is_seen_as_failed(adapter: Adapter, driver: Driver) -> None:
    charge = await paid(adapter, driver)
    made = await adapter.refund(giving_back(charge, 50_000))
    driver.fail_refund(made.refund_id)
    (refund,) = (await adapter.read(charge.provider_order_id)).refunds
    assert (refund.refund_id, refund.state) == (made.refund_id, "failed")


async def a_dispute_is_seen_with_its_money(adapter: Adapter, driver: Driver) -> None:
    for won in (True, False):
        charge = await paid(adapter, driver)
        dispute_id = driver.dispute(charge.charge_id)
        (opened,) = (await adapter.read(charge.provider_order_id)).disputes
        assert (opened.dispute_id, opened.kind, opened.state) == (dispute_id, "chargeback", "open")
        assert (opened.money, opened.amount, opened.charge_id) == ("withdrawn", 50_000, charge.charge_id)
        assert opened.respond_by is not None
        driver.decide(dispute_id, won=won)
        (decided,) = (await adapter.read(charge.provider_order_id)).disputes
        expected = ("won", "reinstated") if won else ("lost", "withdrawn")
        assert (decided.state, decided.money) == expected


async def a_lost_answer_is_unknown_and_the_same_key_finds_what_was_done(
    adapter: Adapter, driver: Driver
) -> None:
    wanted = request(driver.currency)
    driver.faults(driver.create_call, act_then_drop=1.0)
    with pytest.raises(OutcomeUnknown):
        await adapter.open_order(wanted)
    driver.no_faults()
    opened = await adapter.open_order(wanted)
    driver.pay(opened.provider_order_id)
    driver.faults(driver.capture_call, status_502=1.0)
    with pytest.raises(OutcomeUnknown):
        await adapter.capture(taking(opened))
    driver.no_faults()
    charge = await adapter.capture(taking(opened))
    assert (await adapter.read(opened.provider_order_id)).charges == (charge,)
    refund = giving_back(charge, 1_000)
    driver.faults(driver.refund_call, status_500_html=1.0)
    with pytest.raises(OutcomeUnknown):
        await adapter.refund(refund)
    driver.no_faults()
    found = await adapter.find_refund(refund)
    assert found is not None
    assert await adapter.refund(refund) == found


async def a_rate_limit_means_that_nothing_was_done(adapter: Adapter, driver: Driver) -> None:
    wanted = request(driver.currency)
    driver.faults(driver.create_call, status_429=1.0, before=1.0)
    with pytest.raises(Unavailable, match="provider-rate-limited"):
        await adapter.open_order(wanted)
    driver.no_faults()
    assert await adapter.find_order(wanted) is None


ALL = (
    an_order_is_opened_once_under_one_reference,
    an_approved_order_is_captured_once_however_often_it_is_asked,
    nothing_is_captured_before_the_buyer_has_approved,
    a_refused_instrument_can_be_replaced_by_another,
    a_refund_is_made_once_and_found_by_our_reference,
    a_refund_made_elsewhere_is_seen_and_is_none_of_ours,
    a_refund_that_fails_later_is_seen_as_failed,
    a_dispute_is_seen_with_its_money,
    a_lost_answer_is_unknown_and_the_same_key_finds_what_was_done,
    a_rate_limit_means_that_nothing_was_done,
)
