"""Requests to erase: decided once, carried out by a task, answered with one event per service."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.apply import Decide
from shared.decision import Decision, Outgoing, Task
from shared.errors import Rejected
from shared.inbox import Incoming
from shared.messages.base import Message
from shared.messages.privacy import ErasedPlace, ErasePersonalData, PersonalDataErased
from shared.privacy.screen import ERASING

TOPIC = "privacy.events"
TASK = "erase"
PRIORITY = 60  # after everything that a buyer waits for


class Blanked(Message, frozen=True, kw_only=True):
    """The task's result: all that this service held is blank."""

    TYPE: ClassVar[str] = "privacy.blanked.v1"

    request_id: str
    places: tuple[ErasedPlace, ...]


class EraseTask(msgspec.Struct, frozen=True):
    """Blank the orders of a request; or some that something raw came for after their erasure."""

    request_id: str = ""
    order_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """One request at one service; `places` once it is done."""

    request_id: str
    asked: ErasePersonalData | None = None
    places: tuple[ErasedPlace, ...] | None = None


def decider(service: str, own_key_check: str) -> Decide[Erasure]:
    """The rule of every service, which has one key with all others or parks the request."""

    def decide(erasure: Erasure, incoming: Incoming, now: datetime) -> Decision[Erasure]:
        match incoming.message:
            case ErasePersonalData() as asked:
                return _asked(erasure, asked, own_key_check)
            case Blanked() as done:
                return _blanked(erasure, done, service, now)
        raise TypeError(f"no rule for {type(incoming.message).__name__}")

    return decide


def _asked(erasure: Erasure, asked: ErasePersonalData, own_key_check: str) -> Decision[Erasure]:
    if asked.key_check != own_key_check:
        raise Rejected("privacy-key-differs", "give every service the PRIVACY_KEY of the one that asks")
    if erasure.asked is not None:
        return Decision(erasure, outcome="ignored")
    task = _task(asked.request_id, EraseTask(asked.request_id))
    return Decision(replace(erasure, asked=asked), tasks=(task,))


def blank_late(order_id: str) -> Task:
    """Blanks what came raw for an order after it was erased."""
    return _task(order_id, EraseTask(order_ids=(order_id,)))


def read_task(payload: bytes) -> EraseTask:
    return msgspec.json.decode(payload, type=EraseTask)


def _task(subject: str, asked: EraseTask) -> Task:
    return Task(TASK, f"erase:{subject}", subject, msgspec.json.encode(asked), 0.0, PRIORITY)


def _blanked(erasure: Erasure, done: Blanked, service: str, now: datetime) -> Decision[Erasure]:
    if erasure.asked is None or erasure.places is not None:
        return Decision(erasure, outcome="ignored")
    event = PersonalDataErased(
        request_id=erasure.request_id, service=service, places=done.places, erased_at=now
    )
    said = Outgoing(TOPIC, erasure.asked.customer, event, now)
    return Decision(replace(erasure, places=done.places), events=(said,))


_LOCK = text("""
    SELECT * FROM erasures WHERE request_id = ANY(CAST(:keys AS text[]))
    ORDER BY request_id FOR NO KEY UPDATE""")
_ADD = text("""
    INSERT INTO erasures (request_id, customer, order_ids, asked_at, person, reason)
    VALUES (:request_id, :customer, :order_ids, :asked_at, :person, :reason)""")
_DONE = text("""
    UPDATE erasures SET places = CAST(:places AS jsonb), erased_at = now() WHERE request_id = :request_id""")
_TOMBSTONES = text("""
    INSERT INTO erased_orders (order_id, erased_at)
    SELECT id, :asked_at FROM unnest(CAST(:order_ids AS text[])) AS new (id) ORDER BY id
    ON CONFLICT DO NOTHING""")
_CUSTOMER = text("""
    INSERT INTO erased_customers AS e (customer, erased_at) VALUES (:customer, :asked_at)
    ON CONFLICT (customer) DO UPDATE SET erased_at = greatest(e.erased_at, excluded.erased_at)""")


@dataclass(frozen=True, slots=True)
class ErasureStore:
    """Requests and tombstones. `mark`: what a service says to its own rows of the orders `:order_ids`.

    Who erases waits for the transactions that bring orders in, and they for it: after the commit, every
    later one sees the tombstones, and the task sees what every earlier one wrote.
    """

    mark: Sequence[TextClause] = ()

    async def resolve(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - part of the protocol; these messages name their request
        batch: Sequence[Incoming],
    ) -> Sequence[str | None]:
        """The request of each message; the result of a task without one only closes the task."""
        return [getattr(incoming.message, "request_id", None) or None for incoming in batch]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Erasure]:
        rows = await connection.execute(_LOCK, {"keys": list(keys)})
        found = {row.request_id: Erasure(row.request_id, request_of(row), places_of(row)) for row in rows}
        return {key: found.get(key) or Erasure(key) for key in keys}

    async def save(
        self, connection: AsyncConnection, before: dict[str, Erasure], after: dict[str, Erasure]
    ) -> None:
        for key in sorted(after):
            asked, places = after[key].asked, after[key].places
            if asked is not None and before[key].asked is None:
                await self._add(connection, asked)
            if places is not None and before[key].places is None:
                told = msgspec.json.encode(places).decode()
                await connection.execute(_DONE, {"request_id": key, "places": told})

    async def _add(self, connection: AsyncConnection, asked: ErasePersonalData) -> None:
        await connection.execute(ERASING)
        await connection.execute(_ADD, _row(asked))
        await connection.execute(_CUSTOMER, {"customer": asked.customer, "asked_at": asked.asked_at})
        orders = sorted(set(asked.order_ids))
        await connection.execute(_TOMBSTONES, {"order_ids": orders, "asked_at": asked.asked_at})
        for statement in self.mark:
            await connection.execute(statement, {"order_ids": orders})


def _row(asked: ErasePersonalData) -> dict[str, Any]:
    return {
        "request_id": asked.request_id,
        "customer": asked.customer,
        "order_ids": list(asked.order_ids),
        "asked_at": asked.asked_at,
        "person": asked.person,
        "reason": asked.reason,
    }


def request_of(row: Any) -> ErasePersonalData:
    """The request that a row of `erasures` keeps."""
    return ErasePersonalData(
        request_id=row.request_id, customer=row.customer, key_check="", order_ids=tuple(row.order_ids),
        asked_at=row.asked_at, person=row.person, reason=row.reason,
    )  # fmt: skip


def places_of(row: Any) -> tuple[ErasedPlace, ...] | None:
    """What was blanked, once it was."""
    return None if row.places is None else msgspec.convert(row.places, tuple[ErasedPlace, ...])
