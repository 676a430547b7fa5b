"""Kafka from outside: every record of a topic from its first, and how far each group has come."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.chaos.checker.evidence import Position, Record

START_TIMEOUT_S = 10.0  # a client that met a broker just coming back has been seen to hang
TOPICS = (
    "orders.events",
    "payments.commands",
    "payments.webhooks",
    "payments.events",
    "notifier.events",
    "reconciler.events",
    "reconciler.commands",
)  # replies are answers to those who wait: they are kept for minutes and may be lost
GROUPS = {
    "payments.payments.commands": "payments.commands",
    "payments.payments.webhooks": "payments.webhooks",
    "payments.orders.events": "orders.events",
    "notifier.orders.events": "orders.events",
    "notifier.payments.events": "payments.events",
    "gateway.payments.events": "payments.events",
    "reconciler.payments.events": "payments.events",
    "reconciler.reconciler.commands": "reconciler.commands",
}


async def read_topics(
    bootstrap: str, topics: Sequence[str] = TOPICS, start: dict[tuple[str, int], int] | None = None
) -> tuple[Record, ...]:
    """Every record from the first (or from `start`) up to the end as it is now."""
    async with _clients(bootstrap) as (admin, consumer):
        places = await _places(admin, topics)
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        reached = {place: await consumer.position(place) for place in places}  # a seek before this is undone
        for place, offset in (start or {}).items():
            if offset > reached[TopicPartition(*place)]:
                consumer.seek(TopicPartition(*place), offset)
                reached[TopicPartition(*place)] = offset
        records: list[Record] = []
        while behind := [place for place in places if reached[place] < ends[place]]:
            for place, batch in (await consumer.getmany(*behind, timeout_ms=1000)).items():
                records += [_record(raw) for raw in batch if raw.offset < ends[place]]
                reached[place] = batch[-1].offset + 1
        return tuple(records)


async def read_positions(bootstrap: str, groups: Mapping[str, str] = GROUPS) -> tuple[Position, ...]:
    """Committed offset and end of every partition of every group."""
    async with _clients(bootstrap) as (admin, consumer):
        places = await _places(admin, set(groups.values()))
        ends = await consumer.end_offsets(places)
        found: list[Position] = []
        for group, topic in groups.items():
            done = await admin.list_consumer_group_offsets(group)
            for place in (p for p in places if p.topic == topic):
                committed = max(0, done[place].offset) if place in done else 0
                found.append(Position(group, topic, place.partition, committed, ends[place]))
        return tuple(found)


async def _places(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    """All partitions of those topics that exist."""
    existing = sorted(set(await admin.list_topics()) & set(topics))
    described = await admin.describe_topics(existing) if existing else []
    return sorted(TopicPartition(t["topic"], p["partition"]) for t in described for p in t["partitions"])


@asynccontextmanager
async def _clients(bootstrap: str) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with AsyncExitStack() as open_ones:
        for client, end in ((admin, admin.close), (consumer, consumer.stop)):
            open_ones.push_async_callback(end)
            await asyncio.wait_for(client.start(), START_TIMEOUT_S)
        yield admin, consumer


def _record(raw: "ConsumerRecord[bytes, bytes]") -> Record:
    key, value = (raw.key or b"").decode(errors="replace"), raw.value or b""
    return Record(raw.topic, raw.partition, raw.offset, key, value, _decoded(value))


def _decoded(value: bytes) -> dict[str, Any]:
    try:
        message = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
