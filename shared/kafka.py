"""Topics, and the one place where every option of producers and consumers is said.

The libraries' defaults lose messages (acks=1, auto-created topics with one partition, reading from the
latest offset), so none is left to its default here.
"""

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from aiokafka.partitioner import DefaultPartitioner

from shared.settings import KafkaSettings

log = structlog.get_logger()

DAY_MS = 24 * 3600 * 1000
REPLICAS_SAFE = 3  # with two of them in sync: one broker may die and nothing acknowledged is lost
START_TIMEOUT_S = 10.0  # one try to reach a broker; an admin client once hung for ever without it
# `uncompressed`: the broker unpacks what others sent with a codec that we may not have, and refuses what
# is too large once unpacked.
_KEEP = {"cleanup.policy": "delete", "compression.type": "uncompressed"}
_FOR_EVER = {**_KEEP, "retention.ms": "-1"}
_WEEK = {**_KEEP, "retention.ms": str(7 * DAY_MS)}
# Only whole segments are deleted: without this one a record with a customer's data may stay twice as long.
_PERSONAL = {**_WEEK, "segment.ms": str(DAY_MS)}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. Partition counts are fixed for life: a key must stay where it is.

    `written_by_shops`: others produce to it with Kafka's own partitioner (murmur2), so we do too; on
    topics that only our code writes, CRC-32 is ten times cheaper in Python.
    """

    name: str
    owner: str
    partitions: int
    config: dict[str, str] = field(hash=False)
    written_by_shops: bool = False

    def partition_of(self, key: bytes) -> int:
        if self.written_by_shops:
            return int(_murmur2(key, list(range(self.partitions)), list(range(self.partitions))))
        return zlib.crc32(key) % self.partitions


_murmur2 = DefaultPartitioner()

ORDERS_EVENTS = Topic("orders.events", "payments", 6, _PERSONAL, written_by_shops=True)
PAYMENTS_COMMANDS = Topic("payments.commands", "payments", 6, _PERSONAL)
PAYMENTS_WEBHOOKS = Topic("payments.webhooks", "payments", 6, _PERSONAL)
PAYMENTS_REPLIES = Topic(
    "payments.replies", "payments", 3, {**_KEEP, "retention.ms": "600000", "segment.ms": "300000"}
)
PAYMENTS_EVENTS = Topic("payments.events", "payments", 6, _FOR_EVER)
NOTIFIER_EVENTS = Topic("notifier.events", "notifier", 3, {**_KEEP, "retention.ms": str(30 * DAY_MS)})
NOTIFIER_COMMANDS = Topic("notifier.commands", "notifier", 3, _WEEK)
RECONCILER_EVENTS = Topic("reconciler.events", "reconciler", 3, _FOR_EVER)
RECONCILER_COMMANDS = Topic("reconciler.commands", "reconciler", 3, _WEEK)
PRIVACY_COMMANDS = Topic("privacy.commands", "payments", 1, _WEEK)
PRIVACY_EVENTS = Topic("privacy.events", "payments", 1, _FOR_EVER)

# Where customers' data travel; `payments.replies` hands the buyer's own name to the checkout, and why a mail
# came back (`notifier.commands`) is told by a server that repeats its address.
PERSONAL_TOPICS = (ORDERS_EVENTS, PAYMENTS_COMMANDS, PAYMENTS_WEBHOOKS, PAYMENTS_REPLIES, NOTIFIER_COMMANDS)

TOPICS = {
    t.name: t
    for t in (
        ORDERS_EVENTS, PAYMENTS_COMMANDS, PAYMENTS_WEBHOOKS, PAYMENTS_REPLIES, PAYMENTS_EVENTS,
        NOTIFIER_EVENTS, NOTIFIER_COMMANDS, RECONCILER_EVENTS, RECONCILER_COMMANDS, PRIVACY_COMMANDS,
        PRIVACY_EVENTS,
    )
}  # fmt: skip


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """How to reach the brokers, for every client alike."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=settings.ca_file)
    if settings.security_protocol.startswith("SASL"):
        password = settings.sasl_password
        options |= {
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    return options


def consumer_options(settings: KafkaSettings) -> dict[str, Any]:
    """What every consumer shares; `shared.consume` says what is a loop's own."""
    return {
        "auto_offset_reset": "earliest",  # who lost the offsets reads all again: the inbox absorbs it
        "fetch_max_wait_ms": round(settings.fetch_wait_s * 1000),
        "max_poll_interval_ms": DAY_MS,  # a loop that waits for its database stays in its group
        "session_timeout_ms": round(settings.session_timeout_s * 1000),
        "heartbeat_interval_ms": round(settings.session_timeout_s * 200),  # four may get lost
        "isolation_level": "read_committed",
        "check_crcs": True,
    }


def new_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """An idempotent producer that acknowledges only what every in-sync replica has."""
    return AIOKafkaProducer(
        **connection_options(settings),
        acks="all",
        enable_idempotence=True,
        linger_ms=0,  # callers gather; lingering twice only adds delay
        max_batch_size=1_000_000,
        max_request_size=1_000_000,
        request_timeout_ms=10_000,
        retry_backoff_ms=100,
        compression_type=None,
    )


class UnfitTopic(Exception):
    """A topic exists in a form that would lose or misplace messages; a person must mend it."""


async def declare(settings: KafkaSettings, owner: str, uses: tuple[Topic, ...] = ()) -> None:
    """Creates the topics that `owner` owns and waits until those it uses exist, saying for which.

    Tried again without limit: a broker that is coming back is not an error. Raises UnfitTopic when one
    has another number of partitions: keys would not be where their readers look for their order.
    """
    mine = [t for t in TOPICS.values() if t.owner == owner]
    wanted = {settings.topic_prefix + t.name: t for t in (*mine, *uses)}
    while True:
        try:
            missing = await asyncio.wait_for(_declare_once(settings, mine, wanted), START_TIMEOUT_S)
        except (KafkaError, TimeoutError, OSError) as error:
            log.warning("waiting for Kafka", servers=settings.bootstrap_servers, error=repr(error))
        else:
            if not missing:
                return
            log.info("waiting for topics of other services", missing=sorted(missing))
        await asyncio.sleep(0.5)


async def _declare_once(settings: KafkaSettings, mine: list[Topic], wanted: dict[str, Topic]) -> set[str]:
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        new = [_new_topic(settings, t) for t in mine if settings.topic_prefix + t.name not in existing]
        if new:
            with contextlib.suppress(TopicAlreadyExistsError):  # another instance was quicker
                await admin.create_topics(new)
            existing = set(await admin.list_topics())
        found = sorted(existing & set(wanted))
        for description in await admin.describe_topics(found) if found else []:
            have, want = len(description["partitions"]), wanted[description["topic"]].partitions
            if have and have != want:
                raise UnfitTopic(f"topic {description['topic']} has {have} partitions, not {want}")
        return set(wanted) - existing
    finally:
        await admin.close()


async def configs_of(settings: KafkaSettings, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    """What the broker says of each topic's settings, by the topic's plain name."""
    names = {settings.topic_prefix + t.name: t.name for t in topics}
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, n) for n in names])
    finally:
        await admin.close()
    return {
        names[resource[3]]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }


def _new_topic(settings: KafkaSettings, topic: Topic) -> NewTopic:
    replicated = settings.replication_factor >= REPLICAS_SAFE
    safe = {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
    return NewTopic(
        name=settings.topic_prefix + topic.name,
        num_partitions=topic.partitions,
        replication_factor=settings.replication_factor,
        topic_configs=topic.config | (safe if replicated else {}),
    )
