"""A stand-in for the payments service on the real topics: it answers commands as the contract says."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.envelope import Envelope, decode, encode
from shared.kafka import (
    PAYMENTS_COMMANDS,
    PAYMENTS_EVENTS,
    PAYMENTS_REPLIES,
    PAYMENTS_WEBHOOKS,
    Topic,
    declare,
)
from shared.messages.base import Message, wrap
from shared.messages.payments import Reply
from shared.settings import KafkaSettings
from tests.integration.gateway.background import Background

Answer = tuple[str, dict[str, Any], str] | None  # (code, answer, detail), or silence


def as_the_contract_says(envelope: Envelope) -> Answer:
    """The answers of a payments service where everything goes well."""
    data = json.loads(bytes(envelope.data))
    order_id = envelope.subject
    match envelope.type:
        case "payments.register_order.v1":
            body = {"payment_id": "p-1", "revision": 1, "change": "created"}
            return "ok", {"order_id": order_id, "status": "created", **body}, ""
        case "payments.cancel_order.v1":
            return "ok", {"order_id": order_id, "status": "failed", "detail": "cancelled", "version": 2}, ""
        case "payments.create_payment.v1":
            return "ok", _opened(order_id, data.get("provider") or "razorpay"), ""
        case "payments.confirm_checkout.v1":
            told = {"order_id": order_id, "status": "paid", "detail": "", "version": 4}
            return "ok", told, ""
        case "payments.refund_payment.v1":
            return "ok", _reserved(order_id, data.get("amount") or 49900), ""
        case "payments.capture_payment.v1":
            taken = {"order_id": order_id, "status": "processing", "detail": "authorized", "version": 3}
            return "ok", {**taken, "amount": data.get("amount") or 49900}, ""
    raise AssertionError(envelope.type)


def _reserved(order_id: str, amount: int) -> dict[str, Any]:
    return {
        "refund_id": "3f0e7f0e-6b1c-5b0e-9a51-0d7e4a4b1c11",
        "order_id": order_id,
        "charge_id": "pay_29QQoUBi66xm2f",
        "status": "requested",
        "amount": amount,
        "currency": "INR",
        "refundable": 49900 - amount,
    }


# (the provider's own id of the order, what its answer holds for the browser)
_AT_PROVIDER: dict[str, tuple[str, dict[str, str]]] = {
    "razorpay": ("order_9A33XWu170gUtm", {}),
    "stripe": ("pi_3MtwBwLkdIwHu7ix28a3tqPa", {"client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJU"}),
    "paypal": (
        "5O190127TN364715T",
        {"approveUrl": "https://www.paypal.com/checkoutnow?token=5O190127TN364715T"},
    ),
}


def _opened(order_id: str, provider: str) -> dict[str, Any]:
    provider_order_id, opened = _AT_PROVIDER[provider]
    return {
        "order_id": order_id,
        "provider": provider,
        "provider_order_id": provider_order_id,
        "amount": 49900,
        "currency": "INR",
        "prefill": {"name": "Asha Rao", "email": "asha@example.com"},
        "opened": opened,
    }


@dataclass
class StandIn:
    """Reads `payments.commands`, remembers them, answers by `answer`; writes events as payments would."""

    kafka: KafkaSettings
    background: Background
    answer: Callable[[Envelope], Answer] = as_the_contract_says
    commands: list[Envelope] = field(default_factory=list)

    def start(self) -> None:
        self.background.call(self._start(), 60)

    def stop(self) -> None:
        self.background.call(self._stop())

    def publish(self, message: Message, order_id: str, version: int) -> None:
        """One event on `payments.events`, as the outbox would send it."""
        event = wrap(message, source="payments", subject=order_id, time=datetime.now(UTC), version=version)
        self.background.call(self._send(PAYMENTS_EVENTS, order_id.encode(), encode(event)))

    def raw(self, order_id: str, value: bytes) -> None:
        """Bytes on `payments.events` that payments would never send."""
        self.background.call(self._send(PAYMENTS_EVENTS, order_id.encode(), value))

    def produced(self) -> int:
        """How many messages there are on the topics that the gateway writes."""
        return self.background.call(self._end_offsets())

    def webhooks(self) -> list[Envelope]:
        """Every message on `payments.webhooks`, oldest first within a partition."""
        return self.background.call(self._read_all(PAYMENTS_WEBHOOKS))

    async def _start(self) -> None:
        await declare(self.kafka, "payments")
        self._producer = AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers, linger_ms=0)
        await self._producer.start()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        await self._consumer.start()
        self._consumer.assign(self._partitions(PAYMENTS_COMMANDS))
        self._serving = asyncio.create_task(self._serve())

    async def _stop(self) -> None:
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._consumer.stop()
        await self._producer.stop()

    async def _serve(self) -> None:
        async for record in self._consumer:
            envelope = decode(record.value)
            self.commands.append(envelope)
            answer = self.answer(envelope)
            if answer is None or envelope.correlationid is None:
                continue
            code, body, detail = answer
            reply = Reply(code=code, answer=_raw(body), detail=detail)
            await self.reply(envelope.correlationid, reply)

    async def reply(self, correlation_id: str, reply: Reply) -> None:
        message = wrap(reply, source="payments", subject=correlation_id, time=datetime.now(UTC))
        await self._send(PAYMENTS_REPLIES, correlation_id.encode(), encode(message))

    async def _send(self, topic: Topic, key: bytes, value: bytes) -> None:
        name = self.kafka.topic_prefix + topic.name
        await self._producer.send_and_wait(name, value, key=key, partition=topic.partition_of(key))

    async def _end_offsets(self) -> int:
        partitions = self._partitions(PAYMENTS_COMMANDS) + self._partitions(PAYMENTS_WEBHOOKS)
        return sum((await self._consumer.end_offsets(partitions)).values())

    async def _read_all(self, topic: Topic) -> list[Envelope]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap_servers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            partitions = self._partitions(topic)
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            found: list[Envelope] = []
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [decode(r.value) for r in records]
            return found
        finally:
            await consumer.stop()

    def _partitions(self, topic: Topic) -> list[TopicPartition]:
        name = self.kafka.topic_prefix + topic.name
        return [TopicPartition(name, n) for n in range(topic.partitions)]


def _raw(body: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(body).encode())
