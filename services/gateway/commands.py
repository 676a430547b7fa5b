"""Commands to payments, and the wait for their answer within the HTTP limit."""

import asyncio
from datetime import timedelta
from typing import TypeVar

import msgspec
import structlog

from services.gateway.intake import Intake
from services.gateway.problems import Refused
from services.gateway.replies import Replies
from shared.envelope import encode, new_id, now_utc
from shared.errors import PaystreamError
from shared.kafka import PAYMENTS_COMMANDS
from shared.messages.base import Command, wrap
from shared.messages.payments import Reply

log = structlog.get_logger()

SOURCE = "gateway"
EXPIRY_MARGIN_S = 5.0  # a command that waited past our own limit and this is refused instead of done late

A = TypeVar("A")


class Unanswered(Exception):
    """The command is accepted and its answer is not there yet: 202, repeat the same call."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id)
        self.order_id = order_id


class Commands:
    """Sends commands, keyed by order, each under a fresh envelope id, which is also its correlation id."""

    def __init__(self, intake: Intake, replies: Replies, limit_s: float) -> None:
        self._intake = intake
        self._replies = replies
        self._limit_s = limit_s

    async def ask(self, order_id: str, command: Command, answer: type[A]) -> A:
        """The answer of payments.

        Raises Refused with payments' code when a rule says no, Unanswered after the HTTP limit, and
        Unavailable when Kafka did not take the command in time.
        """
        command_id = new_id()
        reply = self._replies.expect(command_id)
        try:
            async with asyncio.timeout(self._limit_s):
                await self._send(order_id, command, command_id, waits=True)
                given = await reply
        except TimeoutError:
            raise Unanswered(order_id) from None
        finally:
            reply.cancel()
        return _answer(given, answer)

    async def tell(self, order_id: str, command: Command) -> None:
        """Sends a command whose answer nobody waits for."""
        await self._send(order_id, command, new_id(), waits=False)

    async def _send(self, order_id: str, command: Command, command_id: str, *, waits: bool) -> None:
        now = now_utc()
        envelope = wrap(
            command,
            source=SOURCE,
            subject=order_id,
            time=now,
            id=command_id,
            correlationid=command_id if waits else None,
            expiresat=now + timedelta(seconds=self._limit_s + EXPIRY_MARGIN_S),
        )
        await self._intake.accept(PAYMENTS_COMMANDS, order_id.encode(), encode(envelope))
        log.info("command accepted", command=command.TYPE, order_id=order_id, id=command_id)


class _Refusal(msgspec.Struct, frozen=True):
    """What a refusing answer may tell besides its code."""

    refundable: int | None = None


def _answer(reply: Reply, kind: type[A]) -> A:
    if reply.code != "ok":
        raise Refused(reply.code, reply.detail, _refusal(reply).refundable)
    try:
        return msgspec.json.decode(bytes(reply.answer), type=kind)
    except msgspec.DecodeError as error:
        raise PaystreamError("internal", "payments' answer cannot be read") from error


def _refusal(reply: Reply) -> _Refusal:
    try:
        return msgspec.json.decode(bytes(reply.answer), type=_Refusal)
    except msgspec.DecodeError:
        return _Refusal()  # the code says enough
