"""What every adapter must do, said of no provider: an adapter, and a driver for the provider's side.

Each scenario is a plain coroutine, so that one list of them can be run against any provider.
"""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import pytest

from shared.errors import NotFound, OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import ProviderOrderFact
from shared.providers.base import Adapter, CaptureRequest, OrderRequest, RefundRequest

Outcome = Literal["success", "declined", "authentication_failed", "processing"]
_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:8]


class Driver(Protocol):
    """What a scenario needs done at the provider."""

    currency: str
    unknown_order: str  # an id of the right form that nobody has
    create_call: str  # as faults name it
    refund_call: str

    def pay(self, provider_order_id: str, outcome: Outcome = "success") -> str:
        """A buyer's try; the id of its charge, empty when it made none."""
        ...

    def refund(self, charge_id: str, amount: int) -> None:
        """A person in the provider's dashboard."""
        ...

    def fail_refund(self, refund_id: str) -> None: ...

    def dispute(self, charge_id: str, *, inquiry: bool = False) -> str: ...

    def decide(self, dispute_id: str, step: str) -> None: ...

    def settle(self, provider_order_id: str, *, succeeded: bool) -> None:
        """The bank's word on a payment that is being processed."""
        ...

    def expire(self, provider_order_id: str) -> None:
        """An authorisation lapses."""
        ...

    def pay_out(self) -> None: ...

    def faults(self, call: str, **faults: object) -> None: ...

    def no_faults(self) -> None: ...


Scenario = Callable[[Adapter, Driver], Awaitable[None]]
SCENARIOS: list[Scenario] = []


def scenario(run: Scenario) -> Scenario:
    SCENARIOS.append(run)
    return run


def request(driver: Driver, amount: int = 50_000, *, capture_automatically: bool = True) -> OrderRequest:
    return OrderRequest(
        reference=f"attempt-{_run}-{next(_numbers):06d}",
        order_id="o-1",
        amount=amount,
        currency=driver.currency,
        asked_at=datetime.now(UTC),
        capture_automatically=capture_automatically,
    )


def taking(opened: ProviderOrderFact, charge_id: str, amount: int) -> CaptureRequest:
    return CaptureRequest(
        key=f"capture-{charge_id[-20:]}-{amount}",
        provider_order_id=opened.provider_order_id,
        charge_id=charge_id,
        amount=amount,
        currency=opened.currency,
        authorized=opened.amount,
    )


def giving(opened: ProviderOrderFact, charge_id: str, amount: int) -> RefundRequest:
    return RefundRequest(
        key=f"refund-{_run}-{next(_numbers):06d}",
        order_id="o-1",
        provider_order_id=opened.provider_order_id,
        charge_id=charge_id,
        amount=amount,
        currency=opened.currency,
        reason="does not fit",
    )


@scenario
async def an_opened_order_is_found_by_our_reference(adapter: Adapter, driver: Driver) -> None:
    wanted = request(driver)
    opened = await adapter.open_order(wanted)
    assert (opened.amount, opened.currency, opened.reference) == (50_000, driver.currency, wanted.reference)
    assert await adapter.find_order(wanted) == opened
    assert await adapter.read_order(opened.provider_order_id) == opened
    assert await adapter.find_order(request(driver)) is None


@scenario
async def an_open_order_shows_nothing(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    seen = await adapter.read(opened.provider_order_id)
    assert (seen.charges, seen.refunds, seen.disputes, seen.cancelled) == ((), (), (), False)


@scenario
async def a_paid_order_is_read_with_its_capture(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    charge_id = driver.pay(opened.provider_order_id)
    (charge,) = (await adapter.read(opened.provider_order_id)).charges
    assert (charge.charge_id, charge.state, charge.amount) == (charge_id, "captured", 50_000)
    assert charge.fee
    assert await adapter.read_charge(charge_id) == charge
    assert (await adapter.read_order(opened.provider_order_id)).paid


@scenario
async def a_decline_is_read_with_its_reason_and_the_next_try_pays(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    declined = driver.pay(opened.provider_order_id, "declined")
    (charge,) = (await adapter.read(opened.provider_order_id)).charges
    assert (charge.charge_id, charge.state) == (declined, "failed")
    assert charge.failure
    assert charge.failure_text
    paid = driver.pay(opened.provider_order_id)
    states = {c.charge_id: c.state for c in (await adapter.read(opened.provider_order_id)).charges}
    assert states == {declined: "failed", paid: "captured"}


@scenario
async def a_failed_authentication_is_a_decline_of_the_order(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    driver.pay(opened.provider_order_id, "authentication_failed")
    (charge,) = (await adapter.read(opened.provider_order_id)).charges
    assert (charge.charge_id, charge.state) == (opened.provider_order_id, "failed")
    assert charge.failure
    assert await adapter.read_charge(charge.charge_id) == charge


@scenario
async def an_authorisation_is_captured_once(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver, capture_automatically=False))
    charge_id = driver.pay(opened.provider_order_id)
    authorized = await adapter.read_charge(charge_id)
    assert authorized.state == "authorized"
    assert authorized.capture_before
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened, charge_id, 50_001))
    captured = await adapter.capture(taking(opened, charge_id, 50_000))
    assert (captured.charge_id, captured.state, captured.amount) == (charge_id, "captured", 50_000)
    assert await adapter.capture(taking(opened, charge_id, 50_000)) == captured
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened, charge_id, 49_999))


@scenario
async def a_part_is_captured_and_the_rest_is_released(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver, capture_automatically=False))
    charge_id = driver.pay(opened.provider_order_id)
    assert (await adapter.capture(taking(opened, charge_id, 20_000))).amount == 20_000
    seen = await adapter.read(opened.provider_order_id)
    assert [(c.state, c.amount) for c in seen.charges] == [("captured", 20_000)]
    assert seen.refunds == ()
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving(opened, charge_id, 20_001))


@scenario
async def a_cancelled_authorisation_is_given_back(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver, capture_automatically=False))
    charge_id = driver.pay(opened.provider_order_id)
    seen = await adapter.cancel(opened.provider_order_id, f"cancel-{charge_id[-20:]}")
    assert seen.cancelled
    assert [(c.charge_id, c.state) for c in seen.charges] == [(charge_id, "lapsed")]
    assert await adapter.read(opened.provider_order_id) == seen
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened, charge_id, 50_000))


@scenario
async def an_authorisation_that_nobody_captures_lapses(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver, capture_automatically=False))
    driver.pay(opened.provider_order_id)
    driver.expire(opened.provider_order_id)
    seen = await adapter.read(opened.provider_order_id)
    assert [c.state for c in seen.charges] == ["lapsed"]


@scenario
async def an_unpaid_order_is_cancelled_twice_alike(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    driver.pay(opened.provider_order_id, "declined")
    key = f"cancel-{opened.provider_order_id[-20:]}"
    first = await adapter.cancel(opened.provider_order_id, key)
    assert first.cancelled
    assert [c.state for c in first.charges] == ["failed"]
    assert await adapter.cancel(opened.provider_order_id, key) == first


@scenario
async def a_paid_order_is_not_cancelled(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    driver.pay(opened.provider_order_id)
    with pytest.raises(Rejected, match="cancel-refused"):
        await adapter.cancel(opened.provider_order_id, "cancel-of-a-paid-one")


@scenario
async def a_payment_under_way_is_pending_and_never_cancelled(adapter: Adapter, driver: Driver) -> None:
    ends: list[tuple[bool, str]] = [(True, "captured"), (False, "failed")]
    for succeeded, state in ends:
        opened = await adapter.open_order(request(driver))
        charge_id = driver.pay(opened.provider_order_id, "processing")
        assert (await adapter.read_charge(charge_id)).state == "pending"
        with pytest.raises(Rejected, match="cancel-refused"):
            await adapter.cancel(opened.provider_order_id, f"cancel-{charge_id[-20:]}")
        driver.settle(opened.provider_order_id, succeeded=succeeded)
        (charge,) = (await adapter.read(opened.provider_order_id)).charges
        assert (charge.charge_id, charge.state) == (charge_id, state)


@scenario
async def refunds_are_made_once_for_each_key_and_found_by_it(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    charge_id = driver.pay(opened.provider_order_id)
    wanted = giving(opened, charge_id, 20_000)
    assert await adapter.find_refund(wanted) is None
    made = await adapter.refund(wanted)
    assert (made.state, made.amount, made.charge_id) == ("succeeded", 20_000, charge_id)
    assert made.reference == wanted.key
    assert (await adapter.refund(wanted)).refund_id == made.refund_id
    assert await adapter.find_refund(wanted) == made
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving(opened, charge_id, 30_001))
    await adapter.refund(giving(opened, charge_id, 30_000))
    assert sorted(r.amount for r in (await adapter.read(opened.provider_order_id)).refunds) == [
        20_000,
        30_000,
    ]
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving(opened, charge_id, 1))


@scenario
async def a_refund_that_failed_after_it_succeeded_is_read_as_failed(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    wanted = giving(opened, driver.pay(opened.provider_order_id), 50_000)
    made = await adapter.refund(wanted)
    driver.fail_refund(made.refund_id)
    (refund,) = (await adapter.read(opened.provider_order_id)).refunds
    assert (refund.refund_id, refund.state) == (made.refund_id, "failed")
    assert refund.failure


@scenario
async def a_refund_made_in_the_dashboard_has_no_reference(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    driver.refund(driver.pay(opened.provider_order_id), 7000)
    (refund,) = (await adapter.read(opened.provider_order_id)).refunds
    assert (refund.amount, refund.reference) == (7000, "")


@scenario
async def a_dispute_takes_the_money_and_a_won_one_gives_it_back(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    charge_id = driver.pay(opened.provider_order_id)
    dispute_id = driver.dispute(charge_id)
    (open_one,) = (await adapter.read(opened.provider_order_id)).disputes
    assert (open_one.dispute_id, open_one.charge_id, open_one.kind) == (dispute_id, charge_id, "chargeback")
    assert (open_one.state, open_one.money, open_one.amount) == ("open", "withdrawn", 50_000)
    assert open_one.respond_by
    assert open_one.reason
    driver.decide(dispute_id, "won")
    (won,) = (await adapter.read(opened.provider_order_id)).disputes
    assert (won.state, won.money) == ("won", "reinstated")


@scenario
async def a_lost_dispute_keeps_the_money(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    dispute_id = driver.dispute(driver.pay(opened.provider_order_id))
    driver.decide(dispute_id, "under_review")
    driver.decide(dispute_id, "lost")
    (lost,) = (await adapter.read(opened.provider_order_id)).disputes
    assert (lost.state, lost.money) == ("lost", "withdrawn")


@scenario
async def an_inquiry_moves_no_money(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    dispute_id = driver.dispute(driver.pay(opened.provider_order_id), inquiry=True)
    (asked,) = (await adapter.read(opened.provider_order_id)).disputes
    assert (asked.kind, asked.state, asked.money) == ("inquiry", "open", "none")
    driver.decide(dispute_id, "closed")
    (closed,) = (await adapter.read(opened.provider_order_id)).disputes
    assert (closed.state, closed.money) == ("closed", "none")


@scenario
async def a_lost_answer_is_unknown_and_the_order_is_found(adapter: Adapter, driver: Driver) -> None:
    driver.faults(driver.create_call, act_then_drop=1.0)
    wanted = request(driver)
    with pytest.raises(OutcomeUnknown):
        await adapter.open_order(wanted)
    driver.no_faults()
    found = await adapter.find_order(wanted)
    assert found is not None
    assert found.reference == wanted.reference


@scenario
async def a_lost_answer_to_a_refund_gives_back_once(adapter: Adapter, driver: Driver) -> None:
    opened = await adapter.open_order(request(driver))
    wanted = giving(opened, driver.pay(opened.provider_order_id), 10_000)
    driver.faults(driver.refund_call, act_then_drop=1.0)
    with pytest.raises(OutcomeUnknown):
        await adapter.refund(wanted)
    driver.no_faults()
    found = await adapter.find_refund(wanted)
    assert found is not None
    assert (await adapter.refund(wanted)).refund_id == found.refund_id
    assert len((await adapter.read(opened.provider_order_id)).refunds) == 1


@scenario
async def a_slowed_down_caller_is_told_for_how_long(adapter: Adapter, driver: Driver) -> None:
    driver.faults(driver.create_call, status_429=1.0, before=1.0, retry_after_s=7)
    wanted = request(driver)
    with pytest.raises(Unavailable) as caught:
        await adapter.open_order(wanted)
    driver.no_faults()
    assert caught.value.retry_after_s == 7
    assert await adapter.find_order(wanted) is None
    await adapter.open_order(wanted)


@scenario
async def what_nobody_has_is_not_found(adapter: Adapter, driver: Driver) -> None:
    with pytest.raises(NotFound):
        await adapter.read(driver.unknown_order)
    with pytest.raises(NotFound):
        await adapter.read_order(driver.unknown_order)
    with pytest.raises(NotFound):
        await adapter.read_charge(driver.unknown_order)
    with pytest.raises(Rejected):
        await adapter.cancel(driver.unknown_order, "cancel-of-nothing")


@scenario
async def calls_run_side_by_side_without_mixing_their_amounts(adapter: Adapter, driver: Driver) -> None:
    requests = [request(driver, 10_000 + n) for n in range(20)]
    opened = await asyncio.gather(*(adapter.open_order(r) for r in requests))
    assert [o.amount for o in opened] == [r.amount for r in requests]
    assert [o.reference for o in opened] == [r.reference for r in requests]


@scenario
async def lists_hold_everything_once_and_their_lines_add_up(adapter: Adapter, driver: Driver) -> None:
    since = datetime.now(UTC).replace(microsecond=0)
    paid, refunded, disputed = [], [], []
    for _ in range(4):
        opened = await adapter.open_order(request(driver))
        paid.append(driver.pay(opened.provider_order_id))
        refunded.append((await adapter.refund(giving(opened, paid[-1], 1000))).refund_id)
    disputed.append(driver.dispute(paid[0]))
    driver.pay_out()
    window = (since, datetime.now(UTC) + timedelta(minutes=1))
    charges = [c.charge_id async for c in adapter.list_charges(*window)]
    refunds = [r.refund_id async for r in adapter.list_refunds(*window)]
    disputes = [d.dispute_id async for d in adapter.list_disputes(*window)]
    lines = [line async for line in adapter.list_settlement_lines(*window)]
    for wanted, found in ((paid, charges), (refunded, refunds), (disputed, disputes)):
        assert set(wanted) <= set(found)
        assert len(found) == len(set(found))
    assert len({line.line_id for line in lines}) == len(lines)
    assert all(line.net == line.amount - line.fee for line in lines)
    assert {line.kind for line in lines} >= {"payment", "refund", "dispute", "payout"}
    ours = [line for line in lines if line.charge_id in paid]
    assert len(ours) == 9
    assert {line.settlement_id for line in ours} == {ours[0].settlement_id}
    assert ours[0].settlement_id
    before = [c async for c in adapter.list_charges(since - timedelta(days=2), since - timedelta(days=1))]
    assert before == []
