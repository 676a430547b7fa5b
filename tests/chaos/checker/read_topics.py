"""Kafka from outside: every record of a topic from its first, and how far each group has come."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.chaos.checker.evidence import Position, Record

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
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        places = await _places(consumer, topics)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        for place in places:
            consumer.seek(place, max(begins[place], (start or {}).get(tuple(place), 0)))
        records: list[Record] = []
        reached = {place: await consumer.position(place) for place in places}
        while behind := [place for place in places if reached[place] < ends[place]]:
            for place, batch in (await consumer.getmany(*behind, timeout_ms=1000)).items():
                records += [_record(raw) for raw in batch if raw.offset < ends[place]]
                reached[place] = batch[-1].offset + 1
        return tuple(records)
    finally:
        await consumer.stop()


async def read_positions(bootstrap: str) -> tuple[Position, ...]:
    """Committed offset and end of every partition of every group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await admin.start()
    try:
        await consumer.start()
        try:
            places = await _places(consumer, sorted(set(GROUPS.values())))
            ends = await consumer.end_offsets(places)
            found: list[Position] = []
            for group, topic in GROUPS.items():
                done = await admin.list_consumer_group_offsets(group)
                for place in (p for p in places if p.topic == topic):
                    committed = max(0, done[place].offset) if place in done else 0
                    found.append(Position(group, topic, place.partition, committed, ends[place]))
            return tuple(found)
        finally:
            await consumer.stop()
    finally:
        await admin.close()


async def _places(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    existing = await consumer.topics()  # also fetches what is known of their partitions
    return [
        TopicPartition(topic, partition)
        for topic in topics
        if topic in existing
        for partition in sorted(consumer.partitions_for_topic(topic) or ())
    ]


def _record(raw: "ConsumerRecord[bytes, bytes]") -> Record:
    key, value = (raw.key or b"").decode(errors="replace"), raw.value or b""
    return Record(raw.topic, raw.partition, raw.offset, key, value, _decoded(value))


def _decoded(value: bytes) -> dict[str, Any]:
    try:
        message = json.loads(value)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
