"""Every call that moves money, cut off wherever it can be: it is done once, and both books say so."""

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import suppress

import pytest

from devstack.process import StackError
from tests.chaos.calls import Calls, new_session
from tests.chaos.system import System, running
from tests.chaos.till import ALL, PRICE, Deed, Ready, Till, round_of
from tests.chaos.wish import PROVIDERS, Wish

TIME_SCALE = 5  # an attempt lives 6 minutes: none expires before its turn to be paid or cancelled
REPEATS = 10 if os.environ.get("SOAK") else 1
AT_ONCE = 30
# Kind of task → (the message of its result, what makes such tasks).
KINDS: dict[str, tuple[str, tuple[Deed, ...]]] = {
    "refund": ("RefundEnded", ("refund", "surplus")),
    "capture": ("CaptureEnded", ("capture", "approval")),
    "cancel": ("CancelEnded", ("void", "cancel")),
}
# Before the call, after the provider acted, with the answer on its way into the books, and behind that.
PLACES: tuple[tuple[str, Collection[Deed]], ...] = (
    *((f"tasks.claimed/{kind}", deeds) for kind, (_, deeds) in KINDS.items()),
    *((f"tasks.performed/{kind}", deeds) for kind, (_, deeds) in KINDS.items()),
    *((f"payments.before_result_commit/{end}", deeds) for end, deeds in KINDS.values()),
    *((f"payments.after_result_commit/{end}", deeds) for end, deeds in KINDS.values()),
    ("payments.before_db_commit", ALL),
    ("payments.after_db_commit", ALL),
)
# Every write that moves or releases money, as faults name it.
WRITES = (
    "POST /v1/payments/*/capture",
    "POST /v1/payments/*/refund",
    "POST /stripe/v1/payment_intents/*/capture",
    "POST /stripe/v1/payment_intents/*/cancel",
    "POST /stripe/v1/refunds",
    "POST /v2/checkout/orders/*/capture",
    "POST /v2/payments/captures/*/refund",
)

pytestmark = pytest.mark.timeout(600 * REPEATS)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("money"), time_scale=TIME_SCALE) as started:
        yield started


@pytest.fixture
async def till(system: System) -> AsyncIterator[Till]:
    async with new_session() as session:
        yield Till(Calls(system.shop, session, system.history))


def name(what: str) -> str:
    return f"{what}-{secrets.token_hex(3)}"


async def comes_to_rest(system: System, what: str, orders: list[Ready]) -> None:
    """Asserts that every order got its deed once, and that no invariant is broken."""
    await system.quiet()
    evidence, verdict = await system.verdict()
    again = sum(intent.claims > 1 for intent in evidence.books.intents)
    print(
        f"{what}: kills {system.take_kills()}, orders {len(orders)}, tasks claimed again {again}, "
        f"refunds {len(evidence.books.refunds)}, captures {len(evidence.ledger.captures)}, "
        f"lost {verdict.count('lost')}, doubled {verdict.count('doubled')}"
    )
    for finding in verdict.broken:
        print(f"  {finding}")
    assert [finding.invariant for finding in verdict.broken] == []
    references = {order.id: order.our_order for order in evidence.ledger.orders}
    charges = {c.charge_id: references[c.provider_order_id] for c in evidence.ledger.captures}
    captures, refunds = (
        Counter(charges.values()),
        Counter(charges[refund.charge_id] for refund in evidence.ledger.given_back),
    )
    wanted = {"refund": (1, 1), "capture": (1, 0), "approval": (1, 0), "surplus": (2, 1)}
    for order in orders:
        order_id = order.order.wish.order_id
        assert (captures[order_id], refunds[order_id]) == wanted.get(order.deed, (0, 0)), order_id


async def starts_to_die(system: System, place: str, nth: int) -> None:
    """A payments service that dies at its nth pass of this place; perhaps before it is ready."""
    with suppress(StackError):
        await system.start("payments", FAILPOINT=f"{place}:exit@{nth}")


async def test_payments_dies_around_every_call_that_moves_money(system: System, till: Till) -> None:
    """Such calls are under way at every provider that has them whenever the process dies."""
    places = PLACES * REPEATS
    prepared = await asyncio.gather(
        *(round_of(till, name(f"k{n}"), deeds) for n, (_, deeds) in enumerate(places))
    )
    acting: list[asyncio.Task[None]] = []
    for n, ((place, _), orders) in enumerate(zip(places, prepared, strict=True)):
        await starts_to_die(system, place, 1 + n // len(PLACES) % 2)
        acting += [asyncio.create_task(order.act()) for order in orders]
        await system.dies_at("payments", place)
    await system.start("payments")
    await asyncio.gather(*acting)
    await comes_to_rest(system, "killed around calls", [o for orders in prepared for o in orders])


async def test_answers_to_every_call_that_moves_money_get_lost(system: System, till: Till) -> None:
    """The provider acts, and nobody hears of it but by asking."""
    await system.start("payments")
    orders = await round_of(till, name("lost"))
    struck = len((await system.simulator("GET", "/_sim/faults/log"))["faults"])
    lose = [{"path": path, "next": [{"do": "act_then_drop", "times": REPEATS}]} for path in WRITES]
    await system.simulator("PUT", "/_sim/faults", {"seed": 1, "api": lose})
    await asyncio.gather(*(order.act() for order in orders))
    bites = (await system.simulator("GET", "/_sim/faults/log"))["faults"][struck:]
    await system.simulator("DELETE", "/_sim/faults")
    assert len(bites) >= len(WRITES), bites
    await comes_to_rest(system, f"{len(bites)} answers lost", orders)


async def test_a_frozen_worker_wakes_up_after_another_did_its_task(system: System, till: Till) -> None:
    """One stops before its call, one after it; both come back when a third has long done the work."""
    orders = await round_of(till, name("frozen"))
    await system.start("payments", FAILPOINT="tasks.claimed/refund:freeze@1")
    await system.start("payments", 2, FAILPOINT="tasks.performed/refund:freeze@1")
    acting = [asyncio.create_task(order.act()) for order in orders]
    await system.freezes_at("payments", "tasks.claimed/refund")
    await system.freezes_at("payments-2", "tasks.performed/refund")
    await system.start("payments", 3)
    await asyncio.gather(*acting)
    for frozen in ("payments", "payments-2"):
        await asyncio.to_thread(system.stack.thaw, frozen)
    await comes_to_rest(system, "two frozen workers", orders)
    for extra in ("payments-2", "payments-3"):
        await asyncio.to_thread(system.stack.stop_part, extra)


async def test_thirty_refunds_at_once_give_back_what_fits(system: System, till: Till) -> None:
    """Sixty percent each: one is done; the others are told what is left."""
    await system.start("payments")
    wishes = [Wish(name(f"30-{p}"), p, *PRICE[p]) for p in PROVIDERS]
    orders = await asyncio.gather(*(till.paid(wish) for wish in wishes))
    for wish in wishes:
        part = wish.amount * 6 // 10
        keys = [f"{wish.order_id}-{n}" for n in range(AT_ONCE)]
        asked = await asyncio.gather(*(till.calls.refund(wish, key, part) for key in keys))
        said = Counter(str(o.answer.get("code", o.outcome)) for o in asked)
        assert said == {"ok": 1, "refund-exceeds-remaining": AT_ONCE - 1}
        assert {o.answer.get("refundable") for o in asked} == {wish.amount - part}
    await comes_to_rest(system, "30 at once", [Ready(till, "refund", order) for order in orders])


async def test_thirty_askers_with_one_key_get_one_answer(system: System, till: Till) -> None:
    """To the last byte, and one refund."""
    wishes = [Wish(name(f"1k-{p}"), p, *PRICE[p]) for p in PROVIDERS]
    orders = await asyncio.gather(*(till.paid(wish) for wish in wishes))
    url = f"{system.shop.gateway}/api/payments/refund"
    for wish in wishes:
        headers = {"authorization": f"Bearer {system.shop.api_key}", "idempotency-key": wish.order_id}
        body = {"orderId": wish.order_id, "amount": wish.amount * 6 // 10}

        async def ask(body: dict[str, object] = body, headers: dict[str, str] = headers) -> bytes:
            while True:
                async with till.calls.session.post(url, json=body, headers=headers) as response:
                    answer = await response.read()
                    if response.status == 201:
                        return answer
                    assert (await response.json())["retryable"], answer
                await asyncio.sleep(0.1)

        assert len(set(await asyncio.gather(*(ask() for _ in range(AT_ONCE))))) == 1
    await comes_to_rest(system, "30 with one key", [Ready(till, "refund", order) for order in orders])
