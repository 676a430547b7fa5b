"""One request on `privacy.commands`, the answers on `privacy.events`, and what topics still hold."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.desk import reach_kafka
from shared.envelope import decode, encode
from shared.kafka import (
    PERSONAL_TOPICS,
    PRIVACY_COMMANDS,
    PRIVACY_EVENTS,
    configs_of,
    connection_options,
    consumer_options,
)
from shared.messages.base import Catalogue, wrap
from shared.messages.privacy import ErasePersonalData, PersonalDataErased
from shared.publish import Publisher
from shared.settings import KafkaSettings

SERVICES = ("gateway", "payments", "notifier", "reconciler")
SEGMENT_MS = 7 * 24 * 3600 * 1000  # Kafka's own default of segment.ms
POLL_MS = 200

LEFT_ELSEWHERE = (
    ("backups", "databases and disks as they were", "yours to end; erase again after restoring one"),
    ("log files", "lines hold no customer's data; old ones may hold addresses of callers", "yours to end"),
    ("providers", "their own records of the payments", "ask each of them"),
    ("mails", "what was delivered is in its mailbox", "the customer's own"),
)

_answers = Catalogue(PersonalDataErased)


@dataclass(frozen=True, slots=True)
class Left:
    """A topic that may hold records from before, and when the last of them is deleted; None: never."""

    topic: str
    until: datetime | None


async def ask(
    settings: KafkaSettings, asked: ErasePersonalData, wait_s: float
) -> dict[str, PersonalDataErased]:
    """Sends the one message; the answers by service that came in time."""
    consumer = AIOKafkaConsumer(**connection_options(settings), **consumer_options(settings))
    publisher = Publisher(settings)
    try:
        await reach_kafka(consumer.start())
        await _from_now_on(consumer, settings)
        await reach_kafka(publisher.start())
        envelope = wrap(asked, source="operator", subject=asked.customer, time=asked.asked_at)
        await publisher.send(PRIVACY_COMMANDS, asked.customer.encode(), encode(envelope))
        return await _heard(consumer, asked.request_id, wait_s)
    finally:
        await publisher.stop()
        await consumer.stop()


async def _from_now_on(consumer: AIOKafkaConsumer, settings: KafkaSettings) -> None:
    name = settings.topic_prefix + PRIVACY_EVENTS.name
    partitions = [TopicPartition(name, n) for n in range(PRIVACY_EVENTS.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for partition in partitions:
        await consumer.position(partition)  # what is sent after this is read


async def _heard(consumer: AIOKafkaConsumer, request_id: str, wait_s: float) -> dict[str, PersonalDataErased]:
    answers: dict[str, PersonalDataErased] = {}
    deadline = asyncio.get_running_loop().time() + wait_s
    while len(answers) < len(SERVICES) and asyncio.get_running_loop().time() < deadline:
        for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            for record in records:
                envelope = decode(record.value)
                answer = _answers.decode(envelope) if envelope.type in _answers else None
                if isinstance(answer, PersonalDataErased) and answer.request_id == request_id:
                    answers[answer.service] = answer
    return answers


async def left_in_topics(settings: KafkaSettings, now: datetime) -> list[Left]:
    """When the last record from before is deleted: a segment goes when its newest record is old enough."""
    configs = await configs_of(settings, PERSONAL_TOPICS)
    left = []
    for topic in PERSONAL_TOPICS:
        config = configs.get(topic.name, topic.config)
        kept_ms = int(config.get("retention.ms", "-1"))
        whole_ms = kept_ms + int(config.get("segment.ms", SEGMENT_MS))
        left.append(Left(topic.name, None if kept_ms < 0 else now + timedelta(milliseconds=whole_ms)))
    return left
