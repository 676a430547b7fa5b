"""What is measured, in which order, on the engines of one stack."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from bench import create_order, limits, seed, webhooks
from bench.children import child, server
from bench.load import Spec, command
from bench.machine import Meter
from bench.webhooks import Target
from bench.workload import order_id
from devstack.ports import HOST
from devstack.stack import Stack
from shared.kafka import PAYMENTS_EVENTS

PROVIDER_S = 0.05  # what the provider takes for each create-order
PEER_WORKERS = 2  # one for each core: what is usual, and its best here
PER_S_MAX = 9_000  # more than any run reaches: so many orders are prepared for each second
LIGHT_PER_S = 50.0
CREATED = 200  # create-orders that are measured
LIMITS_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds."""

    warm_up: float
    load: float


class Numbers:
    """Hands out order numbers, so that no two loads share an order."""

    def __init__(self) -> None:
        self._next = 1

    def take(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        return first


async def measure(stack: Stack, chosen: frozenset[str], durations: Durations, say: Say) -> dict[str, Any]:
    """Everything that was chosen; the system and the peer right after each other."""
    found: dict[str, Any] = {}
    numbers = Numbers()
    if chosen & {"system", "orders"}:
        say("starting gateway and payments")
        async with AsyncExitStack() as parts:
            provider = await parts.enter_async_context(_provider(stack))
            target = await parts.enter_async_context(_paystream(stack))
            if "orders" in chosen:
                say("create-order")
                shop = create_order.paystream(stack.wiring.gateway_url, stack.wiring.secrets["shop_api_key"])
                found["create_order"] = await create_order.run(shop, provider, numbers.take(10_000), CREATED)
            if "system" in chosen:
                found["system"] = await _loads(target, numbers, durations, say)
    if "peer" in chosen:
        say("starting the peer")
        async with AsyncExitStack() as parts:
            provider = await parts.enter_async_context(_provider(stack))
            target = await parts.enter_async_context(_peer(stack, provider))
            found["peer"] = await _loads(target, numbers, durations, say)
            if "orders" in chosen:
                say("the peer's create-order")
                first = numbers.take(10_000)
                await target.fill(first, 1_000)
                shop = create_order.peer(f"http://{HOST}:{target.port}", order_id)
                found["peer_create_order"] = await create_order.run(shop, provider, first, CREATED)
    if "limits" in chosen:
        found["limits"] = await _limits(stack, say)
    return found


async def _loads(target: Target, numbers: Numbers, durations: Durations, say: Say) -> dict[str, Any]:
    """As much as it takes, half of that, and light load. Warm first: a cold broker is a third slower."""

    async def load(seconds: float, rate: float = 0.0) -> webhooks.Result:
        count = int(seconds * (rate or PER_S_MAX)) + 1
        return await webhooks.run(target, numbers.take(count), count, seconds, rate)

    if durations.warm_up:
        say(f"{target.name}: warming up")
        await load(durations.warm_up)
    say(f"{target.name}: as many webhooks as it takes")
    full = await load(durations.load)
    say(f"{target.name}: half of {full.published_per_s:.0f} webhooks per second")
    half = await load(durations.load, full.published_per_s / 2)
    say(f"{target.name}: {LIGHT_PER_S:.0f} webhooks per second")
    light = await load(durations.load, LIGHT_PER_S)
    return {"full": full, "half": half, "light": light}


# --- the system ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def _provider(stack: Stack) -> AsyncIterator[str]:
    address = f"http://{HOST}:{stack.ports.simulator}"
    arguments = ["bench.provider", str(stack.ports.simulator), str(PROVIDER_S)]
    async with server(arguments, address):
        yield address


@asynccontextmanager
async def _paystream(stack: Stack) -> AsyncIterator[Target]:
    """Gateway and payments as their own processes, and one real order to copy."""
    unlimited = {
        "GATEWAY_LIMITS__CLIENT_PER_MINUTE": "1000000",
        "GATEWAY_LIMITS__ORDER_PER_MINUTE": "1000000",
    }
    quiet = {"GATEWAY_LOG__LEVEL": "WARNING", "PAYMENTS_LOG__LEVEL": "WARNING"}
    for service in ("payments", "gateway"):
        stack.start_service(service, env=unlimited | quiet)
    wiring = stack.wiring
    admin = wiring.database.url("postgres", driver="postgresql")
    async with aiohttp.ClientSession() as http:
        key = wiring.secrets["shop_api_key"]
        token = await create_order.place_order(http, wiring.gateway_url, key, seed.TEMPLATE)
        await create_order.create_payment(http, wiring.gateway_url, seed.TEMPLATE, token)
    template = await seed.read_template(admin)

    async def fill(first: int, count: int) -> None:
        await seed.copy_orders(admin, template, first, count)

    async def applied(first: int, count: int) -> seed.Applied:
        return await seed.applied(admin, first, count)

    yield Target(
        name="paystream",
        port=stack.ports.http("gateway") or 0,
        account=wiring.secrets["razorpay_account"],
        webhook_secret=wiring.secrets["razorpay_webhook_secret"],
        pids=_pids(stack, "gateway", "payments", "kafka", "postgres"),
        fill=fill,
        applied=applied,
        subscriber=lambda out: _subscriber(stack, out),
    )
    for service in ("gateway", "payments"):
        stack.stop_part(service)


def _subscriber(stack: Stack, out: Path) -> list[str]:
    topic, partitions = stack.options.topic_prefix + PAYMENTS_EVENTS.name, str(PAYMENTS_EVENTS.partitions)
    listen = [sys.executable, "-m", "bench.subscriber", stack.wiring.bootstrap]
    return [*listen, topic, partitions, str(out)]


def _pids(stack: Stack, *names: str) -> dict[str, int]:
    return {name: pid for name in names if (pid := stack.process(name).pid) is not None}


# --- the peer ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def _peer(stack: Stack, provider: str) -> AsyncIterator[Target]:
    """The peer with a database of its own in the same server."""
    database = stack.wiring.database
    database.sql("DROP DATABASE IF EXISTS bench_peer WITH (FORCE)")
    database.sql("CREATE DATABASE bench_peer")
    plain = database.url("postgres", "bench_peer", driver="postgresql")
    secret = stack.wiring.secrets["razorpay_webhook_secret"]
    os.environ |= {
        "PEER_DATABASE_URL": database.url("postgres", "bench_peer"),
        "PEER_WEBHOOK_SECRET": secret,
        "PEER_PROVIDER_URL": provider,
    }
    from bench.peer import Base  # noqa: PLC0415 - it reads its settings when it is imported

    engine = create_async_engine(os.environ["PEER_DATABASE_URL"])
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
    port = stack.ports.shop

    async def fill(first: int, count: int) -> None:
        await seed.fill_peer(plain, first, count)

    async def applied(first: int, count: int) -> seed.Applied:
        return await seed.applied_by_peer(plain, first, count)

    arguments = ["bench.peer", str(port), str(PEER_WORKERS)]
    async with server(arguments, f"http://{HOST}:{port}/health", os.environ) as pid:
        yield Target(
            name="the peer",
            port=port,
            account=stack.wiring.secrets["razorpay_account"],
            webhook_secret=secret,
            pids={"peer": pid} | _pids(stack, "postgres"),
            fill=fill,
            applied=applied,
        )


# --- the machine's own limits ------------------------------------------------------------------------------


async def _limits(stack: Stack, say: Say) -> dict[str, Any]:
    say("bare HTTP")
    port = stack.ports.shop
    spec = Spec(port, "acc_BenchLimits01", "a secret of the bench", 1, 80_000, LIMITS_S, os.devnull)
    async with server(["bench.limits", "http", str(port)], f"http://{HOST}:{port}") as pid:
        meter = Meter({"uvicorn": pid})
        async with child(command(spec)) as load:
            meter.start()
            summary = await load.ask("go")
            meter.stop()
    http = summary["sent"] / (summary["last"] - summary["first"])
    say("bare Kafka")
    produced = await limits.bare_produce(stack.wiring.bootstrap, "bench.limits", LIMITS_S)
    say("database work in batches")
    database = stack.wiring.database
    database.sql("DROP DATABASE IF EXISTS bench_limits WITH (FORCE)")
    database.sql("CREATE DATABASE bench_limits")
    url = database.url("postgres", "bench_limits", driver="postgresql")
    written = await limits.database_batches(url, LIMITS_S)
    version = await _version(url)
    return {
        "bare_http_per_s": round(http),
        "bare_http_cpu_ms": meter.ms_each(summary["sent"])["uvicorn"],
        "bare_produce_per_s": round(produced),
        "database_batches_per_s": round(written),
        "postgresql": version,
    }


async def _version(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SHOW server_version"))
    finally:
        await connection.close()
