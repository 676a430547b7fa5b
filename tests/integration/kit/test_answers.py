"""Stored answers: one idempotency key, one effect, one answer, whoever asks and however often (S11)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from shared.apply import Applier
from shared.decision import Answer
from shared.messages.base import IdempotencyKey
from shared.service import Kit
from tests.integration.kit.example.messages import Deposit, PayOut, Withdraw
from tests.integration.kit.parts import apply, loop_of, parts
from tests.integration.kit.system import System, command

Kits = tuple[Kit, Kit]


@pytest.fixture
async def kits(system: System) -> AsyncIterator[Kits]:
    async with parts(system, "1") as one, parts(system, "2", migrate=False) as two:
        yield one, two


class Replies(list[Answer]):
    """What was sent to whoever waits."""

    def of(self, correlation_id: str) -> list[tuple[str, bytes]]:
        return [(a.code, a.answer) for a in self if a.correlation_id == correlation_id]


def listening(kit: Kit) -> tuple[Applier[Any], Replies]:
    replies = Replies()
    return replace(loop_of(kit).applier, reply=replies.extend), replies


def keyed(
    key: str, amount: int, correlation: str, account: str = "a", body: bytes = b""
) -> tuple[str, bytes]:
    idempotency = IdempotencyKey(principal="shop", key=key, fingerprint=body or str(amount).encode())
    message = Withdraw(account=account, amount=amount, idempotency=idempotency)
    return command(message, account, correlationid=correlation)


async def test_a_repeated_key_gets_the_stored_answer_and_acts_once(kits: Kits, system: System) -> None:
    one, replies = listening(kits[0])
    two, replies_two = listening(kits[1])
    await apply(one, command(Deposit(account="a", amount=100), "a"))
    await asyncio.gather(apply(one, keyed("k", 30, "r1")), apply(two, keyed("k", 30, "r2")))
    await apply(two, keyed("k", 30, "r3"), keyed("k", 30, "r4"))  # twice in one batch, too
    everything = Replies([*replies, *replies_two])
    assert everything.of("r1") == everything.of("r2") == everything.of("r3") == everything.of("r4")
    assert everything.of("r1") == [("ok", b'{"available":70}')]
    assert await system.value("SELECT sum(amount) FROM payouts") == 30


async def test_a_refusal_is_stored_too(kits: Kits) -> None:
    one, replies = listening(kits[0])
    await apply(one, keyed("k", 30, "r1"))
    await apply(one, command(Deposit(account="a", amount=100), "a"), keyed("k", 30, "r2"))
    assert replies.of("r1") == replies.of("r2") == [("insufficient", b'{"available":0}')]


async def test_a_key_used_for_something_else_is_refused_over_all_accounts(kits: Kits, system: System) -> None:
    one, replies = listening(kits[0])
    await apply(one, *(command(Deposit(account=a, amount=100), a) for a in ("a", "b")))
    await apply(one, keyed("k", 30, "r1"), keyed("k", 31, "other body"), keyed("k", 30, "other account", "b"))
    await apply(one, keyed("k", 31, "other body later"), keyed("k", 30, "other account later", "b"))
    assert replies.of("r1")[0][0] == "ok"
    for correlation in ("other body", "other account", "other body later", "other account later"):
        assert replies.of(correlation)[0][0] == "idempotency-key-reused"
    assert await system.value("SELECT sum(amount) FROM payouts") == 30


async def test_while_the_first_still_runs_a_repetition_is_told_so(kits: Kits, system: System) -> None:
    one, replies = listening(kits[0])
    await apply(one, command(Deposit(account="a", amount=100), "a"))
    idempotency = IdempotencyKey(principal="shop", key="k", fingerprint=b"1")
    pay_outs = [
        command(PayOut(account="a", amount=30, idempotency=idempotency), "a", correlationid=r)
        for r in ("r1", "r2", "r3")
    ]
    await apply(one, pay_outs[0], pay_outs[1])
    assert replies.of("r1") == []
    assert replies.of("r2")[0][0] == "in-progress"
    tasks = kits[0].tasks
    assert tasks
    claimed = (await tasks._claim())[0]
    tasks._busy[claimed.kind] += 1
    await tasks._perform(claimed, asyncio.get_running_loop().time())
    await apply(one, pay_outs[2])
    assert replies.of("r3") == [("ok", b'{"available":70}')]
    assert await system.value("SELECT count(*) FROM payouts") == 1


async def test_an_expired_command_does_nothing_and_leaves_its_key_free(kits: Kits, system: System) -> None:
    one, replies = listening(kits[0])
    await apply(one, command(Deposit(account="a", amount=100), "a"))
    key, value = keyed("k", 30, "r1")
    expired = value.replace(b'"data":', b'"expiresat":"2020-01-01T00:00:00Z","data":')
    await apply(one, (key, expired))
    assert replies.of("r1")[0][0] == "expired"
    assert await system.value("SELECT count(*) FROM stored_answers") == 0
    await apply(one, keyed("k", 30, "r2"))
    assert replies.of("r2")[0][0] == "ok"
