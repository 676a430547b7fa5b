"""Broker, database and provider fail under load, or lie; nothing is lost or doubled."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.chaos.outcome import settle
from tests.chaos.system import System, running
from tests.chaos.wish import Habits
from tests.chaos.workload import Workload

SEED = int(os.environ.get("CHAOS_SEED", "20250812"))
SEEDS = [SEED + n for n in range(10 if os.environ.get("SOAK") else 1)]
TIME_SCALE = 60  # what no webhook tells is looked for after 5 s and 15 s
UNDER_WAY_MIN = 20
HTTP_OK = 200
KILLS = 10 if os.environ.get("SOAK") else 1

HOSTILE = {
    "draw_by": "order",
    "webhooks": {
        "drop": 0.15, "duplicate": 0.3, "copies": 3, "reorder": 0.3, "delay": 0.3, "delay_s": [0, 2],
    },
    "api": [
        {"path": "POST /v1/orders", "act_then_drop": 0.15, "drop_before": 0.1, "status_500": 0.05,
         "status_502": 0.05, "before": 0.5, "delay": 0.2, "delay_s": [0, 0.5],
         # paid, and the webhooks on their way, before the create is answered
         "next": [{"do": "hold", "times": 5, "delay_s": 1, "pay": {"method": "upi"}}]},
        {"path": "POST /v1/payments/*", "act_then_drop": 0.3, "status_502": 0.1},
        {"path": "POST /stripe/v1/payment_intents", "act_then_drop": 0.15, "status_500": 0.05,
         "status_502": 0.05},
        {"path": "POST /stripe/v1/*", "act_then_drop": 0.3, "status_502": 0.1},
        {"path": "POST /v2/*", "act_then_drop": 0.2, "status_502": 0.1, "before": 0.5},
        {"path": "GET /stripe/v1/*", "act_then_drop": 0.05, "status_500_html": 0.05, "status_429": 0.02},
        {"path": "GET /v2/*", "act_then_drop": 0.05, "status_500_html": 0.05, "status_429": 0.02},
        {"path": "GET /v1/*", "act_then_drop": 0.05, "status_500_html": 0.05, "status_502": 0.05,
         "status_429": 0.02},
    ],
    "late_authorization": {"probability": 0.1, "after_s": [60, 900]},
}  # fmt: skip
MUST_BITE = {
    "drop", "duplicate", "reorder", "delay", "act_then_drop", "drop_before", "status_500", "status_502",
    "late_authorization", "hold",
}  # fmt: skip

pytestmark = pytest.mark.timeout(600 if KILLS == 1 else 3600)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("surroundings"), time_scale=TIME_SCALE) as started:
        yield started


async def test_broker_dies_and_the_gateway_while_it_waits(system: System) -> None:
    """What was accepted is done, what was refused is asked again; a webhook is never answered too early."""
    async with Workload(system.shop, SEED) as load:
        for _ in range(KILLS):
            await load.bought(15)
            await load.wait_at_the_till(UNDER_WAY_MIN)
            await system.kill("kafka")
            load.may_pay.set()  # the provider works: its webhooks find a gateway without Kafka
            await load.refused(5)
            await system.kill("gateway")
            await system.revive("kafka", "gateway")
            await load.bought(15)
        await settle(system, load, "broker killed, then the gateway")
    webhooks = (await system.simulator("GET", "/_sim/ledger"))["webhooks"]
    refused = [w for w in webhooks if any(t["status"] != HTTP_OK for t in w["tries"])]
    assert refused, "no webhook found the gateway without Kafka"
    assert {w["state"] for w in refused} == {"delivered"}


async def test_database_dies_and_comes_back(system: System) -> None:
    """Consumers wait for it and go on where they were; what was committed is there."""
    async with Workload(system.shop, SEED + 1) as load:
        for _ in range(KILLS):
            await load.bought(15)
            assert len(load.under_way) >= UNDER_WAY_MIN
            await system.kill("postgres")
            await system.unready("payments")
            await system.revive("postgres")
            await load.bought(15)
        await settle(system, load, "database killed")


@pytest.mark.parametrize("seed", SEEDS)
async def test_hostile_provider(system: System, seed: int) -> None:
    """Webhooks come twice, late, in another order or never; calls act and do not answer, or lie."""
    print(f"seed {seed}")
    await system.simulator("PUT", "/_sim/faults", {"seed": seed, **HOSTILE})
    struck = len((await system.simulator("GET", "/_sim/faults/log"))["faults"])
    # A second payment whose webhooks are all dropped is the reconciler's to find, at the day's end.
    async with Workload(system.shop, seed, habits=Habits(pay_twice=0.0)) as load:
        await load.bought(100, timeout_s=240)
        bites = (await system.simulator("GET", "/_sim/faults/log"))["faults"][struck:]
        await system.simulator("DELETE", "/_sim/faults")
        kinds = Counter(bite["what"] for bite in bites)
        repeated = await settle(system, load, f"hostile provider, {dict(kinds)}")
    assert set(kinds) >= MUST_BITE
    assert repeated["webhooks"] > 0
