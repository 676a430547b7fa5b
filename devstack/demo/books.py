"""Reads the four independent books: the provider's ledger, the topics, our database, the mailbox."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer

from devstack.database_server import DATABASE
from devstack.stack import Stack

Json = dict[str, Any]


@dataclass
class Books:
    """What each of them says, gathered after the day has come to rest."""

    captures: Counter[str]  # provider order id → captures in the provider's own ledger
    captured_amount: dict[str, int]  # provider order id → minor units taken
    events: list[Json]  # payments.events, from the first on
    mails: list[Json]
    pending: int
    parked: int
    provider_orders: Counter[str]  # our reference → orders that the provider made for it
    bites: int  # faults that really struck

    def of(self, order_id: str, kind: str) -> list[Json]:
        """The events of one order and type."""
        return [e for e in self.events if e["subject"] == order_id and e["type"] == f"payments.{kind}.v1"]


async def read(stack: Stack, session: aiohttp.ClientSession) -> Books:
    """All four books, read by the shortest way there is."""
    wiring = stack.wiring
    ledger: Json = await _json(session, f"{wiring.simulator_url}/_sim/ledger")
    mails = await _json(session, f"{wiring.mailbox_url}/api/messages")
    razorpay = ledger["razorpay"]
    order_of = {p["id"]: p["order_id"] for p in razorpay["payments"]}
    captured: dict[str, int] = {}
    captures: Counter[str] = Counter()
    for payment in razorpay["payments"]:
        if payment.get("captured") or payment["status"] in ("captured", "refunded"):
            order = order_of[payment["id"]]
            captures[order] += 1
            captured[order] = captured.get(order, 0) + payment["amount"]
    pending, parked = await _database(stack)
    return Books(
        captures=captures,
        captured_amount=captured,
        events=await _events(stack),
        mails=mails,
        pending=pending,
        parked=parked,
        provider_orders=Counter(o["receipt"] for o in razorpay["orders"]),
        bites=len(ledger["faults"]),
    )


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return await answer.json()


async def _database(stack: Stack) -> tuple[int, int]:
    """(events that have not left, messages that were parked), over all services."""
    url = stack.wiring.database.url("postgres", DATABASE, driver="postgresql")
    connection = await asyncpg.connect(url)
    try:
        pending = parked = 0
        for schema in ("payments", "notifier", "reconciler", "gateway"):
            pending += await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox_pending")  # noqa: S608
            parked += await connection.fetchval(
                f"SELECT count(*) FROM {schema}.inbox WHERE outcome = 'parked'"  # noqa: S608 - fixed names
            )
        return pending, parked
    finally:
        await connection.close()


async def _events(stack: Stack) -> list[Json]:
    consumer = AIOKafkaConsumer(
        "payments.events",
        bootstrap_servers=stack.wiring.bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        while not consumer.assignment():
            await asyncio.sleep(0.05)
        ends = await consumer.end_offsets(list(consumer.assignment()))
        events: list[Json] = []
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            batch = await consumer.getmany(timeout_ms=500)
            events += [json.loads(r.value) for records in batch.values() for r in records]
        return events
    finally:
        await consumer.stop()
