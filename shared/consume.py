"""The batch loop: every record that comes in leaves with an outcome, and only then is its offset committed.

What a message can cause parks that message; everything else is infrastructure and the whole batch is
tried again, without limit, while the service says it is not ready.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from shared import inbox
from shared.apply import Applier
from shared.database import cancelled_statement, caused_by_message
from shared.decision import Answer
from shared.decoding import decode_record
from shared.errors import Malformed, NotFound, Rejected
from shared.health import Health
from shared.inbox import Incoming, Parking, Record
from shared.kafka import Topic
from shared.messages.base import Catalogue
from shared.observability import MESSAGES
from shared.pace import Pace
from shared.starts import STARTS_MAX, Starts

log = structlog.get_logger()

S = TypeVar("S")

BATCH_MAX = 200  # more per transaction gains nothing (docs/performance.md)
DECIDING_MAX_S = 0.02  # batches are cut so that deciding one takes about this long at most
BACKOFF_MAX_S = 5.0
BUG_BACKOFF_MIN_S = 0.5  # each try leaves a traceback in the log
PARKED_IN_A_ROW_MAX = 20  # so many well-formed messages that no rule refuses: the code is bad
CANCELLED_MAX = 3  # statements that ran into their time limit, before the message is to blame


class LoopStopped(Exception):
    """Too many messages in a row would be parked: a person must look before more are."""


class Abandoned(Exception):
    """The process stops while its infrastructure is away: nothing is committed, another reads it again."""


@dataclass(slots=True)
class Loop(Generic[S]):
    """One topic's consumer in one process. `keyed`: the Kafka key must be the message's subject."""

    topic: Topic
    applier: Applier[S]
    catalogue: Catalogue
    health: Health
    keyed: bool = True
    commands: bool = False  # an unknown command is parked; an unknown event is skipped
    pace: Pace = field(default_factory=Pace)
    lane: int = 0  # tells several members of one group in one process apart: one decides while one commits
    progress_at: float = field(default_factory=time.monotonic)
    waiting_since: float | None = None  # when records were first seen to wait; for the watchdog
    _limit: int = BATCH_MAX
    _parked_in_a_row: int = 0
    _starts: Starts = field(init=False)
    _at_work: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._starts = Starts(self.applier.engine, self.name, self.topic.name)

    @property
    def name(self) -> str:
        return self.applier.consumer

    @property
    def label(self) -> str:
        """The loop's own name in this process: its consumer's, and which lane of it."""
        return f"{self.name}.{self.lane}" if self.lane else self.name

    async def handle(self, records: Sequence[Record]) -> bool:
        """True once every record is applied, ignored or parked: their offsets may be committed.

        False when the process stops before that. Never raises for a message's fault.
        """
        try:
            async with self._at_work:
                await self._settle(records)
        except Abandoned:
            return False
        except LoopStopped as stop:
            await self.halt(str(stop))
            return False
        self.health.report(self.label, None)
        await self.pace.after(len(records))
        return True

    def shared_out_anew(self) -> None:
        """Before the first batch after the group was shared out: others may have died in our partitions."""
        self._starts.shared_out_anew()

    async def at_rest(self, partitions: Sequence[int]) -> None:
        """Nothing waits in these partitions: starts that others left there are forgotten."""
        if not self._at_work.locked():
            async with self._at_work:
                await self._starts.done(partitions)

    def stop(self) -> None:
        """Lets work in hand finish, but waits for nothing that is away."""
        self._stopping.set()

    async def until_settled(self, work: Callable[[], Awaitable[None]]) -> None:
        """`work()` for one batch, again after each bug in the loop itself, until it ends well or we stop.

        No later batch may pass this one, and a process that holds partitions without ever reading again is
        worse than one that repeats: what a try has done already is absorbed by the inbox.
        """
        delay_s = BUG_BACKOFF_MIN_S
        while True:
            try:
                return await work()
            except Exception as error:
                log.exception("the loop itself failed", consumer=self.name)
                self.health.report(self.label, f"a bug in the loop: {error!r:.300}")
            try:
                await self._wait(delay_s)
            except Abandoned:
                return None
            delay_s = min(BACKOFF_MAX_S, delay_s * 2)

    async def halt(self, why: str) -> None:
        """Stops consuming, says so, and stays until the process ends. Nothing is lost by it."""
        self.health.report(self.label, f"stopped: {why}")
        log.critical("the loop has stopped", consumer=self.name, why=why)
        await self._stopping.wait()

    async def replay(self, message_id: str, person: str) -> list[Answer]:
        """Applies one parked message now, in one transaction with its `parked → applied`.

        Raises NotFound when it is not parked (any more), so two clicks act once; Rejected when its id
        was applied from another record; Malformed, or the decider's error, when it still cannot be
        processed: then it stays parked.
        """
        applier = self.applier
        async with applier.engine.begin() as connection:
            record = await inbox.unpark(connection, self.name, message_id, person)
            if record is None:
                raise NotFound("not-parked", f"{message_id} is not parked at {self.name} (any more)")
            incoming = self._decode(record)
            fresh = [incoming] if incoming else []
            if incoming and incoming.id != message_id:
                fresh, _ = await inbox.claim(connection, self.name, fresh)
                if not fresh:
                    raise Rejected("already-applied", f"{incoming.id} was applied from another record")
            replies = await applier.within(connection, fresh)
        applier.after_commit(replies)
        log.warning("replayed", consumer=self.name, id=message_id, person=person)
        return replies

    # --- decoding -----------------------------------------------------------------------------------------

    def decoded(self, records: Sequence[Record]) -> tuple[list[Incoming], list[Parking]]:
        """(messages to apply, records to park); unknown events and tombstones are skipped and counted."""
        batch: list[Incoming] = []
        parkings: list[Parking] = []
        for record in records:
            try:
                incoming = self._decode(record)
            except Malformed as error:
                parkings.append(Parking(record, f"{error.code}: {error.detail}"))
                continue
            if incoming is None:
                MESSAGES.labels(self.name, "skipped").inc()
            else:
                batch.append(incoming)
        return batch, parkings

    def _decode(self, record: Record) -> Incoming | None:
        return decode_record(record, self.catalogue, keyed=self.keyed, commands=self.commands)

    # --- the failure ladder ---------------------------------------------------------------------------------

    async def _settle(self, records: Sequence[Record]) -> None:
        died_before = await self._retried(lambda: self._starts.mark(records))
        rest = list(records)
        while rest:
            chunk, rest = rest[: self._limit], rest[self._limit :]
            if died_before:
                for record in chunk:
                    await self._counted(record)
            else:
                await self._together(chunk)
            self._adapt(len(chunk))
        await self._retried(lambda: self._starts.survived(records, counted=died_before))

    def _adapt(self, count: int) -> None:
        """The next batches are as long as may be decided in DECIDING_MAX_S, judging by the last one."""
        spent = self.applier.deciding.seconds
        if spent > DECIDING_MAX_S:
            self._limit = max(1, int(count * DECIDING_MAX_S / spent))
        elif self._limit < BATCH_MAX:
            self._limit = min(BATCH_MAX, self._limit * 2)

    async def _together(self, records: Sequence[Record]) -> None:
        batch, parkings = self.decoded(records)
        if await self._applied(batch, parkings):
            self._parked_in_a_row = 0 if batch else self._parked_in_a_row
            return
        await self._retried(lambda: self.applier.apply([], parkings))
        for incoming in batch:
            await self._alone(incoming)

    async def _applied(self, batch: Sequence[Incoming], parkings: Sequence[Parking]) -> bool:
        """False when some message of the batch is to blame; then each has to run alone."""
        try:
            await self._retried(lambda: self.applier.apply(batch, parkings), may_blame=True)
        except (Abandoned, LoopStopped):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a decider can raise
            text = inbox.cleaned(repr(error))[:500]
            log.warning("a batch failed; each message runs alone", consumer=self.name, error=text)
            return False
        return True

    async def _alone(self, incoming: Incoming) -> None:
        """Applies one message, or parks it when it is to blame."""
        try:
            await self._retried(lambda: self.applier.apply([incoming]), may_blame=True)
        except (Abandoned, LoopStopped):
            raise
        except Exception as error:
            counted = not isinstance(error, Rejected)  # a rule that says no is no bug, however often
            if counted and self._parked_in_a_row + 1 >= PARKED_IN_A_ROW_MAX:
                raise LoopStopped(
                    f"{PARKED_IN_A_ROW_MAX} messages in a row failed, the last with {error!r}: this is a bug "
                    "or a bad release, not bad messages; mend it and start again, nothing is lost"
                ) from error
            log.exception("a message cannot be applied", consumer=self.name, id=incoming.id)
            await self._park(incoming, inbox.described(error))
            self._parked_in_a_row += counted
        else:
            self._parked_in_a_row = 0

    async def _park(self, incoming: Incoming, reason: str) -> None:
        if incoming.record is None:
            raise TypeError(f"{incoming.id} did not come from Kafka and cannot be parked")
        parking = Parking(incoming.record, reason, incoming.id, incoming.fingerprint)
        await self._retried(lambda: self.applier.apply([], [parking]))

    async def _retried(self, work: Callable[[], Awaitable[Any]], *, may_blame: bool = False) -> Any:
        """`work()`, again and again while infrastructure fails; raises what a message is to blame for."""
        delay_s, cancelled = 0.05, 0
        while True:
            try:
                result = await work()
            except Exception as error:
                cancelled += cancelled_statement(error)
                if may_blame and (caused_by_message(error) or cancelled >= CANCELLED_MAX):
                    raise
                self.health.report(self.label, f"waiting for its database: {error!r:.300}")
                log.warning("trying again", consumer=self.name, error=repr(error)[:300])
                await self._wait(delay_s)
                delay_s = min(BACKOFF_MAX_S, delay_s * 2)
            else:
                self.progress_at = time.monotonic()
                return result

    async def _wait(self, delay_s: float) -> None:
        if self._stopping.is_set():
            raise Abandoned
        try:
            async with asyncio.timeout(delay_s):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise Abandoned

    # --- messages that kill the process ---------------------------------------------------------------------

    async def _counted(self, record: Record) -> None:
        """One record alone, its start counted first; parked when work on it has killed too many processes."""
        begun = await self._retried(lambda: self._starts.count(record))
        batch, parkings = self.decoded([record])
        if parkings:
            await self._retried(lambda: self.applier.apply([], parkings))
        for incoming in batch:
            if begun > STARTS_MAX:
                await self._park(incoming, f"the process died {begun - 1} times while it worked on this")
            else:
                await self._alone(incoming)
