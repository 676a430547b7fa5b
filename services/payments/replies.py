"""Replies leave right after the commit. They may be lost: the stored state is the guarantee."""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from shared.decision import Answer
from shared.envelope import encode, now_utc
from shared.kafka import PAYMENTS_REPLIES
from shared.messages.base import wrap
from shared.messages.payments import Reply
from shared.publish import Publisher

log = structlog.get_logger()


class Replies:
    """Sends answers to whoever waits under their correlation id."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def send(self, answers: Sequence[Answer]) -> None:
        """Hands the replies to Kafka without waiting; a lost one is asked for again by its caller."""
        for answer in answers:
            if answer.correlation_id is None:
                continue
            reply = Reply(code=answer.code, answer=msgspec.Raw(answer.answer), detail=answer.detail)
            envelope = wrap(
                reply,
                source="payments",
                subject=answer.correlation_id,
                time=now_utc(),
                correlationid=answer.correlation_id,
            )
            key = answer.correlation_id.encode()
            partition = PAYMENTS_REPLIES.partition_of(key)
            sent = self._publisher.post(PAYMENTS_REPLIES, partition, key, encode(envelope))
            sent.add_done_callback(_noted)


def _noted(sent: "asyncio.Future[None]") -> None:
    if not sent.cancelled() and (error := sent.exception()) is not None:
        log.warning("a reply was not sent; its caller will ask again", error=repr(error)[:200])
