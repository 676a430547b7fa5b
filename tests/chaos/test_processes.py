"""Processes die by SIGKILL exactly where it can hurt, with payments under way; nothing is lost or doubled."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from devstack.process import StackError
from tests.chaos.autopsy import Remains, autopsy
from tests.chaos.outcome import settle
from tests.chaos.system import SHORT_LEASES, System, running
from tests.chaos.wish import Habits
from tests.chaos.workload import Workload

SEED = 20_250_811
TIME_SCALE = 20  # the provider repeats a webhook after 1.5 s; an attempt lives 90 s
UNDER_WAY_MIN = 20
TRIES = 4  # a kill may meet the process at idle; what must be shown decides

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("crashes"), time_scale=TIME_SCALE, env=SHORT_LEASES) as started:
        yield started


@dataclass(frozen=True)
class Place:
    """A failpoint, at which pass it kills, and what the dead process must have left."""

    name: str
    nth: int
    left: Callable[[Remains], int] = lambda _: 1

    def __str__(self) -> str:
        return self.name


AFTER_ACCEPT = Place("gateway.after_accept", 150)  # its proof is what the clients repeat
MAILING = (
    Place("notifier.before_db_commit", 4, lambda r: r.uncommitted),  # with numbers taken and not yet given
    Place("notifier.after_smtp", 6, lambda r: r.mailed),
    Place("notifier.after_smtp", 6, lambda r: r.mailed),
)
WRITING = (
    Place("payments.before_db_commit", 25, lambda r: r.uncommitted),
    Place("payments.after_db_commit", 25, lambda r: r.repeated),
    Place("relay.after_publish", 25, lambda r: r.published),
)
CALLING = (
    Place("tasks.claimed", 25, lambda r: r.claimed),
    Place("tasks.performed", 25, lambda r: r.opened),
)


async def dies(system: System, service: str, place: Place, load: Workload) -> int:
    """Lets the service die at this place until that has left what it must; how much will be done again."""
    again = 0
    for _ in range(TRIES):
        with suppress(StackError):  # a busy one dies before it could say that it is ready
            await system.start(service, FAILPOINT=f"{place.name}:exit@{place.nth}")
        await system.dies_at(service, place.name)
        under_way = len(load.under_way)
        assert under_way >= UNDER_WAY_MIN, f"only {under_way} payments were under way"
        remains = await autopsy(system, service)
        again += remains.again
        system.mails_repeated_max += remains.mailed if service == "notifier" else 0
        print(f"  {place} died with {under_way} payments under way and left {remains}")
        if place.left(remains):
            return again
    raise AssertionError(f"{TRIES} deaths at {place} left nothing half done")


async def test_gateway_dies_between_kafkas_ack_and_its_answer(system: System) -> None:
    """Nobody was answered, Kafka has it: the client asks again, and there is one order, one attempt."""
    async with Workload(system.shop, SEED) as load:
        for _ in range(3):
            await dies(system, "gateway", AFTER_ACCEPT, load)
        await system.start("gateway")
        repeated = await settle(system, load, "gateway after Kafka's ack")
    assert load.unanswered > 0
    assert repeated["commands"] > 0


async def test_payments_dies_around_its_commits(system: System) -> None:
    """Before the database's commit, between that and the offset's, and after publishing."""
    async with Workload(system.shop, SEED + 1) as load:
        again = [await dies(system, "payments", place, load) for place in WRITING]
        await system.start("payments")
        repeated = await settle(system, load, "payments around its commits", sum(again))
    assert repeated["events"] > 0


async def test_payments_dies_around_its_calls_to_the_provider(system: System) -> None:
    """With a claimed task, and after the provider acted; then it is looked up, never done again."""
    async with Workload(system.shop, SEED + 2, habits=Habits(verify=0.0)) as load:
        again = [await dies(system, "payments", place, load) for place in CALLING]
        await system.start("payments")
        repeated = await settle(system, load, "payments around its calls", sum(again))
    assert repeated["tasks"] > 0


async def test_notifier_dies_while_it_numbers_and_after_the_mail_left(system: System) -> None:
    """Numbers stay gapless. A mail may come twice, with one number and one Message-ID; no other does."""
    async with Workload(system.shop, SEED + 3) as load:
        again = [await dies(system, "notifier", place, load) for place in MAILING]
        await system.start("notifier")
        repeated = await settle(system, load, "notifier numbering and mailing", sum(again))
    assert repeated["mails"] > 0


async def test_frozen_consumer_and_relay_wake_up_after_another_took_over(system: System) -> None:
    """A relay between publishing and deleting, a consumer between its two commits; both come back late."""
    await system.start("payments", FAILPOINT="relay.after_publish:freeze@40")
    await system.start("payments", 2, FAILPOINT="payments.after_db_commit:freeze@25")
    await system.start("payments", 3)
    async with Workload(system.shop, SEED + 4) as load:
        await system.freezes_at("payments", "relay.after_publish")
        await system.freezes_at("payments-2", "payments.after_db_commit")
        assert len(load.under_way) >= UNDER_WAY_MIN
        remains = await autopsy(system, "payments")
        print(f"  two of three froze with {len(load.under_way)} payments under way and left {remains}")
        assert remains.repeated > 0
        await system.took_over("payments-3", "relay", ["payments.payments.commands"])
        await load.bought(10)  # the third serves everyone, also those whose partitions the others had
        for name in ("payments", "payments-2"):
            await asyncio.to_thread(system.stack.thaw, name)
        repeated = await settle(system, load, "frozen consumer and relay", remains.again)
    for name in ("payments-2", "payments-3"):
        await asyncio.to_thread(system.stack.stop_part, name)
    assert repeated["events"] > 0


async def test_random_kills(system: System) -> None:
    """Any service, at any moment, again and again."""
    kills = 300 if os.environ.get("SOAK") else 4
    dice = random.Random(SEED)
    await system.start("payments")
    left = 0
    async with Workload(system.shop, SEED + 5) as load:
        for _ in range(kills):
            await load.bought(dice.randint(1, 15))
            service = dice.choice(("gateway", "payments", "payments", "notifier", "reconciler"))
            await asyncio.sleep(dice.uniform(0, 0.3))  # any moment, not only the one after a purchase
            assert len(load.under_way) >= UNDER_WAY_MIN
            await system.kill(service)
            remains = await autopsy(system, service)
            left += remains.again
            system.mails_repeated_max += remains.mailed if service == "notifier" else 0
            await system.revive(service)
        await settle(system, load, f"{kills} random kills (seed {SEED})", left)
