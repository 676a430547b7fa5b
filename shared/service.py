"""The life of a service process: start in order, run, stop in order. Composition roots build on it."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvloop
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import answers, database, failpoints, http_server, inbox, preflight, task_rows
from shared.consume import Loop
from shared.decision import Answer
from shared.errors import NotFound
from shared.health import Health
from shared.http_server import AsgiApp, Server
from shared.kafka import TOPICS, Topic, UnfitTopic, declare
from shared.leases import Lease
from shared.observability import OpsApp, configure_logs
from shared.outbox import WAKE_CHANNEL, Relay
from shared.preflight import Unfit
from shared.publish import Publisher
from shared.settings import ServiceSettings
from shared.subscribe import Subscriptions
from shared.tasks import Tasks

log = structlog.get_logger()

T = TypeVar("T", bound=ServiceSettings)

CLEANING_EVERY_S = 60.0
COLLECT_EVERY_S = 10.0  # some milliseconds each: what was there at start is frozen
CLEANING_BATCH = 5000  # rows per transaction: some tens of milliseconds
CLEANING_PAUSE_S = 0.2  # between batches, so that cleaning never competes with work
STALLED_S = 2.0  # an acknowledgement takes milliseconds


class Kit:
    """Everything a service process has besides its own rules, built from its settings.

    Parts exist when the service needs them: a service without tasks has no task runner. `run` starts
    them in order (database, migration, topics, producer, relay, tasks, loops, HTTP) and stops them in
    reverse, so that nothing is accepted that cannot be finished.
    """

    def __init__(self, name: str, settings: ServiceSettings, migrations: Path) -> None:
        self.name = name
        self.settings = settings
        self.health = Health()
        self.engine: AsyncEngine = database.new_engine(settings.database, name)
        self.publisher = Publisher(settings.kafka)
        self.owner = f"{name}-{settings.instance}"
        self.lease = Lease(self.engine, "relay", self.owner)
        self.relay = Relay(self.engine, self.publisher, self.lease)
        self.tasks: Tasks | None = None
        self.loops: list[Loop[Any]] = []
        self.uses: tuple[Topic, ...] = ()
        self.started: list[Callable[[], Coroutine[Any, Any, None]]] = []  # run before the first message
        self.stopping: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.background: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.channels: dict[str, Callable[[str], None]] = {}
        self.apps: list[tuple[AsgiApp, str, int]] = []
        self._migrations = migrations
        self._running: list[asyncio.Task[None]] = []
        self._relaying: asyncio.Task[None] | None = None
        self._servers: list[tuple[Server, asyncio.Task[None]]] = []
        self._listener: database.Listener | None = None
        self._subscriptions: Subscriptions | None = None

    def wake(self) -> None:
        """After a commit: the relay and the tasks look at once instead of at their next poll."""
        self.relay.wake()
        if self.tasks:
            self.tasks.wake()

    async def replay(self, consumer: str, message_id: str, person: str) -> list[Answer]:
        """Applies one parked message now; see `Loop.replay`. Raises NotFound for an unknown consumer."""
        for loop in self.loops:
            if loop.name == consumer:
                return await loop.replay(message_id, person)
        raise NotFound("no-such-consumer", f"{self.name} has no consumer {consumer}")

    async def migrate(self) -> None:
        """Brings the schema up to date with the owner's role."""
        owner_url = self.settings.database.owner_url
        if owner_url is None:
            raise SystemExit(f"{self.name}: set …_DATABASE__OWNER_URL to migrate")
        await database.migrate(owner_url.get_secret_value(), self.name, self._migrations)

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; ends in order."""
        stop = asyncio.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
        self.health.report("start", "the service is starting")
        ops = self.settings.ops
        ops_server, ops_task = await _listen(OpsApp(self.health), ops.host, ops.port)
        starting = asyncio.create_task(self._start())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if starting.done():
                starting.result()
                await self._wait_for_end(stopped)
            else:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        finally:
            await self._stop()
            await http_server.stop(ops_server, ops_task)

    async def _start(self) -> None:
        settings = self.settings
        await database.wait_until_up(self.engine)
        if settings.database.owner_url is not None:
            await self.migrate()
        await database.check_version(self.engine, self.name, self._migrations)
        await declare(settings.kafka, self.name, self.uses)
        mine = [t for t in TOPICS.values() if t.owner == self.name]
        await preflight.check(self.engine, settings.kafka, mine, strict=settings.mode == "production")
        await self.publisher.start()
        self._spawn(self.lease.keep)
        self._relaying = self._spawn(self.relay.run)
        channels = {WAKE_CHANNEL: lambda _: self.relay.wake(), **self.channels}
        url = settings.database.url.get_secret_value()
        self._listener = database.Listener(url, channels, schema=self.name)
        self._listener.start()
        for step in self.started:
            await step()
        if self.tasks:
            self._spawn(self.tasks.run)
        for job in (*self.background, self._clean, self._observe, _collect):
            self._spawn(job)
        self._subscriptions = Subscriptions(settings.kafka, self.loops, self.owner, settings.instance)
        await self._subscriptions.start()
        self._spawn(lambda: self._watched(self._subscriptions))
        for app, host, port in self.apps:
            self._servers.append(await _listen(app, host, port))
        gc.collect()
        gc.freeze()  # what exists now lives as long as the process: do not scan it again (measured: +14 %)
        gc.set_threshold(50_000, 50, 50)  # so rarely that `_collect` must see to what few objects hold
        self.health.report("start", None)
        log.info("ready", ports=[port for _, _, port in self.apps])

    async def _watched(self, subscriptions: Subscriptions | None) -> None:
        if subscriptions:
            await subscriptions.watch(self.health)

    def _spawn(self, job: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(job())
        self._running.append(task)
        return task

    async def _wait_for_end(self, stopped: asyncio.Task[bool]) -> None:
        """Ends on a signal, or when a part that must not end has: then the process dies and is replaced."""
        done, _ = await asyncio.wait({stopped, *self._running}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            log.critical("a part of the service ended", error=repr(task.exception()))
            task.result()

    async def _stop(self) -> None:
        """Each step leaves the next ones all they need: requests, then messages, tasks, events."""
        self.health.report("stop", "the service is stopping")
        for server, task in self._servers:
            await http_server.stop(server, task)
        if self._subscriptions:
            await _quietly(self._subscriptions.stop(), 15)
        if self.tasks:
            await _quietly(self.tasks.finish())
        for step in self.stopping:
            await _quietly(step())
        if self._relaying:
            self.relay.finish()
            await asyncio.wait({self._relaying}, timeout=5)
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._relaying:
            await _quietly(self.lease.release())
        if self._listener:
            await self._listener.stop()
        await _quietly(self.publisher.stop())
        await self.engine.dispose()
        log.info("stopped")

    async def _observe(self) -> None:
        """The service is not ready while nothing it says can reach Kafka."""
        while True:
            stalled_s = self.publisher.stalled_s()
            if not self.publisher.connected:
                self.health.report("kafka.producer", "waiting for Kafka")
            elif stalled_s > STALLED_S:
                self.health.report("kafka.producer", f"no acknowledgement for {stalled_s:.0f} s")
            else:
                self.health.report("kafka.producer", None)
            await asyncio.sleep(0.5)

    async def _clean(self) -> None:
        """Deletes what is past its retention, a little at a time; makes room in the archive ahead of need."""
        while True:
            await asyncio.sleep(CLEANING_EVERY_S)
            await _quietly(self.clean_once(), CLEANING_EVERY_S)

    async def clean_once(self) -> None:
        """Everything that is due to be cleaned; one small transaction after the other."""
        async with self.engine.begin() as connection:
            await connection.execute(text("SELECT outbox_partitions_ahead()"))
        for delete_old in (inbox.delete_old, task_rows.delete_old, answers.delete_old):
            deleted = CLEANING_BATCH
            while deleted == CLEANING_BATCH:
                async with self.engine.begin() as connection:
                    deleted = await delete_old(connection, limit=CLEANING_BATCH)
                await asyncio.sleep(CLEANING_PAUSE_S)


async def _listen(app: AsgiApp, host: str, port: int) -> tuple[Server, asyncio.Task[None]]:
    server = http_server.new_server(app, host, port)
    try:
        return server, await http_server.serve(server)
    except OSError as error:
        raise Unfit(f"cannot listen on {host}:{port}: {error}") from error


async def _collect() -> None:
    """Frees cycles regularly: a failed connection holds much memory in few objects; nothing counts bytes."""
    while True:
        await asyncio.sleep(COLLECT_EVERY_S)
        gc.collect()


async def _quietly(work: Coroutine[Any, Any, Any], timeout_s: float = 10) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await work
    except Exception as error:  # noqa: BLE001 - the steps after it matter more
        log.warning("skipped", error=repr(error)[:300])


def read_settings(name: str, read: Callable[[], T]) -> T:
    """The settings, with logs and failpoints set up; wrong ones are one clear message and exit code 2."""
    try:
        settings = read()
    except ValidationError as error:
        prefix = f"{name.upper()}_"
        for problem in error.errors():
            where = "__".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{name}: setting {prefix}{where}: {problem['msg']}\n")
        raise SystemExit(2) from None
    configure_logs(settings.log, name)
    failpoints.arm(settings.failpoint)
    return settings


def main(name: str, read: Callable[[], T], build: Callable[[T], Kit], arguments: Sequence[str]) -> None:
    """`python -m services.NAME [migrate]`: what keeps it from starting is one clear line and exit code 3."""
    settings = read_settings(name, read)

    async def life() -> None:
        kit = build(settings)
        await (kit.migrate() if list(arguments) == ["migrate"] else kit.run())

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(life())
    except (Unfit, UnfitTopic) as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise SystemExit(3) from None
