"""Slots: a slow provider holds its share, and never what captures and refunds need."""

import asyncio
import threading

import msgspec
import pytest

from services.payments.shares import Shares
from services.payments.tasks import SLOTS
from shared.messages.facts import CloseDue
from shared.providers.razorpay.calls import Calls
from shared.tasks import Answered, ClaimedTask, Later

DONE = Answered(CloseDue(order_id="order-1"))


def task(kind: str, provider: str) -> ClaimedTask:
    payload = msgspec.json.encode({"provider": provider, "order_id": "order-1"})
    return ClaimedTask(1, kind, "key", "order-1", payload, 1)


async def _crowd(shares: Shares, wanted: list[ClaimedTask]) -> list[Answered | Later]:
    """What each task hears, when all run at once and none of them ends."""
    ends = asyncio.Event()

    async def slow(_task: ClaimedTask, /) -> Answered | Later:
        await ends.wait()
        return DONE

    running = [asyncio.create_task(_perform(shares, slow, t)) for t in wanted]
    await asyncio.sleep(0)
    ends.set()
    return await asyncio.gather(*running)


async def _perform(shares: Shares, performer: object, wanted: ClaimedTask) -> Answered | Later:
    return await shares.limited(performer)(wanted)  # type: ignore[arg-type] # a plain function is a performer


def test_one_of_several_providers_never_holds_every_slot_of_a_kind() -> None:
    wanted = [task("look", "razorpay")] * SLOTS["look"] + [task("look", "stripe")]
    heard = asyncio.run(_crowd(Shares(SLOTS, providers=2), wanted))
    put_back = [h for h in heard if isinstance(h, Later)]
    assert 0 < len(put_back) < SLOTS["look"]
    assert heard[-1] == DONE, "the other one has its slot"
    assert all(h.unbegun for h in put_back), "being put back is no try: nothing was sent"


def test_the_only_provider_may_hold_all() -> None:
    wanted = [task("look", "razorpay")] * SLOTS["look"]
    assert asyncio.run(_crowd(Shares(SLOTS, providers=1), wanted)) == [DONE] * SLOTS["look"]


def test_a_slot_is_free_again_after_a_call_that_failed() -> None:
    shares = Shares({"look": 1}, providers=1)

    async def fails(_task: ClaimedTask, /) -> Answered | Later:
        raise ZeroDivisionError

    async def works(_task: ClaimedTask, /) -> Answered | Later:
        return DONE

    with pytest.raises(ZeroDivisionError):
        asyncio.run(_perform(shares, fails, task("look", "razorpay")))
    assert asyncio.run(_perform(shares, works, task("look", "razorpay"))) == DONE


def test_a_capture_finds_a_thread_while_every_other_slot_waits_for_a_slow_provider() -> None:
    """Razorpay's SDK blocks a thread per call: there are as many as there are slots."""
    calls = Calls("rzp_test_x", "k" * 20, "http://127.0.0.1:9", timeout_s=1)
    held, ends = threading.Semaphore(0), threading.Event()

    def slow(_client: object, _options: object) -> str:
        held.release()
        ends.wait(20)
        return "slow"

    async def scene() -> str:
        others = sum(number for kind, number in SLOTS.items() if kind not in ("capture", "refund"))
        waiting = [asyncio.create_task(calls.run(slow, writes=False)) for _ in range(others)]
        for _ in range(others):
            assert await asyncio.to_thread(held.acquire, timeout=5), "each of them has a thread"
        try:
            async with asyncio.timeout(5):
                return await calls.run(lambda _client, _options: "captured", writes=True)
        finally:
            ends.set()
            await asyncio.gather(*waiting)

    try:
        assert asyncio.run(scene()) == "captured"
    finally:
        calls.close()
