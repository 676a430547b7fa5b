"""The batch loop: every record that comes in leaves with an outcome, and only then is its offset committed.

What a message can cause parks that message; everything else is infrastructure and the whole batch is
tried again, without limit, while the service says it is not ready.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from shared import inbox
from shared.apply import Applier
from shared.database import cancelled_statement, caused_by_message
from shared.envelope import decode, fingerprint
from shared.errors import Malformed
from shared.health import Health
from shared.inbox import Incoming, Parking, Record
from shared.kafka import Topic, consumer_options
from shared.messages.base import Catalogue
from shared.messages.payments import ProviderEventReceived
from shared.observability import MESSAGES, PARKED

log = structlog.get_logger()

S = TypeVar("S")

BATCH_MAX = 200  # more per transaction gains nothing (stack measurements in docs/performance.md)
BACKOFF_MAX_S = 5.0
STARTS_MAX = 3  # a message that killed the process this often is parked
PARKED_IN_A_ROW_MAX = 20  # so many well-formed messages cannot all be bad: the code is
CANCELLED_MAX = 3
PACED_BATCH = 40  # under load, wait until about so many are there: tiny batches eat the machine
PACE_MAX_S = 0.02
STUCK_AFTER_S = 120.0


class LoopStopped(Exception):
    """Too many messages in a row would be parked: a person must look before more are."""


@dataclass(slots=True)
class Loop(Generic[S]):
    """One topic's consumer in one process. `keyed`: the Kafka key must be the message's subject."""

    topic: Topic
    applier: Applier[S]
    catalogue: Catalogue
    health: Health
    keyed: bool = True
    commands: bool = False  # an unknown command is parked; an unknown event is skipped
    progress_at: float = field(default_factory=time.monotonic)
    _proven: set[int] = field(default_factory=set)  # partitions whose first batch went well
    _rate: float = 0.0  # records per second, smoothed
    _returned_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.applier.consumer

    async def handle(self, records: Sequence[Record]) -> None:
        """Returns once every record is applied, ignored or parked; never raises for a message's fault."""
        alone = await self._retried(lambda: self._suspects(records))
        try:
            if alone:
                for record in records:
                    await self._counted(record)
            else:
                await self._together(records)
        except LoopStopped as stop:
            await self._stopped(str(stop))
        await self._retried(lambda: self._proved(records))
        self.health.report(self.name, None)
        await self._pace(len(records))

    # --- decoding -----------------------------------------------------------------------------------------

    def decoded(self, records: Sequence[Record]) -> tuple[list[Incoming], list[Parking]]:
        """(messages to apply, records to park); unknown events and tombstones are skipped and counted."""
        batch: dict[str, Incoming] = {}
        parkings: list[Parking] = []
        for record in records:
            try:
                incoming = self._decode(record)
            except Malformed as error:
                parkings.append(Parking(record, f"{error.code}: {error.detail}"))
                continue
            if incoming is None:
                MESSAGES.labels(self.name, "skipped").inc()
                continue
            first = batch.setdefault(incoming.id, incoming)
            if first.fingerprint != incoming.fingerprint:
                parkings.append(Parking(record, f"security: id {incoming.id} came with two bodies"))
        return list(batch.values()), parkings

    def _decode(self, record: Record) -> Incoming | None:
        if record.value is None:
            return None  # a tombstone: declared to mean nothing on our topics
        envelope = decode(record.value)
        if self.keyed and record.key != envelope.subject.encode():
            raise Malformed("wrong-key", "the Kafka key is not the subject of the message")
        if envelope.type not in self.catalogue:
            if self.commands:
                raise Malformed("unknown-command", f"no command of type {envelope.type} is known here")
            return None
        message = self.catalogue.decode(envelope)
        body = message.body if isinstance(message, ProviderEventReceived) else bytes(envelope.data)
        return Incoming(envelope.id, envelope, message, fingerprint(body), record)

    # --- the failure ladder ---------------------------------------------------------------------------------

    async def _together(self, records: Sequence[Record]) -> None:
        batch, parkings = self.decoded(records)
        try:
            await self._retried(lambda: self.applier.apply(batch, parkings))
        except Exception as error:
            log.warning(
                "a batch failed; each message runs alone",
                consumer=self.name,
                error=repr(error)[:500],
            )
            await self._retried(lambda: self.applier.apply([], parkings))
            failures = 0
            for incoming in batch:
                failures = 0 if await self._alone(incoming, failures) else failures + 1
        MESSAGES.labels(self.name, "applied").inc(len(batch))
        PARKED.labels(self.name).inc(len(parkings))

    async def _alone(self, incoming: Incoming, failures_before: int = 0) -> bool:
        """Applies one message, or parks it when it is to blame. True when it was applied."""
        try:
            await self._retried(lambda: self.applier.apply([incoming]))
        except Exception as error:
            if failures_before + 1 >= PARKED_IN_A_ROW_MAX:
                raise LoopStopped(
                    f"{PARKED_IN_A_ROW_MAX} messages in a row failed, the last with {error!r}: this is a bug "
                    "or a bad release, not bad messages; mend it and start again, nothing is lost"
                ) from error
            log.exception("a message is parked", consumer=self.name, id=incoming.id)
            assert incoming.record is not None
            parking = Parking(incoming.record, repr(error), incoming.id)
            await self._retried(lambda: self.applier.apply([], [parking]))
            PARKED.labels(self.name).inc()
            return False
        return True

    async def _retried(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """`work()`, again and again while infrastructure fails; a message's own fault is raised."""
        delay_s, cancelled = 0.05, 0
        while True:
            try:
                result = await work()
            except Exception as error:
                cancelled += cancelled_statement(error)
                if caused_by_message(error) or cancelled >= CANCELLED_MAX:
                    raise
                self.health.report(self.name, f"waiting for its database: {error!r:.300}")
                log.warning("trying the batch again", consumer=self.name, error=repr(error)[:300])
                await asyncio.sleep(delay_s)
                delay_s = min(BACKOFF_MAX_S, delay_s * 2)
            else:
                self.progress_at = time.monotonic()
                return result

    async def _stopped(self, why: str) -> None:
        self.health.report(self.name, f"stopped: {why}")
        log.critical("the loop has stopped", consumer=self.name, why=why)
        await asyncio.Event().wait()

    # --- messages that kill the process ---------------------------------------------------------------------

    async def _suspects(self, records: Sequence[Record]) -> bool:
        """On a partition's first batch: leaves a mark, and says whether an earlier process died here."""
        new = {r.partition: r.offset for r in reversed(records) if r.partition not in self._proven}
        if not new:
            return False
        died = False
        async with self.applier.engine.begin() as connection:
            for partition, offset in new.items():
                died |= await inbox.died_here(connection, self.name, self.topic.name, partition)
                await inbox.count_start(connection, self.name, self.topic.name, partition, offset)
        return died

    async def _counted(self, record: Record) -> None:
        async def count() -> int:
            async with self.applier.engine.begin() as connection:
                return await inbox.count_start(
                    connection, self.name, self.topic.name, record.partition, record.offset
                )

        starts = await self._retried(count)
        if starts > STARTS_MAX + 1:  # the mark of a partition's first batch counts one
            reason = f"the process died {STARTS_MAX} times while working on this message"
            await self._retried(lambda: self.applier.apply([], [Parking(record, reason)]))
            PARKED.labels(self.name).inc()
            return
        batch, parkings = self.decoded([record])
        await self._retried(lambda: self.applier.apply([], parkings))
        for incoming in batch:
            await self._alone(incoming)

    async def _proved(self, records: Sequence[Record]) -> None:
        new = {r.partition: r.offset for r in records if r.partition not in self._proven}
        if not new:
            return
        async with self.applier.engine.begin() as connection:
            for partition, offset in new.items():
                await inbox.survived(connection, self.name, self.topic.name, partition, offset)
        self._proven |= set(new)

    # --- pace -----------------------------------------------------------------------------------------------

    async def _pace(self, count: int) -> None:
        """Under load waits a little, so that the next batch is worth a transaction; at low load not at all."""
        now = time.monotonic()
        elapsed = max(now - self._returned_at, 1e-4)
        self._rate = 0.8 * self._rate + 0.2 * count / elapsed
        if count < PACED_BATCH and self._rate > PACED_BATCH / PACE_MAX_S / 4:
            await asyncio.sleep(min(PACE_MAX_S, PACED_BATCH / self._rate) / 2)
        self._returned_at = time.monotonic()


def subscribe(broker: KafkaBroker, loop: Loop[Any], prefix: str, instance: str) -> None:
    """Lets FastStream feed the loop: batches, manual offsets, no decoding outside the loop."""
    group = f"{prefix}{loop.name}"
    subscriber = broker.subscriber(
        prefix + loop.topic.name,
        batch=True,
        max_records=BATCH_MAX,
        batch_timeout_ms=200,
        group_id=group,
        group_instance_id=f"{group}.{instance}",
        ack_policy=AckPolicy.MANUAL,
        parser=_parsed,
        decoder=_undecoded,
        no_reply=True,
        title=loop.name,
        **consumer_options(),
    )

    @subscriber
    async def consume(message: KafkaMessage) -> None:
        raw: Sequence[ConsumerRecord[bytes, bytes]] = message.raw_message  # type: ignore[assignment]
        await loop.handle([_record(r, prefix) for r in raw])
        consumer = subscriber.consumer
        if consumer is None:
            return
        offsets = {
            TopicPartition(t, p): max(r.offset for r in group) + 1
            for (t, p), group in groupby(sorted(raw, key=_place), key=_place)
        }
        try:
            await consumer.commit(offsets)
        except KafkaError as error:  # moved to another member: it reads again and the inbox absorbs it
            log.warning("offsets were not committed", consumer=loop.name, error=repr(error))


def _place(record: ConsumerRecord[bytes, bytes]) -> tuple[str, int]:
    return record.topic, record.partition


def _record(raw: ConsumerRecord[bytes, bytes], prefix: str) -> Record:
    return Record(
        raw.topic.removeprefix(prefix),
        raw.partition,
        raw.offset,
        raw.key,
        raw.value,
        tuple(raw.headers),
    )


async def _parsed(raw: Any) -> KafkaMessage:
    """Takes records as they are: an error in here would lose the message, so nothing is read."""
    from faststream.kafka.message import FAKE_CONSUMER

    return KafkaMessage(body=b"", raw_message=raw, consumer=FAKE_CONSUMER, message_id="", headers={})


async def _undecoded(message: KafkaMessage) -> KafkaMessage:
    return message


async def watch(loops: Sequence[Loop[Any]], broker: KafkaBroker, health: Health) -> None:
    """Reports a consumer that has work and makes no progress, so that the process is replaced."""
    while True:
        await asyncio.sleep(5)
        for subscriber, loop in zip(broker.subscribers, loops, strict=True):
            waiting = _lag(getattr(subscriber, "consumer", None))
            late = time.monotonic() - loop.progress_at
            if waiting and late > STUCK_AFTER_S and loop.name not in health.problems:
                health.stuck[loop.name] = f"{waiting} records wait and nothing moved for {late:.0f} s"
            else:
                health.stuck.pop(loop.name, None)


def _lag(consumer: Any) -> int:
    if consumer is None:
        return 0
    behind = 0
    for partition in consumer.assignment():
        end, state = consumer.highwater(partition), consumer.last_stable_offset(partition)
        position = consumer._subscription.subscription.assignment.state_value(partition).position
        if end is not None and position is not None and state is not None:
            behind += max(0, end - position)
    return behind
