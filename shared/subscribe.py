"""Feeds the loops from Kafka through FastStream, commits what they settled, and sees when one is stuck."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.security import BaseSecurity, SASLPlaintext

from shared.consume import BATCH_MAX, Loop
from shared.database import AWAY
from shared.health import Health
from shared.inbox import Record
from shared.kafka import START_TIMEOUT_S, connection_options, consumer_options
from shared.observability import LAG, LOST
from shared.settings import KafkaSettings

log = structlog.get_logger()

WATCH_EVERY_S = 5.0
STUCK_AFTER_S = 60.0  # six session time-outs of 10 s: no rebalance takes so long
REPLACED_AFTER_S = 120.0
FAILED_READS_MAX = 24  # FastStream waits 5 s after each: two minutes
GRACE_S = 10.0  # for the batch in hand, when the process stops


class Stuck(Exception):
    """Records wait and nothing has moved for too long: the process ends, its supervisor makes a new one."""


class PatientConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """A consumer that answers as soon as there is something, and commits only what is still its own.

    FastStream's batch subscriber sleeps without looking after an empty answer: up to its whole time-out
    of delay for the next message.
    """

    trouble: str | None = None  # why the last read failed, until the next one
    failures: int = 0  # reads in a row that failed
    shared_out_anew: bool = True  # whether the batch in hand is the first since the group was
    _assignment_of_batch: Any = None  # aiokafka's; a new one each time the group is shared out

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.trouble = None
        while True:
            try:
                records = await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
            except KafkaError as error:
                self.trouble, self.failures = f"cannot read: {error!r:.200}", self.failures + 1
                raise
            self.failures = 0
            if records:
                assignment = self._subscription.subscription.assignment
                self.shared_out_anew = assignment is not self._assignment_of_batch
                self._assignment_of_batch = assignment
                return dict(records)
            if self._closed:
                raise ConsumerStoppedError

    async def commit_batch(self, batch: Sequence[ConsumerRecord]) -> bool:
        """Commits the offsets after the last batch; False when the group was shared out anew since it came.

        Then whoever has its partitions reads it again. They may have left us and come back: what another
        member has committed meanwhile must not be set back, since nobody would read that lag away.
        """
        if not self._assignment_of_batch.active or self._subscription.reassignment_in_progress:
            return False
        await self.commit({TopicPartition(r.topic, r.partition): r.offset + 1 for r in batch})  # in order
        return True


class Subscriptions:
    """The loops of one process as members of their consumer groups."""

    def __init__(
        self, settings: KafkaSettings, loops: Sequence[Loop[Any]], owner: str, instance: str
    ) -> None:
        self._settings = settings
        self._loops = loops
        self._owner = owner
        self._instance = instance
        self._broker: KafkaBroker | None = None
        self._subscribers: dict[str, Any] = {}  # FastStream's, by loop; each has its consumer once started
        self._told_lost: set[tuple[TopicPartition, int]] = set()

    async def start(self) -> None:
        """Joins the groups; tried again without limit, since a broker that is coming back is no error."""
        while self._loops and self._broker is None:
            broker = self._new_broker()
            try:
                await asyncio.wait_for(broker.connect(), START_TIMEOUT_S)
                config = broker.config.broker_config
                config.builder = partial(PatientConsumer, **config.builder.keywords)  # type: ignore[attr-defined]
                await asyncio.wait_for(broker.start(), START_TIMEOUT_S)
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("waiting for Kafka", servers=self._settings.bootstrap_servers, error=repr(error))
                await broker.stop()
                await asyncio.sleep(0.5)
            else:
                self._broker = broker

    async def stop(self) -> None:
        """Takes no more; lets each loop finish and commit the batch in hand."""
        for loop in self._loops:
            loop.stop()
        if self._broker is not None:
            await self._broker.stop()

    def _new_broker(self) -> KafkaBroker:
        broker = KafkaBroker(
            self._settings.bootstrap_servers.split(","),  # FastStream takes one text for one server
            client_id=self._owner,
            logger=logging.getLogger("faststream"),
            log_level=logging.DEBUG,
            allow_auto_create_topics=False,
            consumer_only=True,
            graceful_timeout=GRACE_S,
            apply_types=False,
            security=_security(self._settings),
        )
        for loop in self._loops:
            self._subscribe(broker, loop)
        return broker

    def _subscribe(self, broker: KafkaBroker, loop: Loop[Any]) -> None:
        prefix = self._settings.topic_prefix
        group = prefix + loop.name
        subscriber = broker.subscriber(
            prefix + loop.topic.name,
            batch=True,
            max_records=BATCH_MAX,
            batch_timeout_ms=60_000,
            group_id=group,
            group_instance_id=f"{prefix}{loop.label}.{self._instance}",
            ack_policy=AckPolicy.MANUAL,
            parser=_parsed,
            decoder=_undecoded,
            no_reply=True,
            title=loop.label,
            **consumer_options(self._settings),
        )

        async def consume(message: KafkaMessage) -> None:
            raw: Any = message.raw_message
            if subscriber.consumer.shared_out_anew:
                loop.shared_out_anew()

            async def settle() -> None:
                if await loop.handle([_record(r, prefix) for r in raw]):
                    await _commit(subscriber.consumer, raw, loop.label)

            await loop.until_settled(settle)

        subscriber(consume)
        self._subscribers[loop.label] = subscriber

    async def watch(self, health: Health) -> None:
        """Measures each group's lag; reports a loop that has work and makes no progress, later raises Stuck.

        aiokafka's consumers have stayed so after a blocked event loop or a rebalance (aiokafka#847, #1154).
        One whose membership has ended for good has no partitions and so no lag: its reads fail.
        """
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            for loop in self._loops:
                consumer = self._subscribers[loop.label].consumer
                try:
                    waiting = await asyncio.wait_for(self._lag(loop, consumer), START_TIMEOUT_S)
                except (KafkaError, TimeoutError, OSError) as error:
                    health.report(f"kafka.{loop.label}", f"cannot ask Kafka: {error!r:.200}")
                    continue
                health.report(f"kafka.{loop.label}", consumer.trouble if consumer else None)
                if consumer and consumer.failures > FAILED_READS_MAX:
                    raise Stuck(f"{loop.label}: {consumer.failures} reads in a row failed")
                judge(loop, sum(waiting.values()), health)
                if quiet := [place for place, count in waiting.items() if not count]:
                    await _tidied(loop, quiet)

    async def _lag(self, loop: Loop[Any], consumer: AIOKafkaConsumer | None) -> dict[int, int]:
        """How many records wait, by partition, of those that are ours."""
        partitions = sorted(consumer.assignment()) if consumer else []
        if consumer is None or not partitions:
            return {}
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        begins: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        waiting = {}
        for partition in partitions:
            committed = await consumer.committed(partition)
            if committed is not None and committed < begins[partition]:
                self._tell_lost(loop.label, partition, committed, begins[partition])
            waiting[partition.partition] = ends[partition] - max(committed or 0, begins[partition])
        LAG.labels(loop.label).set(sum(waiting.values()))
        return waiting

    def _tell_lost(self, name: str, partition: TopicPartition, committed: int, begins: int) -> None:
        if (partition, committed) not in self._told_lost:
            self._told_lost.add((partition, committed))
            LOST.labels(name).inc(begins - committed)
            place = f"{partition.topic}/{partition.partition}"
            log.critical("records were deleted before they were read", place=place, count=begins - committed)


async def _tidied(loop: Loop[Any], partitions: Sequence[int]) -> None:
    """Tells the loop what is at rest; without its database, later."""
    try:
        await asyncio.wait_for(loop.at_rest(partitions), START_TIMEOUT_S)
    except AWAY as error:
        log.info("starts of others are looked at later", consumer=loop.label, error=repr(error)[:200])


def judge(loop: Loop[Any], waiting: int, health: Health) -> None:
    """Reports or clears `stuck`; raises Stuck when that has lasted.

    A loop that says why it waits is not stuck.
    """
    now = time.monotonic()
    if not waiting or loop.label in health.problems:
        loop.waiting_since = None
    elif loop.waiting_since is None:
        loop.waiting_since = now
    late_s = now - max(loop.waiting_since or now, loop.progress_at)
    if late_s < STUCK_AFTER_S:
        health.stuck.pop(loop.label, None)
        return
    health.stuck[loop.label] = f"{waiting} records wait and nothing moved for {late_s:.0f} s"
    if late_s > REPLACED_AFTER_S:
        raise Stuck(f"{loop.label}: {health.stuck[loop.label]}")


async def _commit(consumer: PatientConsumer, batch: Sequence[ConsumerRecord], name: str) -> None:
    try:
        if not await consumer.commit_batch(batch):
            log.info("the batch comes again: its group was shared out anew", consumer=name)
    except KafkaError as error:  # moved to another member: it reads again and the inbox absorbs it
        log.warning("offsets were not committed", consumer=name, error=repr(error)[:300])


def _record(raw: ConsumerRecord, prefix: str) -> Record:
    return Record(
        raw.topic.removeprefix(prefix), raw.partition, raw.offset, raw.key, raw.value, tuple(raw.headers)
    )


async def _parsed(raw: Any) -> KafkaMessage:
    """Takes records as they are: an error in here would lose the message, so nothing is read."""
    return KafkaMessage(body=b"", raw_message=raw, consumer=FAKE_CONSUMER, message_id="", headers={})


async def _undecoded(message: KafkaMessage) -> KafkaMessage:
    return message


def _security(settings: KafkaSettings) -> BaseSecurity | None:
    context = connection_options(settings).get("ssl_context")
    if settings.security_protocol.startswith("SASL"):
        password = settings.sasl_password.get_secret_value() if settings.sasl_password else ""
        return SASLPlaintext(settings.sasl_username or "", password, ssl_context=context)
    return BaseSecurity(ssl_context=context) if context else None
