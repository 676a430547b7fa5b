"""A day of a real simulator, through the real process, Kafka and PostgreSQL."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import date
from itertools import count

import pytest

from services.reconciler.domain.mismatches import mismatch_id
from tests.contract.simulator.running import ACCOUNT_ID, Simulator
from tests.integration.reconciler.system import API_KEY, ROOT, System, after, charge, day_of, eventually, paid

_numbers = count(1)


@dataclass(frozen=True)
class Bought:
    """A payment captured at the simulator."""

    charge_id: str
    provider_order_id: str
    day: date


def buy(simulator: Simulator, amount: int = 50_000) -> Bought:
    client = simulator.client()
    order = client.order.create(
        {"amount": amount, "currency": "INR", "receipt": f"r-{next(_numbers)}", "payment_capture": 1},
        timeout=5,
    )
    simulator.pay(order["id"])
    (payment,) = client.order.payments(order["id"], timeout=5)["items"]
    client.session.close()
    assert payment["status"] == "captured"
    return Bought(payment["id"], order["id"], day_of(payment["created_at"]))


def id_of(kind: str, subject: str) -> str:
    return mismatch_id("razorpay", ACCOUNT_ID, kind, subject)  # type: ignore[arg-type]


def asked(day: date) -> tuple[str, ...]:
    return ("reconcile", "--provider", "razorpay", "--day", day.isoformat(), "--wait", "0")


async def run(system: System, day: date, completed: int) -> None:
    await asyncio.to_thread(system.command, *asked(day))
    await system.runs_completed(day, completed)


async def test_what_one_side_lacks_is_one_mismatch_until_the_books_agree(
    system: System, simulator: Simulator
) -> None:
    known, unknown, stranger = buy(simulator), buy(simulator), buy(simulator)
    others = {p["id"] for p in simulator.ledger()["razorpay"]["payments"]}
    others -= {b.charge_id for b in (known, unknown, stranger)}
    await system.publish(
        paid("o-known", 1, charge(known.charge_id, known.provider_order_id)),
        paid("o-unknown", 1, provider_order_id=unknown.provider_order_id),
        paid("o-phantom", 1, charge("pay_Phantom0000001", "order_Phantom000001")),
        paid("o-declined", 1, charge("pay_Declined000001", "order_Declined00001", state="failed")),
    )
    await system.complete_until(after(known.day))
    await system.start()

    await run(system, known.day, 1)
    expected = {
        ("missing_local", unknown.charge_id, "o-unknown", "look_again"),
        ("missing_local", stranger.charge_id, None, ""),
        ("missing_provider", "pay_Phantom0000001", "o-phantom", "look_again"),
    } | {("missing_local", other, None, "") for other in others}
    detected = await system.detected()
    assert {(d.kind, d.subject, d.order_id, d.proposed_repair) for d in detected} == expected
    assert len(detected) == len(expected)
    assert {d.mismatch_id for d in detected} == {id_of(kind, subject) for kind, subject, *_ in expected}
    assert {d.occurrence for d in detected} == {1}
    commands = await system.sent("payments.commands")
    assert {c.subject for c in commands} == {"o-unknown", "o-phantom"}
    assert len(commands) == 2
    (completed,) = await system.completed(known.day)
    assert (completed.agreed, completed.mismatches) == (1, len(expected))

    await run(system, known.day, 2)
    assert len(await system.detected()) == len(expected), "a second run announces nothing again"

    await system.publish(paid("o-unknown", 2, charge(unknown.charge_id, unknown.provider_order_id)))
    await eventually(lambda: system.rows(f"SELECT 1 FROM charges WHERE charge_id = '{unknown.charge_id}'"))
    await run(system, known.day, 3)
    (resolved,) = await system.resolved()
    assert (resolved.mismatch_id, resolved.occurrence, resolved.how) == (
        id_of("missing_local", unknown.charge_id),
        1,
        "agreed",
    )
    assert len(await system.detected()) == len(expected)
    assert len(await system.sent("payments.commands")) == 2


async def test_a_wrong_amount_is_found_and_left_to_a_person(system: System, simulator: Simulator) -> None:
    bought = buy(simulator)
    await system.publish(
        paid("o-1", 1, charge(bought.charge_id, bought.provider_order_id, amount=49_999)),
    )
    await system.complete_until(after(bought.day))
    await system.start()
    await run(system, bought.day, 1)
    (found,) = [d for d in await system.detected() if d.subject == bought.charge_id]
    assert found.kind == "amount"
    assert [(leg.side, leg.amount) for leg in found.legs] == [("ours", 49_999), ("provider", 50_000)]
    assert await system.sent("payments.commands") == []
    await _what_is_approved_is_what_was_shown(system, found.mismatch_id)


async def _what_is_approved_is_what_was_shown(system: System, id_: str) -> None:
    """While a person thinks about it, a run sees that more would go back."""
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.reconciler", "mismatch", "approve", id_,
        cwd=ROOT, env=os.environ | system.environment, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert asking.stdin is not None
    assert asking.stdout is not None
    shown = await asking.stdout.readuntil(b"Do it?")
    assert b"gives 499.99 INR" in shown
    await system.rows("UPDATE mismatches SET returns = 50000 WHERE returns = 49999")
    said, _ = await asking.communicate(b"y\n")
    assert (asking.returncode, b"repair-changed" in said) == (1, True)
    assert await system.sent("payments.commands") == []

    await asyncio.to_thread(system.command, "mismatch", "approve", id_, "--yes")

    async def told() -> bool:
        return len(await system.sent("payments.commands")) == 1

    await eventually(told)


async def test_requests_at_once_are_one_run_and_wait_for_the_checkpoint(
    system: System, simulator: Simulator
) -> None:
    bought = buy(simulator)
    await system.start()
    await asyncio.gather(*(asyncio.to_thread(system.command, *asked(bought.day)) for _ in range(3)))

    async def all_claimed() -> bool:
        found = await system.rows("SELECT 1 FROM inbox WHERE consumer = 'reconciler.reconciler.commands'")
        return len(found) == 4  # with its own of yesterday

    await eventually(all_claimed)
    status, answer = await system.get(f"/api/reconciliation/{bought.day}")
    assert status == 200
    assert answer["settled"] is False
    assert [r["status"] for r in answer["runs"]] == ["running"]
    assert await system.detected() == []

    await system.complete_until(after(bought.day))
    await system.runs_completed(bought.day, 1)
    status, answer = await system.get(f"/api/reconciliation/{bought.day}")
    assert answer["settled"] is True
    assert [(r["status"], r["number"]) for r in answer["runs"]] == [("completed", 1)]
    assert bought.charge_id in {m["subject"] for m in answer["mismatches"]}
    assert len(await system.completed(bought.day)) == 1


FAILPOINTS = (
    "reconciler.before_db_commit@1",
    "reconciler.after_db_commit@2",
    "tasks.claimed@1",
    "reconciler.page_kept@1",
    "reconciler.part_listed@1",
    "reconciler.part_listed@5",
    "reconciler.part_compared@1",
    "tasks.performed@1",
    "reconciler.before_result_commit@1",
    "reconciler.after_result_commit@1",
    "relay.before_publish@1",
    "relay.after_publish@1",
)


@pytest.mark.parametrize("failpoint", FAILPOINTS)
async def test_a_run_killed_in_the_middle_ends_with_the_same_mismatches(
    system: System, simulator: Simulator, failpoint: str
) -> None:
    bought = [buy(simulator) for _ in range(3)]
    day = bought[0].day
    await system.publish(
        *(
            paid(f"o-{n}", 1, charge(b.charge_id, b.provider_order_id, amount=50_000 + n))
            for n, b in enumerate(bought)
        )
    )
    await system.complete_until(after(day))
    name, _, nth = failpoint.partition("@")
    await system.start(f"{name}:exit@{nth}")
    await asyncio.to_thread(system.command, *asked(day))
    await system.died()
    await system.leases_end()

    await system.start()
    await system.runs_completed(day, 1)
    payments = simulator.ledger()["razorpay"]["payments"]
    expected = {("amount", b.charge_id) for b in bought[1:]}
    expected |= {("missing_local", p["id"]) for p in payments} - {
        ("missing_local", b.charge_id) for b in bought
    }
    detected = await system.detected()
    assert {(d.kind, d.subject) for d in detected} == expected
    assert len(detected) == len(expected)
    (completed,) = await system.completed(day)
    assert (completed.agreed, completed.mismatches) == (1, len(expected))


async def test_a_provider_that_does_not_answer_is_asked_again(system: System, simulator: Simulator) -> None:
    bought = buy(simulator)
    await system.complete_until(after(bought.day))
    failures = [
        {"do": do, "times": 1} for do in ("status_502", "status_500_html", "drop_before", "status_429")
    ]
    simulator.faults(api=[{"path": "GET /v1/payments", "next": failures}])
    bites_before = len(simulator.bites())
    try:
        await system.start()
        await run(system, bought.day, 1)
    finally:
        simulator.control("DELETE", "/faults")
    assert len(simulator.bites()) - bites_before == len(failures)
    assert bought.charge_id in {d.subject for d in await system.detected()}


async def test_only_a_key_with_the_scope_reads_a_day(system: System) -> None:
    system.more["RECONCILER_API_KEYS"] = (
        f'[{{"name": "books", "key": "{API_KEY}", "scopes": ["payments:read"]}},'
        f' {{"name": "shop", "key": "{API_KEY} 2", "scopes": ["orders:write"]}}]'
    )
    await system.start()
    path = "/api/reconciliation/2026-01-31"
    assert (await system.get(path, API_KEY))[0] == 200
    assert (await system.get(path))[0] == 401
    assert (await system.get(path, "another key, long enough"))[0] == 401
    assert (await system.get(path, f"{API_KEY} 2"))[0] == 403
    days_31, days_32 = "2026-01-01..2026-01-31", "2026-01-01..2026-02-01"
    assert (await system.get(f"/api/reconciliation/{days_31}.csv", API_KEY))[0] == 200
    bad_days = ("2026-13-01", "yesterday", "", "2026-01-31/x", "%00", "९९९९-01-01", "99999-01-01")
    bad_periods = ("2026-01-31..2026-01-30", "2026-01-31..", "..2026-01-31", "2026-01-30...2026-01-31")
    for bad in (*bad_days, *bad_periods, days_32):
        assert (await system.get(f"/api/reconciliation/{bad}", API_KEY))[0] in (400, 404), bad
    assert (await system.get("/api/reconciliation/9999-12-30", API_KEY))[0] == 200
    assert (await system.get("/api/reconciliation/2026-01-31.pdf", API_KEY))[0] == 404
    assert (await system.get("/api/other", API_KEY))[0] == 404
    assert (await system.get(path, API_KEY, "POST"))[0] == 405
