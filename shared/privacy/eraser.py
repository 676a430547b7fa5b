"""Blanks one customer's data in every place of a service, with the one role that may."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.apply import Applier
from shared.consume import Loop
from shared.database import AWAY, new_engine
from shared.decision import Answer
from shared.envelope import now_utc
from shared.errors import Unavailable
from shared.failpoints import passing
from shared.inbox import Incoming
from shared.kafka import PRIVACY_COMMANDS
from shared.messages.base import Catalogue, Message, wrap
from shared.messages.privacy import ErasedPlace, ErasePersonalData
from shared.privacy.customers import key_check
from shared.privacy.erasures import TASK, Blanked, EraseTask, Erasure, ErasureStore, decider, read_task
from shared.privacy.parked import blank_parked, blank_parked_late
from shared.privacy.screen import Screen
from shared.service import Kit
from shared.tasks import Answered, ClaimedTask, Later

log = structlog.get_logger()

ORDERS_AT_ONCE = 200  # per transaction: some tens of milliseconds
SWEEP_EVERY_S = 60.0
BUSY_PAUSE_S = 0.5  # what has to end first is a call of some seconds
NO_ROLE = "DATABASE__ERASER_URL is not set: nothing here may blank personal data"

_ORDERS = text("SELECT order_ids FROM erasures WHERE request_id = :request_id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose rows: these orders, and what speaks of no order but holds one of these addresses."""

    order_ids: Sequence[str]
    addresses: Sequence[str] = ()


Blank = Callable[[AsyncConnection, Wanted], Awaitable[int]]
Addresses = Callable[[AsyncConnection, Sequence[str]], Awaitable[Sequence[str]]]
Apply = Callable[[ClaimedTask, Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """One table of a service, what is blanked in it, and how. Blanking twice changes nothing more.

    `blank` may commit what it has done so far; the rest is committed after it. It raises Unavailable when
    something has to end first: then it is called again soon.
    """

    table: str
    what: str
    blank: Blank


def by_statement(statement: TextClause) -> Blank:
    """Blanks by one statement about `:order_ids`."""

    async def blank(connection: AsyncConnection, wanted: Wanted) -> int:
        found = await connection.execute(statement, {"order_ids": list(wanted.order_ids)})
        return found.rowcount

    return blank


async def _parked(connection: AsyncConnection, wanted: Wanted) -> int:
    return await blank_parked(connection, wanted.order_ids, wanted.addresses)


async def _no_addresses(connection: AsyncConnection, order_ids: Sequence[str]) -> Sequence[str]:  # noqa: ARG001 - the shape of a callback
    """Most services know no customer."""
    return ()


@dataclass
class Eraser:
    """A service's part in erasures: the loop that hears of them, the task that blanks, the answer.

    `mark` says to the service's own rows of `:order_ids`, in the deciding transaction, that they are erased.
    `addresses` reads what the service still knows of these orders' customers.
    """

    kit: Kit
    places: Sequence[Place] = ()
    mark: Sequence[TextClause] = ()
    addresses: Addresses = _no_addresses
    engine: AsyncEngine | None = None
    loop: Loop[Erasure] = field(init=False)

    def __post_init__(self) -> None:
        kit, settings = self.kit, self.kit.settings
        if settings.database.eraser_url is not None:
            url = {"url": settings.database.eraser_url, "pool_size": 2}
            self.engine = new_engine(settings.database.model_copy(update=url), kit.name)
            kit.stopping.append(self.engine.dispose)
        applier = Applier(
            consumer=f"{kit.name}.{PRIVACY_COMMANDS.name}",
            source=kit.name,
            engine=kit.engine,
            store=ErasureStore(self.mark),
            decide=decider(kit.name, key_check(settings.privacy_key)),
            clock=now_utc,
            committed=kit.wake,
            reply=_no_replies,
            publishes_here=lambda: kit.relay.leads,
        )
        self.loop = Loop(PRIVACY_COMMANDS, applier, Catalogue(ErasePersonalData), kit.health, commands=True)
        kit.background.append(self._sweep)

    @property
    def screen(self) -> Screen:
        """What appliers look through that bring orders in."""
        return Screen(self.kit.settings.privacy_key)

    @property
    def performers(self) -> dict[str, "Eraser"]:
        return {TASK: self}

    @property
    def slots(self) -> dict[str, int]:
        return {TASK: 1}

    def applying(self, others: Apply) -> Apply:
        """What the task runner calls with results: ours are applied here, all others by the service."""

        async def apply(task: ClaimedTask, message: Message) -> None:
            if isinstance(message, Blanked):
                await self.loop.applier.apply_result(_result(task, message))
            else:
                await others(task, message)

        return apply

    async def __call__(self, task: ClaimedTask) -> Answered | Later:
        """Blanks every place, some orders at a time; what a try that was cut off did stays done."""
        if self.engine is None:
            return Later(SWEEP_EVERY_S, NO_ROLE)
        asked = read_task(task.payload)
        try:
            places = await self._blank_all(self.engine, await self._orders(self.engine, asked))
        except AWAY as error:
            return Later(2.0, f"the database is away: {error!r:.200}")
        passing("eraser.blanked")
        return Answered(Blanked(request_id=asked.request_id, places=places))

    async def _orders(self, engine: AsyncEngine, asked: EraseTask) -> Sequence[str]:
        if not asked.request_id:
            return asked.order_ids
        async with engine.connect() as connection:
            found = await connection.execute(_ORDERS, {"request_id": asked.request_id})
            order_ids: list[str] = found.scalar_one()
        return order_ids

    async def _blank_all(self, engine: AsyncEngine, order_ids: Sequence[str]) -> tuple[ErasedPlace, ...]:
        """The rows of each place that were not blank before.

        Parked messages first: they are found by addresses that another place still knows, and a try that
        is cut off behind that place leaves none for the next.
        """
        places = (Place("inbox", "parked messages", _parked), *self.places)
        ordered, counts = sorted(order_ids), [0] * len(places)
        for start in range(0, len(ordered), ORDERS_AT_ONCE):
            some = ordered[start : start + ORDERS_AT_ONCE]
            async with engine.connect() as connection:
                wanted = Wanted(some, await self.addresses(connection, some))
            for n, place in enumerate(places):
                counts[n] += await self._blank(engine, place, wanted)
        return tuple(
            ErasedPlace(place=p.table, what=p.what, count=c) for p, c in zip(places, counts, strict=True)
        )

    async def _blank(self, engine: AsyncEngine, place: Place, wanted: Wanted) -> int:
        """The rows of one place; waits for what has to end first, as long as the task has time."""
        while True:
            try:
                async with engine.connect() as connection:
                    count = await place.blank(connection, wanted)
                    await connection.commit()
                    return count
            except Unavailable as error:
                log.info("an erasure waits", table=place.table, reason=str(error))
                await asyncio.sleep(BUSY_PAUSE_S)

    async def _sweep(self) -> None:
        """Once a minute: what was parked raw after its order was erased."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            if self.engine is None or not self.kit.lease.held:
                continue
            try:
                async with self.engine.begin() as connection:
                    count = await blank_parked_late(connection)
            except AWAY as error:
                log.warning("late arrivals are blanked later", error=repr(error)[:200])
            else:
                if count:
                    log.info("late arrivals were blanked", parked=count)


def _result(task: ClaimedTask, message: Blanked) -> Incoming:
    envelope = wrap(message, source="eraser", subject=task.subject, time=now_utc())
    return Incoming(envelope.id, envelope, message, b"", task_id=task.id)


def _no_replies(answers: Sequence[Answer]) -> None:
    """Erasures are answered by events."""
