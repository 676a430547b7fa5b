"""A bug in the loop itself: told, and the same batch again; no later one passes it (fault F16)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from shared.consume import Loop
from shared.health import Health
from shared.kafka import ORDERS_EVENTS


@pytest.fixture
def loop() -> Loop[Any]:
    applier: Any = SimpleNamespace(consumer="loop", engine=None)
    catalogue: Any = None
    return Loop(ORDERS_EVENTS, applier, catalogue, Health())


async def test_a_batch_comes_again_after_a_bug_until_it_is_settled(loop: Loop[Any]) -> None:
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise KeyError("a bug")

    settling = asyncio.create_task(loop.until_settled(work))
    while not tries:
        await asyncio.sleep(0)
    assert "a bug in the loop: KeyError" in loop.health.problems["loop"]
    await asyncio.wait_for(settling, 5)
    assert tries == 2


async def test_a_stop_does_not_wait_for_a_bug_to_go_away(loop: Loop[Any]) -> None:
    async def work() -> None:
        raise KeyError("a bug")

    settling = asyncio.create_task(loop.until_settled(work))
    await asyncio.sleep(0)
    loop.stop()
    await asyncio.wait_for(settling, 5)
    assert "a bug in the loop" in loop.health.problems["loop"]
