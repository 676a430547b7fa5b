"""Publishing in batches: many callers, one request per partition in flight, every acknowledgement awaited."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.errors import Malformed, OutcomeUnknown, Unavailable
from shared.kafka import START_TIMEOUT_S, Topic, new_producer
from shared.settings import KafkaSettings

log = structlog.get_logger()

GIVE_UP_S = 30.0  # after this long without an acknowledgement the producer is made anew
BATCH_MESSAGES_MAX = 500
TICK_S = 0.004  # under load, batches of all partitions leave together, this often
BUSY = 8  # so many batches within so many ticks are load


@dataclass(slots=True)
class _Lane:
    """One partition: what waits, and since when something is in flight."""

    waiting: deque[tuple[bytes, bytes, asyncio.Future[None]]] = field(default_factory=deque)
    in_flight_since: float | None = None
    worker: asyncio.Task[None] | None = None


class Publisher:
    """Sends messages in the order of the calls, per partition, each acknowledged by all in-sync replicas.

    `send` returns once Kafka has the message; it raises Unavailable when the message was never handed
    to Kafka, and OutcomeUnknown when it was but no acknowledgement came: it may still arrive.
    """

    def __init__(self, settings: KafkaSettings, give_up_s: float = GIVE_UP_S) -> None:
        self._settings = settings
        self._give_up_s = give_up_s
        self._producer: AIOKafkaProducer | None = None
        self._lanes: dict[tuple[str, int], _Lane] = defaultdict(_Lane)
        self._renewing: asyncio.Task[None] | None = None
        self._left_at: deque[float] = deque(maxlen=BUSY)

    async def start(self) -> None:
        """Connects, trying again without limit and saying so."""
        self._producer = await self._connect()

    async def stop(self) -> None:
        """Lets what is in flight finish (up to 5 s), then closes."""
        workers = [lane.worker for lane in self._lanes.values() if lane.worker]
        if workers:
            await asyncio.wait(workers, timeout=5)
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._producer:
            await _close(self._producer)
            self._producer = None

    @property
    def connected(self) -> bool:
        """False while a producer is being made: what is sent then is refused as Unavailable."""
        return self._producer is not None

    def stalled_s(self) -> float:
        """For how long the oldest unacknowledged batch has been in flight; 0 when all is well."""
        now = asyncio.get_running_loop().time()
        since = [lane.in_flight_since for lane in self._lanes.values() if lane.in_flight_since is not None]
        return max(0.0, now - min(since)) if since else 0.0

    async def send(self, topic: Topic, key: bytes, value: bytes) -> None:
        """Publishes one message; see the class for what it guarantees."""
        await self.post(topic, topic.partition_of(key), key, value)

    async def send_all(self, topic: Topic, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Publishes (key, value) pairs; raises the first failure after all have ended."""
        posts = [self.post(topic, topic.partition_of(k), k, v) for k, v in messages]
        results = await asyncio.gather(*posts, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def post(self, topic: Topic, partition: int, key: bytes, value: bytes) -> asyncio.Future[None]:
        """Queues one message for its partition at once; the future ends with its acknowledgement."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane = self._lanes[self._settings.topic_prefix + topic.name, partition]
        lane.waiting.append((key, value, future))
        if lane.worker is None or lane.worker.done():
            name = self._settings.topic_prefix + topic.name
            lane.worker = asyncio.create_task(self._drain(name, partition, lane))
        return future

    async def _drain(self, topic: str, partition: int, lane: _Lane) -> None:
        while lane.waiting:
            producer = self._producer
            if producer is None:
                _fail(lane, Unavailable("kafka-unavailable", "no connection to Kafka"))
                return
            await self._tick()
            await self._send_batch(producer, topic, partition, lane)

    async def _tick(self) -> None:
        """Returns at once when little is sent; else together for all partitions.

        The library puts what is ready at one moment into one request: a request for each partition and
        message costs the producer and the broker more than the message itself.
        """
        clock = asyncio.get_running_loop().time
        left = self._left_at
        if len(left) == BUSY and clock() - left[0] < BUSY * TICK_S:
            await asyncio.sleep(left[-1] + TICK_S - clock())
        left.append(clock())

    async def _send_batch(self, producer: AIOKafkaProducer, topic: str, partition: int, lane: _Lane) -> None:
        batch = producer.create_batch()
        futures: list[asyncio.Future[None]] = []
        while lane.waiting and len(futures) < BATCH_MESSAGES_MAX:
            key, value, future = lane.waiting[0]
            if future.done():  # its caller gave up before it was handed over
                lane.waiting.popleft()
                continue
            if batch.append(key=key, value=value, timestamp=None) is None:
                break
            lane.waiting.popleft()
            futures.append(future)
        if not futures:
            if lane.waiting:  # it does not even fit alone
                lane.waiting.popleft()[2].set_exception(Malformed("message-too-large", "above 1 MB"))
            return
        lane.in_flight_since = asyncio.get_running_loop().time()
        error: Exception | None = None
        try:
            async with asyncio.timeout(self._give_up_s):
                sent = await producer.send_batch(batch, topic, partition=partition)
                sent.add_done_callback(_seen)
                await asyncio.shield(sent)
        except Exception as failure:  # noqa: BLE001 - whatever the library raises, no caller may wait for ever
            error = OutcomeUnknown("kafka-no-acknowledgement", repr(failure))
            error.__cause__ = failure
            self._renew(producer)
        finally:
            lane.in_flight_since = None
        for future in futures:
            if future.done():
                continue
            future.set_exception(error) if error else future.set_result(None)

    def _renew(self, broken: AIOKafkaProducer) -> None:
        """After a fatal error sequence numbers stay broken, so the producer is made anew (aiokafka#1017)."""
        if self._producer is broken:
            self._producer = None
            self._renewing = asyncio.create_task(self._replace(broken))

    async def _replace(self, broken: AIOKafkaProducer) -> None:
        log.warning("the Kafka producer failed; making a new one")
        await _abort(broken)
        self._producer = await self._connect()

    async def _connect(self) -> AIOKafkaProducer:
        while True:
            producer = new_producer(self._settings)
            try:
                await asyncio.wait_for(producer.start(), START_TIMEOUT_S)
            except (KafkaError, TimeoutError, OSError) as error:
                await _abort(producer)
                log.warning("waiting for Kafka", servers=self._settings.bootstrap_servers, error=repr(error))
                await asyncio.sleep(0.5)
            else:
                return producer


def _fail(lane: _Lane, error: Exception) -> None:
    while lane.waiting:
        future = lane.waiting.popleft()[2]
        if not future.done():
            future.set_exception(error)


async def _close(producer: AIOKafkaProducer) -> None:
    with suppress(KafkaError, TimeoutError, OSError):
        await asyncio.wait_for(producer.stop(), 5)


async def _abort(producer: AIOKafkaProducer) -> None:
    """Closes without the flush that `stop` does: what it still holds will be sent again by its owner."""
    sender = producer._sender  # noqa: SLF001 - the library has no close without a flush
    if sender is not None and sender.sender_task is not None:
        await asyncio.wait({asyncio.ensure_future(sender.close())}, timeout=5)
        producer._message_accumulator.fail_all(KafkaError("the producer was given up"))  # noqa: SLF001
    await _close(producer)


def _seen(sent: "asyncio.Future[object]") -> None:
    if not sent.cancelled():
        sent.exception()  # of a batch that nobody waits for any more: not worth a complaint
