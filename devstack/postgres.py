"""PostgreSQL 18 from a wheel: one server process on a port and in a folder of its own."""

import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

from devstack.database_server import DatabaseServer, binary
from devstack.ports import HOST, is_free
from devstack.process import Process, StackError, wait_until
from devstack.secret_file import database_passwords

START_TIMEOUT_S = 60.0  # recovery of a large log after a crash included
STOP_TIMEOUT_S = 20.0
_FAST = signal.SIGINT  # PostgreSQL's name for: cut the clients, write everything, end

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a data folder's path may be longer than a socket's may
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "300",  # four services, several instances and tests, each with pools
    "shared_buffers": "256MB",
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

    @cached_property
    def process(self) -> Process:
        command = [str(binary("postgres")), "-D", str(self.data), "-p", str(self.port)]
        return Process("postgres", command, self.log, user=_user())

    @cached_property
    def server(self) -> DatabaseServer:
        """For SQL, databases and addresses."""
        return DatabaseServer(self.port, database_passwords(self.folder / "passwords.json"))

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Running, recovered, with roles and database; what was committed before is there."""
        if not is_free(self.port):
            raise StackError(f"port {self.port} is busy, PostgreSQL needs it")
        if not (self.data / "PG_VERSION").exists():
            self._format()
        self.revive()
        self.wait_in_service()
        self.server.prepare()

    def stop(self) -> None:
        """An orderly shutdown: clients are cut, everything is written."""
        self.process.stop(STOP_TIMEOUT_S, ask=_FAST)

    def kill(self) -> None:
        """SIGKILL to the postmaster and all its children, as a power cut would end them."""
        self.process.kill()

    def restart(self) -> None:
        """Starts what was killed or stopped; an orderly stop comes first if it still runs."""
        self.stop()
        self.revive()
        self.wait_in_service()

    def _format(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700, parents=True)
        password = self.folder / "superuser"
        password.touch(mode=0o600)
        password.write_text(self.server.passwords["postgres"])
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

    def revive(self) -> None:
        """Starts the process of a server that was killed or stopped; it is not awaited."""
        self._forget_the_dead()
        self.process.start()

    def wait_in_service(self) -> None:
        """Returns when the server answers. One that trips over its killed predecessor gets more tries."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                wait_until(
                    self.server.answers, what="PostgreSQL", timeout_s=START_TIMEOUT_S, process=self.process
                )
            except StackError:
                # The predecessor's last child may hold the shared memory for a moment more.
                in_use = "shared memory block" in self.process.last_words(4)
                if not in_use or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
                self.revive()
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


def _user() -> str:
    """Who the server runs as: PostgreSQL refuses root, so then it is nobody."""
    return "nobody" if os.geteuid() == 0 else "-"
