"""Reads the independent books: the providers' ledger, the topics, our database, the mailbox."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer

from devstack.database_server import DATABASE
from devstack.stack import Stack

Json = dict[str, Any]


@dataclass
class Taken:
    """One capture in a provider's own ledger, and what became of its money; minor units."""

    provider: str
    provider_order_id: str
    charge_id: str
    amount: int
    refunded: int = 0
    disputed: int = 0  # held or lost by a dispute

    @property
    def kept(self) -> int:
        return self.amount - self.refunded - self.disputed


@dataclass
class Books:
    """What each of them says, gathered after the day has come to rest."""

    taken: dict[str, list[Taken]]  # provider order id → captures
    made: Counter[str]  # our reference → orders that the provider made for it
    events: list[Json]  # payments.events, from the first on
    mails: list[Json]
    orders_of: dict[str, list[str]]  # our order → its orders at providers
    pending: int
    parked: int
    webhooks: Counter[str]  # state → deliveries
    archived: int  # webhooks that we keep
    accepted: int  # distinct webhooks that were answered 2xx
    bites: Counter[str] = field(default_factory=Counter)  # faults that really struck

    def of(self, order_id: str, kind: str) -> list[Json]:
        """The events of one order and type, each once."""
        found = {
            e["id"]: e for e in self.events if e["subject"] == order_id and e["type"] == f"payments.{kind}.v1"
        }
        return list(found.values())

    def taken_for(self, order_id: str) -> list[Taken]:
        """Everything that providers took for one of our orders."""
        return [t for ref in self.orders_of.get(order_id, []) for t in self.taken.get(ref, [])]


async def read(stack: Stack, session: aiohttp.ClientSession) -> Books:
    """All books, read by the shortest way there is."""
    wiring = stack.wiring
    ledger: Json = await _json(session, f"{wiring.simulator_url}/_sim/ledger")
    mails = await _json(session, f"{wiring.mailbox_url}/api/messages")
    taken: dict[str, list[Taken]] = {}
    for row in [*_razorpay(ledger["razorpay"]), *_stripe(ledger["stripe"]), *_paypal(ledger["paypal"])]:
        taken.setdefault(row.provider_order_id, []).append(row)
    orders_of, pending, parked, archived = await _database(stack)
    made = [o["receipt"] for o in ledger["razorpay"]["orders"]]
    made += [i["metadata"].get("reference") or i["id"] for i in ledger["stripe"]["payment_intents"]]
    made += [o["invoice_id"] or o["id"] for o in ledger["paypal"]["orders"]]
    return Books(
        taken=taken,
        made=Counter(made),
        events=await _events(stack),
        mails=mails,
        orders_of=orders_of,
        pending=pending,
        parked=parked,
        webhooks=Counter(w["state"] for w in ledger["webhooks"]),
        archived=archived,
        accepted=sum(any(t["status"] in range(200, 300) for t in w["tries"]) for w in ledger["webhooks"]),
        bites=Counter(f["what"] for f in ledger["faults"]),
    )


def _razorpay(book: Json) -> list[Taken]:
    back = Counter[str]()
    for refund in book["refunds"]:
        back[refund["payment_id"]] += refund["amount"] * (refund["status"] != "failed")
    held = Counter[str]()
    for dispute in book["disputes"]:
        held[dispute["payment_id"]] += dispute["amount_deducted"]
    return [
        Taken(
            "razorpay",
            c["order_id"],
            c["payment_id"],
            c["amount"],
            back[c["payment_id"]],
            held[c["payment_id"]],
        )
        for c in book["captures"]
    ]


def _stripe(book: Json) -> list[Taken]:
    back, held = Counter[str](), Counter[str]()
    for refund in book["refunds"]:
        back[refund["charge_id"]] += refund["amount"] * (refund["status"] in ("succeeded", "pending"))
    for dispute in book["disputes"]:
        gone = dispute["status"] in ("needs_response", "under_review", "lost")
        held[dispute["charge_id"]] += dispute["amount"] * gone
    return [
        Taken("stripe", c["intent_id"], c["id"], c["amount_captured"], back[c["id"]], held[c["id"]])
        for c in book["charges"]
        if c["captured"] and c["status"] == "succeeded"
    ]


def _paypal(book: Json) -> list[Taken]:
    back, held = Counter[str](), Counter[str]()
    for refund in book["refunds"]:
        back[refund["capture_id"]] += refund["amount"] * (refund["status"] in ("COMPLETED", "PENDING"))
    for dispute in book["disputes"]:
        for move in dispute["movements"]:
            held[dispute["capture_id"]] += move["amount"] * (1 if move["type"] == "DEBIT" else -1)
    return [
        Taken("paypal", c["order_id"], c["id"], c["amount"], back[c["id"]], held[c["id"]])
        for c in book["captures"]
        if c["status"] in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED")
    ]


async def _json(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        answer.raise_for_status()
        return await answer.json()


async def _database(stack: Stack) -> tuple[dict[str, list[str]], int, int, int]:
    """(orders at providers by our order, events that have not left, parked messages, webhooks kept)."""
    url = stack.wiring.database.url("postgres", DATABASE, driver="postgresql")
    connection = await asyncpg.connect(url)
    try:
        pending = parked = 0
        for schema in ("payments", "notifier", "reconciler", "gateway"):
            pending += await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox_pending")  # noqa: S608
            parked += await connection.fetchval(
                f"SELECT count(*) FROM {schema}.inbox WHERE outcome = 'parked'"  # noqa: S608 - fixed names
            )
        rows = await connection.fetch(
            "SELECT order_id, provider_order_id FROM payments.payment_attempts WHERE provider_order_id <> ''"
        )
        orders: dict[str, list[str]] = {}
        for row in rows:
            orders.setdefault(row["order_id"], []).append(row["provider_order_id"])
        archived = await connection.fetchval("SELECT count(*) FROM payments.provider_events")
        return orders, pending, parked, archived
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
