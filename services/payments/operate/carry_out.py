"""One command of a person: decided by the same rules as everyone's, in one transaction with its record."""

import secrets
from dataclasses import dataclass

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.operate.desk import commands_applier
from shared import inbox
from shared.decision import Answer
from shared.envelope import fingerprint, new_id, now_utc
from shared.errors import Rejected
from shared.inbox import Incoming
from shared.messages.base import Command, IdempotencyKey, wrap
from shared.service import Kit

_RECORD = text("""
    INSERT INTO operator_actions (person, nonce, order_id, command, asked, reason, message_id, code, detail)
    VALUES (:person, :nonce, :order_id, :command, CAST(:asked AS jsonb), :reason, :message_id, :code, :detail)
    ON CONFLICT DO NOTHING RETURNING nonce""")


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, why, and the nonce under which asking twice acts once."""

    name: str
    reason: str
    nonce: str

    def key(self, asked: Command) -> IdempotencyKey:
        """The idempotency key of a command: the person's nonce, and what was asked under it."""
        return IdempotencyKey(
            principal=f"person:{self.name}"[:100], key=self.nonce, fingerprint=fingerprint(asked.encode())
        )


def new_nonce() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Decided:
    """What the rules said. `repeated`: the nonce was used before, and this is the answer of then."""

    answer: Answer
    repeated: bool

    def value(self, name: str) -> object:
        """One field of the answer's JSON, or None."""
        found: dict[str, object] = msgspec.json.decode(self.answer.answer)
        return found.get(name)


async def carry_out(kit: Kit, command: Command, order_id: str, by: Person) -> Decided:
    """Applies the command now and puts it on record. Raises Rejected with the rules' own words."""
    applier = commands_applier(kit)
    envelope = wrap(
        command, source="operator", subject=order_id, time=now_utc(), id=new_id(), correlationid=new_id()
    )
    incoming = Incoming(envelope.id, envelope, command, fingerprint(bytes(envelope.data)))
    async with kit.engine.begin() as connection:
        await inbox.claim(connection, applier.consumer, [incoming])
        answers = await applier.within(connection, [incoming])
        answer = next(a for a in answers if a.correlation_id == envelope.correlationid)
        asked = msgspec.json.decode(command.encode())
        asked.pop("idempotency", None)
        first = await record(connection, command.TYPE, asked, order_id, by, incoming.id, answer)
    applier.after_commit([])
    if answer.code != "ok":
        raise Rejected(answer.code, _what_to_do(answer))
    return Decided(answer, not first)


async def record(
    connection: AsyncConnection,
    command: str,
    asked: dict[str, object],
    order_id: str,
    by: Person,
    message_id: str,
    answer: Answer,
) -> bool:
    """Puts on record who did what and why; false when this nonce is on record already."""
    row = {
        "person": by.name,
        "nonce": by.nonce,
        "order_id": order_id,
        "command": command,
        "asked": msgspec.json.encode(asked).decode(),
        "reason": by.reason,
        "message_id": message_id,
        "code": answer.code,
        "detail": answer.detail,
    }
    return (await connection.execute(_RECORD, row)).one_or_none() is not None


_ADVICE = {
    "order-not-found": "check the order id",
    "not-paid": "look first: paystream payment look ORDER_ID",
    "already-paid": "see paystream payment show ORDER_ID",
    "nothing-to-capture": "look first: paystream payment look ORDER_ID",
    "outcome-unknown": "wait until it is known (paystream risk), or ask the provider",
    "dispute-open": "answer the dispute at the provider first",
    "flag-not-found": "paystream payment show ORDER_ID names the open flags",
    "idempotency-key-reused": "leave --nonce away to ask for something new",
    "in-progress": "the same nonce is being worked on: ask again in a moment",
}


def _what_to_do(answer: Answer) -> str:
    advice = _ADVICE.get(answer.code)
    return f"{answer.detail or answer.code}; {advice}" if advice else answer.detail or answer.code
