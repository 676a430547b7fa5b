"""One operating-system process of the stack: started, watched, hurt and stopped by name."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_GUARD = Path(__file__).with_name("guard.py")
_POLL_S = 0.05
FREEZE_TIMEOUT_S = 10.0  # milliseconds, unless the machine is very busy


class StackError(Exception):
    """Something that a person can mend, said in one line."""


@dataclass
class Process:
    """A command in a session of its own, its output in a log file; never outlives us."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str = "-"
    _popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the process, appending to its log. Ready is a question for its owner."""
        if self.alive:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._popen = _spawner.run(self._spawn)

    def _spawn(self) -> subprocess.Popen[bytes]:
        guard = [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), self.user]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*guard, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.env) if self.env else None,
                cwd=self.cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen else None

    @property
    def alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll() if self._popen else None

    def send(self, number: signal.Signals) -> None:
        """Sends one signal to the process itself, if it lives."""
        if self._popen is not None and self.alive:
            self._popen.send_signal(number)

    def freeze(self) -> None:
        """SIGSTOP to it and all it started: alive for the kernel, silent for everyone when this returns."""
        self._each(signal.SIGSTOP)
        wait_until(self._is_frozen, what=f"{self.name}, told to freeze,", timeout_s=FREEZE_TIMEOUT_S)

    def _is_frozen(self) -> bool:
        """Whether its last thread has stopped, or it died: until then it still answers."""
        if sys.platform != "linux" or self._popen is None or not self.alive:
            return True  # elsewhere Python cannot ask before 3.13
        states = os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._popen.pid, states) is not None

    def thaw(self) -> None:
        self._each(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to it and all it started; returns when they are gone."""
        if self._popen is None:
            return
        family = self._each(signal.SIGKILL)
        self._popen.wait()
        psutil.wait_procs(family, timeout=10)

    def stop(self, timeout_s: float, ask: signal.Signals = signal.SIGTERM) -> bool:
        """Asks it to end and waits; kills what stays. True when it ended by itself."""
        if self._popen is None or not self.alive:
            return True
        self.thaw()
        self.send(ask)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout_s)
            return True
        self.kill()
        return False

    def wait(self, timeout_s: float) -> int:
        """The exit code of a process that ends by itself; a StackError when it does not."""
        if self._popen is None:
            raise StackError(f"{self.name} was never started")
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise StackError(f"{self.name} did not end within {timeout_s:.0f} s") from late

    def last_words(self, lines: int = 1) -> str:
        """The end of its log, for an error message."""
        if not self.log.exists():
            return ""
        text = self.log.read_bytes()[-20_000:].decode(errors="replace")
        return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])

    def _each(self, number: signal.Signals) -> list[psutil.Process]:
        if self._popen is None or not self.alive:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            head = psutil.Process(self._popen.pid)
            family = [head, *head.children(recursive=True)]
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.send_signal(number)
            return family
        return []


def wait_until(
    ready: Callable[[], bool], *, what: str, timeout_s: float, process: Process | None = None
) -> None:
    """Returns once ``ready()`` says so; else a StackError that names what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process is not None and not process.alive:
            raise StackError(
                f"{what} ended with exit code {process.exit_code} while starting: "
                f"{process.last_words()} (log: {process.log})"
            )
        if time.monotonic() > deadline:
            where = f" (log: {process.log})" if process else ""
            raise StackError(f"{what} was not ready within {timeout_s:.0f} s{where}")
        time.sleep(_POLL_S)


class _Spawner:
    """One thread, as long-lived as this process, that starts every child.

    The kernel's death signal follows the *thread* that started a child: started by a short-lived
    worker thread, a child would die with that.
    """

    def __init__(self) -> None:
        self._wishes: queue.SimpleQueue[
            tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]
        ] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, spawn: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="spawner", daemon=True)
                self._thread.start()
        done: Future[subprocess.Popen[bytes]] = Future()
        self._wishes.put((spawn, done))
        return done.result()

    def _work(self) -> None:
        while True:
            spawn, done = self._wishes.get()
            try:
                done.set_result(spawn())
            except OSError as error:
                done.set_exception(error)


_spawner = _Spawner()
