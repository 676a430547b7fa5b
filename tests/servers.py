"""Where tests get PostgreSQL and Kafka from: the devstack's engines, or containers.

The engines are shared by all test workers of this checkout, whichever comes first starts them,
and they end soon after the last worker has gone.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from devstack.database_server import DatabaseServer
from devstack.ports import HOST, SERVICES
from devstack.process import StackError
from devstack.secret_file import ROLE_KINDS, random_secret

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".data" / "test-engines"
# Idle consumers of tests ask their broker ten times a second, not fifty: there are many at a time.
FETCH_WAIT_S = "0.1"
QUIET_CONSUMERS = {f"{service.upper()}_KAFKA__FETCH_WAIT_S": FETCH_WAIT_S for service in SERVICES}
START_TIMEOUT_S = 280.0  # the first start of all downloads Kafka and prepares quick starts


@dataclass(frozen=True)
class Servers:
    """What a test needs to know about the two engines."""

    postgres: DatabaseServer
    bootstrap: str


@dataclass(frozen=True)
class DatabaseUrls:
    """The addresses of one fresh database, for SQLAlchemy with asyncpg."""

    server: DatabaseServer
    name: str

    def app(self, service: str) -> str:
        """As the service itself: it may use what migrations grant."""
        return self.server.url(f"{service}_app", self.name)

    def owner(self, service: str) -> str:
        """As the owner of the service's schema: it may migrate."""
        return self.server.url(f"{service}_owner", self.name)

    def eraser(self, service: str) -> str:
        """As the role that may blank personal data."""
        return self.server.url(f"{service}_eraser", self.name)

    @property
    def admin(self) -> str:
        """As the administrator, for a test's own look at every schema."""
        return self.server.url("postgres", self.name)


def new_database(server: DatabaseServer) -> DatabaseUrls:
    name = f"test_{secrets.token_hex(6)}"
    server.create_database(name)
    return DatabaseUrls(server, name)


@contextmanager
def servers() -> Iterator[Servers]:
    """The engines that PAYSTREAM_TEST_SERVERS names: ``devstack`` (default), ``testcontainers``."""
    source = os.environ.get("PAYSTREAM_TEST_SERVERS", "devstack")
    if source == "testcontainers":
        with _containers() as found:
            yield found
    elif source == "devstack":
        lease, found = _lease()
        with lease:
            yield found
    else:
        raise StackError(f"PAYSTREAM_TEST_SERVERS={source}: neither devstack nor testcontainers")


def _lease() -> tuple[socket.socket, Servers]:
    """An open connection that keeps the engines up, and where they are."""
    HOME.mkdir(parents=True, exist_ok=True)
    with FileLock(HOME / ".lock"):
        held = _take_lease()
        if held is None:
            _start_engines()
            held = _take_lease()
        if held is None:
            raise StackError(f"the test engines ended at once (log: {HOME / 'engines.log'})")
        return held


def _take_lease() -> tuple[socket.socket, Servers] | None:
    """None when no engines run, or they are just going."""
    try:
        port = int((HOME / "address").read_text())
        lease = socket.create_connection((HOST, port), timeout=5)
    except (OSError, ValueError):
        return None
    line = b""
    with suppress(OSError), lease.makefile("rb") as reader:
        line = reader.readline()
    if not line:
        lease.close()
        return None
    details = json.loads(line)
    server = DatabaseServer(details["postgres_port"], details["passwords"])
    return lease, Servers(server, details["bootstrap"])


def _start_engines() -> None:
    """A process that outlives the worker which happened to be first."""
    address = HOME / "address"
    address.unlink(missing_ok=True)
    with (HOME / "engines.log").open("wb") as log:
        holder = subprocess.Popen(
            [sys.executable, "-m", "devstack.engines", str(HOME)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not address.exists():
        if holder.poll() is not None:
            words = (HOME / "engines.log").read_text().strip().splitlines()
            raise StackError(words[-1] if words else "the test engines ended at once")
        if time.monotonic() > deadline:
            holder.terminate()
            raise StackError(f"the test engines were not ready within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.1)
    # It is waited for by nobody: it ends by itself, after this worker perhaps.
    holder.returncode = 0


@contextmanager
def _containers() -> Iterator[Servers]:
    """The same two servers in Docker, one pair for each test worker."""
    from testcontainers.kafka import KafkaContainer  # noqa: PLC0415 - needs Docker to be useful
    from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 - as above

    passwords = {f"{s}_{kind}": random_secret() for s in SERVICES for kind in ROLE_KINDS}
    passwords["postgres"] = random_secret()
    database = PostgresContainer(
        "postgres:18", username="postgres", password=passwords["postgres"], driver=None
    )
    broker = KafkaContainer("confluentinc/cp-kafka:7.9.0").with_kraft()
    try:
        database.start()
        broker.start()
    except Exception as error:  # Docker's client raises whatever it met
        raise StackError(f"containers could not be started: {error}") from error
    try:
        server = DatabaseServer(
            int(database.get_exposed_port(5432)), passwords, database.get_container_host_ip()
        )
        server.prepare()
        yield Servers(server, broker.get_bootstrap_server())
    finally:
        broker.stop()
        database.stop()
