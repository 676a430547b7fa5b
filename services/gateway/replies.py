"""Answers to commands: every gateway instance reads all of `payments.replies` and takes its own.

No consumer group, from the end before the service is ready: the one consumer for which that is right.
A reply may be lost; the order's state, which a repeated command returns, is the guarantee.
"""

import asyncio
from collections.abc import Iterable

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.envelope import decode, read_json
from shared.errors import Malformed, Unavailable
from shared.health import Health
from shared.kafka import PAYMENTS_REPLIES, START_TIMEOUT_S, connection_options
from shared.messages.payments import Reply
from shared.settings import KafkaSettings

log = structlog.get_logger()

QUIET_POLL_MS = 1000
_reply = msgspec.json.Decoder(Reply)


class Replies:
    """Waiting callers by correlation id, never more than `waiting_max`."""

    def __init__(self, settings: KafkaSettings, health: Health, waiting_max: int) -> None:
        self._settings = settings
        self._health = health
        self._waiting_max = waiting_max
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[TopicPartition, int] = {}  # where to go on after a broken connection

    def expect(self, correlation_id: str) -> asyncio.Future[Reply]:
        """A future for this reply; it forgets itself when it ends. Unavailable `overloaded` when full."""
        if len(self._waiting) >= self._waiting_max:
            raise Unavailable("overloaded", "too many commands wait for their answer", retry_after_s=2.0)
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[correlation_id] = future
        future.add_done_callback(lambda _: self._waiting.pop(correlation_id, None))
        return future

    async def start(self) -> None:
        """Stands at the end of every partition when it returns; tries without limit, saying so."""
        while self._consumer is None:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    self._consumer = await self._open()
            except (KafkaError, TimeoutError, OSError) as error:
                log.warning("waiting for Kafka to read replies", error=repr(error)[:300])
                await asyncio.sleep(0.5)
        self._health.report("replies", None)

    async def run(self) -> None:
        """Hands replies to those who wait, until cancelled."""
        while True:
            await self.start()
            consumer = self._consumer
            try:
                while consumer is not None:
                    for records in (await consumer.getmany(timeout_ms=QUIET_POLL_MS)).values():
                        self._take(records)
            except (KafkaError, OSError) as error:
                self._health.report("replies", f"the replies cannot be read: {error!r:.200}")
                log.warning("the reader of replies is made anew", error=repr(error)[:300])
            finally:
                await self._close()

    async def _open(self) -> AIOKafkaConsumer:
        name = self._settings.topic_prefix + PAYMENTS_REPLIES.name
        consumer = AIOKafkaConsumer(
            **connection_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            isolation_level="read_committed",
            fetch_max_wait_ms=500,
        )
        try:
            await consumer.start()
            partitions = [TopicPartition(name, n) for n in range(PAYMENTS_REPLIES.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_end(*partitions)
            for partition in partitions:
                if partition in self._next:
                    consumer.seek(partition, self._next[partition])
                self._next[partition] = await consumer.position(partition)
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    def _take(self, records: Iterable[ConsumerRecord[bytes, bytes]]) -> None:
        for record in records:
            self._next[TopicPartition(record.topic, record.partition)] = record.offset + 1
            future = self._waiting.get((record.key or b"").decode("ascii", "replace"))
            if future is None or future.done():
                continue  # another instance's, or one that waited no longer
            try:
                reply = _read(record.value)
            except Malformed as error:
                log.error("a reply cannot be read", reason=error.code)  # noqa: TRY400 - the reason says all
                continue
            future.set_result(reply)


def _read(value: bytes | None) -> Reply:
    envelope = decode(value)
    if envelope.type != Reply.TYPE:
        raise Malformed("unknown-reply", envelope.type)
    return read_json(bytes(envelope.data), _reply.decode)
