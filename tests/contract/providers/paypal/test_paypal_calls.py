"""What is PayPal's own: approvals, pending captures, tokens, expiry, reports."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import NotFound, Rejected, Unavailable
from shared.messages.facts import Seen, SettlementLine
from shared.providers.paypal import PayPalAdapter
from tests.contract.providers.contract.driver import until
from tests.contract.providers.contract.orders import giving_back, request, taking
from tests.contract.providers.drivers.paypal import paypal_adapter_at
from tests.contract.simulator.paypal.running import PayPalSimulator, Receiver
from tests.contract.simulator.running import eventually

LONG_AGO = timedelta(days=40)  # more than the report's 31 days: two windows


async def test_the_buyer_is_sent_to_paypal_and_comes_back_with_our_order(
    adapter: PayPalAdapter, simulator: PayPalSimulator
) -> None:
    opened = await adapter.open_order(request("USD"))
    checkout = adapter.checkout(opened.secrets)
    order_id = opened.provider_order_id
    assert checkout == {"approveUrl": f"{simulator.base}/checkoutnow?token={order_id}"}
    row = simulator.row("orders", order_id)
    assert row["return_url"] == f"http://127.0.0.1:9/checkout?order={row['custom_id']}"
    assert row["cancel_url"] == f"http://127.0.0.1:9/checkout?left=1&order={row['custom_id']}"
    assert adapter.check_proof({"paypal_order_id": order_id}) == (order_id, None)


@pytest.mark.parametrize(("end", "state"), [("complete", "captured"), ("deny", "failed")])
async def test_a_pending_capture_is_pending_until_its_bank_has_spoken(
    adapter: PayPalAdapter, simulator: PayPalSimulator, end: str, state: str
) -> None:
    opened = await adapter.open_order(request("EUR"))
    simulator.paypal(f"orders/{opened.provider_order_id}/approve", {"outcome": "pending"})
    charge = await adapter.capture(taking(opened))
    assert (charge.state, charge.fee, charge.failure) == ("pending", None, "")
    with pytest.raises(Rejected, match="refund-refused"):
        await adapter.refund(giving_back(charge, 100))
    simulator.paypal(f"captures/{charge.charge_id}/{end}")
    ended = await adapter.read_charge(charge.charge_id)
    assert ended.state == state
    assert bool(ended.failure) == (state == "failed")


async def test_what_is_pending_is_listed_before_it_is_on_the_balance(
    adapter: PayPalAdapter, simulator: PayPalSimulator
) -> None:
    opened = await adapter.open_order(request("EUR"))
    simulator.paypal(f"orders/{opened.provider_order_id}/approve", {"outcome": "pending"})
    charge_id = (await adapter.capture(taking(opened))).charge_id
    window = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(minutes=1)

    async def listed() -> list[str]:
        return [c.state async for c in adapter.list_charges(*window) if c.charge_id == charge_id]

    async def lines() -> list[int]:
        return [x.amount async for x in adapter.list_settlement_lines(*window) if x.charge_id == charge_id]

    assert await until(listed, "the report has it") == ["pending"]
    assert await lines() == []
    simulator.paypal(f"captures/{charge_id}/complete")
    assert (await listed(), await lines()) == (["captured"], [50_000])


async def test_a_pending_capture_completes_by_itself(
    adapter: PayPalAdapter, simulator: PayPalSimulator
) -> None:
    opened = await adapter.open_order(request("EUR"))
    form = {"outcome": "pending", "then": "complete", "after_s": 600}
    simulator.paypal(f"orders/{opened.provider_order_id}/approve", form)
    charge = await adapter.capture(taking(opened))
    eventually(lambda: simulator.row("captures", charge.charge_id)["status"] == "COMPLETED")


async def test_an_order_captured_under_another_key_is_answered_with_that_capture(
    adapter: PayPalAdapter, simulator: PayPalSimulator
) -> None:
    opened = await adapter.open_order(request("USD"))
    simulator.paypal(f"orders/{opened.provider_order_id}/approve")
    charge = await adapter.capture(taking(opened))
    again = replace(taking(opened), key="another-capture-key")
    assert await adapter.capture(again) == charge


async def test_an_expired_order_is_over_and_cannot_be_captured(
    adapter: PayPalAdapter, simulator: PayPalSimulator, receiver: Receiver
) -> None:
    opened = await adapter.open_order(request("USD"))
    simulator.paypal(f"orders/{opened.provider_order_id}/approve")
    simulator.paypal(f"orders/{opened.provider_order_id}/expire")
    over = Seen(provider_order_id=opened.provider_order_id, cancelled=True)
    assert await adapter.read(opened.provider_order_id) == over
    with pytest.raises(NotFound):
        await adapter.read_order(opened.provider_order_id)
    with pytest.raises(Rejected, match="capture-refused"):
        await adapter.capture(taking(opened))
    reversal = "CHECKOUT.PAYMENT-APPROVAL.REVERSED"
    eventually(lambda: reversal in receiver.events(opened.provider_order_id))
    sent = next(each for each in receiver.about(opened.provider_order_id) if each.event == reversal)
    assert adapter.read_webhook(sent.raw).provider_order_id == opened.provider_order_id


async def test_what_paypal_cannot_do_is_refused(adapter: PayPalAdapter) -> None:
    opened = await adapter.open_order(request("USD"))
    with pytest.raises(Rejected, match="cancel-refused"):
        await adapter.cancel(opened.provider_order_id, "cancel-00000001")
    with pytest.raises(NotFound):
        await adapter.read_charge("../../v1/oauth2/token")


async def test_a_revoked_token_is_renewed_once_by_one_of_many(
    adapter: PayPalAdapter, simulator: PayPalSimulator
) -> None:
    opened = await adapter.open_order(request("USD"))

    def tokens() -> int:
        return sum(call["path"] == "/v1/oauth2/token" for call in simulator.ledger()["calls"])

    before = tokens()
    simulator.paypal("tokens/revoke")
    reads = [adapter.read_order(opened.provider_order_id) for _ in range(10)]
    assert await asyncio.gather(*reads) == [opened] * 10
    assert tokens() == before + 1


async def test_a_wrong_secret_is_unavailable_and_says_so(simulator: PayPalSimulator) -> None:
    adapter = paypal_adapter_at(simulator.base, client_secret="another client secret")
    with pytest.raises(Unavailable, match="provider-misconfigured"):
        await adapter.open_order(request("USD"))
    await adapter.close()


async def test_the_report_lists_payments_refunds_and_every_line_of_the_account(
    adapter: PayPalAdapter, simulator: PayPalSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.providers.paypal.lists.LINES_PER_PAGE", 3)
    charges = []
    for _ in range(4):
        opened = await adapter.open_order(request("GBP"))
        simulator.paypal(f"orders/{opened.provider_order_id}/approve")
        charges.append(await adapter.capture(taking(opened)))
    refund = await adapter.refund(giving_back(charges[0], 5_000))
    dispute_id = simulator.paypal(f"captures/{charges[1].charge_id}/dispute", {"stage": "CHARGEBACK"})["id"]
    simulator.control("POST", "/paypal/withdraw")
    since, until = datetime.now(UTC) - LONG_AGO, datetime.now(UTC) + timedelta(hours=1)

    async def lines() -> list[SettlementLine]:
        found = [line async for line in adapter.list_settlement_lines(since, until)]
        return [line for line in found if line.currency == "GBP"]

    deadline = asyncio.get_running_loop().time() + 10
    while not any(line.kind == "payout" for line in await lines()):
        assert asyncio.get_running_loop().time() < deadline, "the report does not get to the withdrawal"
    account = await lines()
    assert sum(line.net for line in account) == 0, "all was withdrawn"
    assert all(line.net == line.amount - line.fee for line in account)
    assert len({line.line_id for line in account}) == len(account)
    assert adapter.reported_until is not None
    listed = {each.charge_id: each async for each in adapter.list_charges(since, until)}
    assert all(listed[charge.charge_id].amount == charge.amount for charge in charges)
    assert all(listed[charge.charge_id].provider_order_id == charge.provider_order_id for charge in charges)
    refunds = {each.refund_id: each async for each in adapter.list_refunds(since, until)}
    assert refunds[refund.refund_id].reference == refund.reference
    assert refunds[refund.refund_id].charge_id == charges[0].charge_id
    disputes = {each.dispute_id: each async for each in adapter.list_disputes(since, until)}
    assert disputes[dispute_id].charge_id == charges[1].charge_id


async def test_every_webhook_of_the_simulator_is_verified_and_only_hints(
    adapter: PayPalAdapter, simulator: PayPalSimulator, receiver: Receiver
) -> None:
    opened = await adapter.open_order(request("USD"))
    simulator.paypal(f"orders/{opened.provider_order_id}/approve")
    charge = await adapter.capture(taking(opened))
    await adapter.refund(giving_back(charge, 100))
    simulator.paypal(f"captures/{charge.charge_id}/dispute")
    expected = [
        "CHECKOUT.ORDER.APPROVED",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.REFUNDED",
        "CUSTOMER.DISPUTE.CREATED",
    ]

    def told() -> set[str]:
        return set(receiver.events(opened.provider_order_id)) | set(receiver.events(charge.charge_id))

    eventually(lambda: told() >= set(expected))
    for arrival in receiver.about(opened.provider_order_id) + receiver.about(charge.charge_id):
        assert adapter.recognises(arrival.headers)
        await adapter.verify_webhook(arrival.headers, arrival.raw, datetime.now(UTC))
        content = adapter.read_webhook(arrival.raw)
        assert content.known
        assert content.hint
        assert content.seen == Seen()
        assert content.account == adapter.account
        assert content.provider_order_id == opened.provider_order_id or content.charge_id == charge.charge_id
        assert adapter.webhook_identity(arrival.headers, arrival.raw) == (
            arrival.body["id"],
            content.provider_order_id or content.charge_id,
        )
