"""Settled, refunded and disputed money of a real simulator, up to the page that a person reads."""

import asyncio
import csv
import io
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.messages.payments import DisputeView, PaymentPaid, RefundView
from shared.messages.reconciler import Figures, ReconciliationCompleted
from tests.contract.simulator.running import Simulator
from tests.integration.reconciler.system import System, after, charge, eventually, paid
from tests.integration.reconciler.test_day import Bought, buy, id_of, run


def with_refund(bought: Bought, order_id: str, version: int, refund: dict[str, Any]) -> PaymentPaid:
    """Our order with a refund of it, as payments would tell it."""
    event = paid(order_id, version, charge(bought.charge_id, bought.provider_order_id))
    view = RefundView(
        refund_id=f"rf-{order_id}",
        charge_id=bought.charge_id,
        provider="razorpay",
        state="succeeded",
        amount=refund["amount"],
        currency="INR",
        origin="provider",
        created_at=datetime.fromtimestamp(refund["created_at"], UTC),
        provider_refund_id=refund["id"],
    )
    return changed(event, refunds=(view,))


def changed(event: PaymentPaid, **more: object) -> PaymentPaid:
    return replace(event, payment=replace(event.payment, **more))


def figures(completed: ReconciliationCompleted, bought: Bought) -> Figures:
    return next(f for f in completed.figures if f.day == bought.day and f.currency == "INR")


async def test_settled_money_is_explained_and_a_refund_at_the_dashboard_is_found(
    system: System, simulator: Simulator
) -> None:
    plain, refunded = buy(simulator), buy(simulator)
    client = simulator.client()
    refund = client.payment.refund(refunded.charge_id, {"amount": 12_000, "speed": "normal"}, timeout=5)
    client.session.close()
    simulator.control("POST", "/razorpay/settle")
    known = (plain, refunded)
    await system.publish(
        *(paid(f"o-{n}", 1, charge(b.charge_id, b.provider_order_id)) for n, b in enumerate(known))
    )
    await system.complete_until(after(plain.day))
    await system.start()
    await run(system, plain.day, 1)

    mine = {plain.charge_id, refunded.charge_id, refund["id"]}
    found = [d for d in await system.detected() if d.subject in mine]
    assert [(d.kind, d.subject, d.amount) for d in found] == [("refund", refund["id"], 12_000)]
    assert (found[0].order_id, found[0].proposed_repair) == ("o-1", "look_again")
    (completed,) = await system.completed(plain.day)
    before = figures(completed, plain)
    assert (before.captured, before.refunded) == (100_000, 0)
    assert before.settled == 100_000 - before.fees > 0
    assert before.by_kind["refund"] == 12_000

    await system.publish(with_refund(refunded, "o-1", 2, refund))

    async def mended() -> bool:
        return id_of("refund", refund["id"]) in {r.mismatch_id for r in await system.resolved()}

    await eventually(mended, 60)  # by itself: it is compared again soon after the look was sent
    await run(system, plain.day, 2)
    after_ = figures((await system.completed(plain.day))[-1], plain)
    assert (after_.refunded, after_.settled) == (12_000, before.settled - 12_000)
    assert (after_.remaining, after_.waiting) == (0, 0)

    status, page = await system.get(f"/api/reconciliation/{plain.day}.html")
    assert status == 200
    assert "1,000.00" in page
    status, table = await system.get(f"/api/reconciliation/{plain.day}.csv")
    assert status == 200
    rows = {r["item"]: r["amount"] for r in csv.DictReader(io.StringIO(table)) if r["line"] == "figure"}
    assert (rows["captured"], rows["refunded"], rows["remaining"]) == ("1000.00", "120.00", "0.00")
    week = f"{plain.day - timedelta(days=6)}..{plain.day}"
    status, answer = await system.get(f"/api/reconciliation/{week}")
    assert (status, answer["overall"]) == (200, [row["figures"] for row in answer["money"]])
    first = str(plain.day - timedelta(days=6))
    told = await asyncio.to_thread(system.command, "report", first, "--to", str(plain.day), "--format", "csv")
    sums = [r for r in csv.DictReader(io.StringIO(told)) if (r["line"], r["provider"]) == ("total", "all")]
    assert {r["item"]: r["amount"] for r in sums} == rows
    assert {r["day"] for r in sums} == {week}


async def test_a_person_accepts_a_stranger_and_the_story_stays_on_record(
    system: System, simulator: Simulator
) -> None:
    stranger = buy(simulator)
    await system.complete_until(after(stranger.day))
    await system.start()
    await run(system, stranger.day, 1)
    id_ = id_of("missing_local", stranger.charge_id)
    with pytest.raises(subprocess.CalledProcessError):
        await asyncio.to_thread(system.command, "mismatch", "approve", id_, "--yes")
    accepted = await asyncio.to_thread(
        system.command, "mismatch", "accept", id_, "--person", "asha", "--reason", "a test payment"
    )
    assert accepted == "done\n"

    async def told() -> bool:
        return id_ in {r.mismatch_id for r in await system.resolved() if r.how == "accepted"}

    await eventually(told)
    story = await asyncio.to_thread(system.command, "mismatch", "show", id_)
    assert "accepted asha a test payment" in story
    listed = await asyncio.to_thread(system.command, "mismatch", "list")
    assert id_ not in listed
    await run(system, stranger.day, 2)
    assert len([d for d in await system.detected() if d.mismatch_id == id_]) == 1
    with pytest.raises(subprocess.CalledProcessError):
        await asyncio.to_thread(system.command, "mismatch", "accept", id_, "--reason", "again")


async def test_a_payment_marked_by_hand_has_its_own_line_and_no_provider(system: System) -> None:
    now = datetime.now(UTC)
    by_hand = charge("hand-1", "", provider="hand", account="City Bank", at=now, by="asha: paid in cash")
    dispute = DisputeView(
        dispute_id="disp_x", charge_id="hand-1", provider="hand", kind="chargeback", state="open",
        money="none", amount=1, currency="INR", at=now,
    )  # fmt: skip
    event = paid("o-hand", 1, by_hand, provider_order_id="order_none")
    await system.publish(changed(event, disputes=(dispute,)))
    await system.complete_until(after(now.date()))
    await system.start()
    await eventually(lambda: system.rows("SELECT 1 FROM charges WHERE provider = 'hand'"))
    await run(system, now.date(), 1)
    assert "hand-1" not in {d.subject for d in await system.detected()}
    _, answer = await system.get(f"/api/reconciliation/{now.date()}")
    (line,) = answer["byHand"]
    assert (line["source"], line["markedBy"], line["amount"]) == ("City Bank", "asha: paid in cash", 50_000)
