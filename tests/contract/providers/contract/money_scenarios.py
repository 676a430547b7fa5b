"""Money that goes back, money that is fought over, and the lists that a reconciliation reads."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import NotFound, OutcomeUnknown, Rejected
from shared.messages.facts import ChargeFact, DisputeFact, RefundFact, SettlementLine
from shared.providers.base import Adapter, RefundRequest
from tests.contract.providers.contract.driver import Driver, all_of, scenario, until
from tests.contract.providers.contract.orders import giving_back
from tests.contract.providers.contract.payment_scenarios import charge_of, paid


def around() -> tuple[datetime, datetime]:
    """Wide enough for every provider's own days."""
    now = datetime.now(UTC)
    return now - timedelta(days=2), now + timedelta(hours=1)


async def succeeded(adapter: Adapter, wanted: RefundRequest) -> RefundFact:
    """The refund once its money has left."""

    async def look() -> RefundFact | None:
        found = await adapter.find_refund(wanted)
        return found if found is not None and found.state == "succeeded" else None

    found = await until(look, "a refund succeeds")
    assert found is not None
    return found


@scenario()
async def refunds_are_made_once_for_each_key_and_found_by_it(adapter: Adapter, driver: Driver) -> None:
    opened, charge = await paid(adapter, driver)
    wanted = giving_back(charge, 20_000)
    assert await adapter.find_refund(wanted) is None
    made = await adapter.refund(wanted)
    assert (made.amount, made.charge_id, made.reference) == (20_000, charge.charge_id, wanted.key)
    assert made.state in ("pending", "succeeded")
    assert (await adapter.refund(wanted)).refund_id == made.refund_id
    found = await succeeded(adapter, wanted)
    assert found.refund_id == made.refund_id
    assert (await adapter.read(opened.provider_order_id)).refunds == (found,)


@scenario()
async def refunds_in_parts_never_exceed_what_was_captured(adapter: Adapter, driver: Driver) -> None:
    opened, charge = await paid(adapter, driver)
    await adapter.refund(giving_back(charge, 20_000))
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving_back(charge, 30_001))
    await adapter.refund(giving_back(charge, 30_000))
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving_back(charge, 1))
    refunds = (await adapter.read(opened.provider_order_id)).refunds
    assert sorted(refund.amount for refund in refunds) == [20_000, 30_000]
    assert (await charge_of(adapter, opened.provider_order_id)).amount == 50_000


@scenario()
async def a_lost_answer_to_a_refund_gives_back_once(adapter: Adapter, driver: Driver) -> None:
    opened, charge = await paid(adapter, driver)
    wanted = giving_back(charge, 10_000)
    driver.faults(driver.refund_call, act_then_drop=1.0)
    with pytest.raises(OutcomeUnknown):
        await adapter.refund(wanted)
    driver.no_faults()
    found = await adapter.find_refund(wanted)
    assert found is not None
    assert (await adapter.refund(wanted)).refund_id == found.refund_id
    assert len((await adapter.read(opened.provider_order_id)).refunds) == 1


@scenario(lambda _, its: its.fails_refunds_later)
async def a_refund_that_failed_after_it_succeeded_is_read_as_failed(adapter: Adapter, driver: Driver) -> None:
    opened, charge = await paid(adapter, driver)
    wanted = giving_back(charge, 50_000)
    await adapter.refund(wanted)
    made = await succeeded(adapter, wanted)
    driver.fail_refund(made.refund_id)
    found = await adapter.find_refund(wanted)
    assert found is not None
    assert (found.refund_id, found.state) == (made.refund_id, "failed")
    assert (await adapter.read(opened.provider_order_id)).refunds == (found,)
    assert (await charge_of(adapter, opened.provider_order_id)).charge_id == charge.charge_id


@scenario()
async def a_refund_made_in_the_dashboard_has_no_reference(adapter: Adapter, driver: Driver) -> None:
    opened, charge = await paid(adapter, driver)
    driver.refund_elsewhere(charge.charge_id, 7000, charge.currency)
    (refund,) = (await adapter.read(opened.provider_order_id)).refunds
    assert (refund.amount, refund.reference, refund.charge_id) == (7000, "", charge.charge_id)


async def _dispute(adapter: Adapter, charge: ChargeFact) -> DisputeFact:
    disputes = await all_of(adapter.list_disputes(*around()))
    (found,) = [each for each in disputes if each.charge_id == charge.charge_id]
    return found


@scenario(lambda _, its: its.has_disputes)
async def a_dispute_is_read_with_its_money_to_its_end(adapter: Adapter, driver: Driver) -> None:
    at_once = driver.traits.withdraws_at_once
    for won in (True, False):
        _, charge = await paid(adapter, driver)
        dispute_id = driver.dispute(charge.charge_id)
        opened = await _dispute(adapter, charge)
        assert (opened.dispute_id, opened.kind, opened.state) == (dispute_id, "chargeback", "open")
        assert (opened.money, opened.amount) == ("withdrawn" if at_once else "none", 50_000)
        assert opened.currency == charge.currency
        assert opened.respond_by
        driver.decide(dispute_id, won=won)
        decided = await _dispute(adapter, charge)
        kept = "reinstated" if at_once else "none"
        assert (decided.state, decided.money) == (("won", kept) if won else ("lost", "withdrawn"))
        assert await adapter.read_dispute(dispute_id) == decided
        moments = [moment.replace(microsecond=0) for moment in (decided.at, decided.moved_at) if moment]
        assert moments == sorted(moments)
        assert len(moments) == (2 if at_once else 1)
        with pytest.raises(NotFound):
            await adapter.read_dispute(dispute_id[:-1] + ("0" if dispute_id[-1] != "0" else "1"))


@scenario()
async def lists_hold_everything_once_over_many_pages(adapter: Adapter, driver: Driver) -> None:
    """The page size is three here: see the test that runs these."""
    charges = [(await paid(adapter, driver))[1] for _ in range(4)]
    refunds = [await adapter.refund(giving_back(charge, 1000)) for charge in charges]

    async def refunds_are_there() -> bool:
        listed = [each.refund_id for each in await all_of(adapter.list_refunds(*around()))]
        return {refund.refund_id for refund in refunds} <= set(listed)

    await until(refunds_are_there, "all refunds are listed")
    listed = {
        "charges": [each.charge_id for each in await all_of(adapter.list_charges(*around()))],
        "refunds": [each.refund_id for each in await all_of(adapter.list_refunds(*around()))],
    }
    assert {charge.charge_id for charge in charges} <= set(listed["charges"])
    for name, ids in listed.items():
        assert len(ids) == len(set(ids)), f"{name} twice"
    long_ago = datetime.now(UTC) - timedelta(days=20)
    assert await all_of(adapter.list_charges(long_ago, long_ago + timedelta(days=1))) == []


@scenario(lambda _, its: its.captures_by_itself)
async def a_list_that_grows_while_it_is_read_skips_nothing(adapter: Adapter, driver: Driver) -> None:
    before = {(await paid(adapter, driver))[1].charge_id for _ in range(4)}
    seen: list[str] = []
    async for each in adapter.list_charges(*around()):
        if len(seen) in (0, 3):
            await paid(adapter, driver)
        seen.append(each.charge_id)
    assert before <= set(seen)


@scenario()
async def every_line_of_the_account_is_net_of_its_fee(adapter: Adapter, driver: Driver) -> None:
    _, charge = await paid(adapter, driver)
    wanted = giving_back(charge, 1000)
    await adapter.refund(wanted)
    made = await succeeded(adapter, wanted)
    driver.pay_out()

    async def lines() -> list[SettlementLine]:
        found = await all_of(adapter.list_settlement_lines(*around()))
        ours = {line.kind for line in found if line.charge_id == charge.charge_id}
        paid_out = any(line.kind == "payout" for line in found)
        return found if paid_out and ours >= {"payment", "refund"} else []

    found = await until(lines, "payment, refund and payout are in the account")
    assert len({line.line_id for line in found}) == len(found)
    assert all(line.net == line.amount - line.fee for line in found)
    ours = {line.kind: line for line in found if line.charge_id == charge.charge_id}
    assert (ours["payment"].amount, ours["payment"].fee) == (50_000, charge.fee)
    assert (ours["refund"].amount, ours["refund"].refund_id) == (-1000, made.refund_id)
    for payout in (line for line in found if line.kind == "payout"):
        settled = [x.net for x in found if x.settlement_id == payout.settlement_id and x is not payout]
        assert payout.net < 0
        assert not settled or sum(settled) == -payout.net
