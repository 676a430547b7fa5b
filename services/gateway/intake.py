"""The way into Kafka for everything that HTTP accepts: acknowledged within a deadline, or a clear no.

The idempotent producer itself never gives up, so the deadline is ours; and while a batch is stalled,
later calls fail at once instead of queueing behind it. It recovers by itself with the first
acknowledgement.
"""

import asyncio

from shared.errors import OutcomeUnknown, Unavailable
from shared.failpoints import passing
from shared.health import Health
from shared.kafka import Topic
from shared.publish import Publisher

HEALTH_EVERY_S = 1.0


class Intake:
    """`accept` returns once Kafka has the message durably; Unavailable when that did not happen in time.

    A message that was not acknowledged may still arrive: whoever sent it repeats it, and ids absorb that.
    """

    def __init__(self, publisher: Publisher, limit_s: float) -> None:
        self._publisher = publisher
        self._limit_s = limit_s

    @property
    def stalled(self) -> bool:
        return self._publisher.stalled_s() > self._limit_s

    async def accept(self, topic: Topic, key: bytes, value: bytes) -> None:
        if self.stalled:
            raise _away()
        try:
            async with asyncio.timeout(self._limit_s):
                await self._publisher.post(topic, topic.partition_of(key), key, value)
        except (TimeoutError, Unavailable, OutcomeUnknown) as error:
            raise _away() from error
        passing("gateway.after_accept")

    async def watch(self, health: Health) -> None:
        """Reports a stall, for ever: a gateway that cannot accept should get no traffic."""
        while True:
            health.report("kafka", "Kafka does not acknowledge" if self.stalled else None)
            await asyncio.sleep(HEALTH_EVERY_S)


def _away() -> Unavailable:
    return Unavailable("kafka-unavailable", "nothing is certain: repeat the same request", retry_after_s=1.0)
