"""One PostgreSQL per service: connections with every limit set, errors by class, migrations, leases.

The roles and schemas exist already (devstack, compose file or your administrator makes them).
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from shared.errors import Unavailable
from shared.settings import DatabaseSettings

log = structlog.get_logger()

SESSION = {
    "lock_timeout": "2000",  # ms; a lock held longer is a fault, and the whole batch is tried again
    "statement_timeout": "10000",  # ms; the slowest statement of a full batch takes well under 1 s
    "idle_in_transaction_session_timeout": "5000",  # ms; a frozen process must not keep its locks
    "transaction_timeout": "30000",  # ms; the outbox floor counts on it (PostgreSQL 17 and later)
    "synchronous_commit": "on",
    # A plan prepared while a table was empty reads it whole for ever; every look-up here has its index.
    "enable_seqscan": "off",
}
MIGRATION_LOCK = 729_431_055  # any number that nobody else uses
AWAY = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class WrongIsolation(Exception):
    """A transaction does not run at READ COMMITTED: locks would not show what others committed."""


def new_engine(settings: DatabaseSettings, schema: str) -> AsyncEngine:
    """A pool whose sessions see `schema` alone, run at READ COMMITTED and give up in time."""
    return create_async_engine(
        settings.url.get_secret_value(),
        isolation_level="READ COMMITTED",
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=False,
        hide_parameters=True,  # error texts are logged and kept with parked messages
        connect_args={
            "timeout": 5,
            "server_settings": {**SESSION, "search_path": schema, "application_name": schema},
        },
    )


def plain_url(url: str) -> str:
    """The same address for asyncpg itself."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def sqlstate(error: BaseException) -> str | None:
    """The five-character code under an exception of any layer, or None."""
    seen: BaseException | None = error
    while seen is not None:
        state = getattr(seen, "sqlstate", None)
        if isinstance(state, str):
            return state
        seen = getattr(seen, "orig", None) or seen.__cause__
    return None


def caused_by_message(error: BaseException) -> bool:
    """Whether a message can have caused this error; everything else is infrastructure.

    SQLSTATE class 22 (bad data, also when the driver refuses a value), 23 (constraint), 54 (too large, for an
    index for one) and 21 (one row twice in a statement), and any error that is neither a database's nor a
    network's nor an outage's: a decider that raised.
    """
    state = sqlstate(error)
    if state is not None:
        return state[:2] in ("21", "22", "23", "54")
    return not isinstance(error, (*AWAY, Unavailable, WrongIsolation, MemoryError))


def cancelled_statement(error: BaseException) -> bool:
    """Whether the statement ran into its time limit (57014): three times alone, and the message is parked."""
    return sqlstate(error) == "57014"


async def wait_until_up(engine: AsyncEngine) -> None:
    """Returns once the database answers; says what it waits for, without limit."""
    while True:
        try:
            async with asyncio.timeout(5), engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except AWAY as error:
            log.warning("waiting for PostgreSQL", server=str(engine.url), error=repr(error)[:200])
            await asyncio.sleep(0.5)
        else:
            return


# --- migrations -------------------------------------------------------------------------------------------


def _alembic(schema: str, folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("version_locations", str(folder))
    config.set_main_option("path_separator", "os")
    config.attributes["schema"] = schema
    return config


async def migrate(owner_url: str, schema: str, folder: Path) -> None:
    """Brings `schema` to the newest version in `folder`. Safe to run from several places at once."""
    engine = create_async_engine(
        owner_url, connect_args={"timeout": 5, "server_settings": {"search_path": schema}}
    )
    event.listen(engine.sync_engine, "do_execute", _send_scripts_whole)
    try:
        await wait_until_up(engine)
        async with engine.connect() as connection:
            await _one_at_a_time(connection, schema)
            await connection.run_sync(_upgrade, _alembic(schema, folder))
            await connection.commit()
    finally:
        await engine.dispose()


async def _one_at_a_time(connection: AsyncConnection, schema: str) -> None:
    # Tried in a loop: a session that waits for an advisory lock deadlocks with CREATE INDEX CONCURRENTLY.
    statement = text("SELECT pg_try_advisory_lock(:n, hashtext(:schema))")
    while not (await connection.execute(statement, {"n": MIGRATION_LOCK, "schema": schema})).scalar_one():
        log.info("another process migrates the database", schema=schema)
        await connection.commit()
        await asyncio.sleep(0.5)
    await connection.commit()


def _send_scripts_whole(
    cursor: DBAPICursor, statement: str, parameters: object, context: ExecutionContext | None
) -> bool:
    """A revision may execute several statements at once, which asyncpg takes only unprepared."""
    if context is None or parameters or ";" not in statement.rstrip().rstrip(";"):
        return False
    cursor.execute("SELECT 1")  # the adapter opens its transaction with the first statement it sees
    connection = context.root_connection.connection.driver_connection
    await_only(connection.execute(statement))  # type: ignore[union-attr]
    return True


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def check_version(engine: AsyncEngine, schema: str, folder: Path) -> None:
    """Waits until the schema has the version this code was written for, saying so."""
    wanted = ScriptDirectory.from_config(_alembic(schema, folder)).get_current_head()

    def current(connection: Connection) -> str | None:
        options = {"version_table_schema": schema}
        return MigrationContext.configure(connection, opts=options).get_current_revision()

    while True:
        try:
            async with asyncio.timeout(5), engine.connect() as connection:
                have = await connection.run_sync(current)
        except AWAY as error:
            log.warning("waiting for PostgreSQL", server=str(engine.url), error=repr(error)[:200])
        else:
            if have == wanted:
                return
            log.warning("waiting for the migration of the schema", schema=schema, have=have, want=wanted)
        await asyncio.sleep(0.5)


# --- wake-ups -----------------------------------------------------------------------------------------------


class Listener:
    """Calls back on each NOTIFY of its channels, and once after every reconnect. Never relied on alone.

    Channels are per database, so each is named `<schema>.<channel>` there.
    """

    def __init__(self, url: str, callbacks: dict[str, Callable[[str], None]], schema: str) -> None:
        self._url = plain_url(url)
        self._schema = schema
        self._callbacks = callbacks
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except AWAY as error:
                log.warning("the wake-up connection was lost", error=repr(error))
            await asyncio.sleep(0.5)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=5)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        try:
            for channel, callback in self._callbacks.items():
                await connection.add_listener(f"{self._schema}.{channel}", _called(callback))
                callback("")
            await closed.wait()
        finally:
            await connection.close(timeout=2)


def _called(callback: Callable[[str], None]) -> Callable[..., None]:
    def on_notify(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        callback(str(payload))

    return on_notify
