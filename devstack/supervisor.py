"""Notices the deaths of a stack's processes; brings them back when told to, never silently."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from devstack.process import Process

_LOOK_S = 0.25
_PAUSES_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)  # between restarts of what dies again and again
_CALM_S = 60.0  # lived so long: its next death counts as the first


class Watched(Protocol):
    """What a supervisor needs of a stack."""

    def all_processes(self) -> dict[str, Process]: ...
    def revive(self, name: str) -> None: ...


class Supervisor:
    """Knows which parts should live. ``respawns`` counts, the log tells each."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._expected: set[str] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._deaths: dict[str, tuple[int, float]] = {}
        self.respawns: dict[str, int] = {}

    def expect(self, name: str) -> None:
        self._expected.add(name)

    def forget(self, name: str) -> None:
        self._expected.discard(name)

    def watch(self, stack: Watched) -> None:
        """Starts looking after the stack, in a thread of its own."""
        self._ended.clear()
        self._thread = threading.Thread(target=self._work, args=(stack,), name="supervisor", daemon=True)
        self._thread.start()

    def rest(self) -> None:
        """Returns when nothing will be brought back any more."""
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def note(self, text: str) -> None:
        """One line in the stack's own log."""
        with self._log.open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")

    def _work(self, stack: Watched) -> None:
        while not self._ended.wait(_LOOK_S):
            for name, process in stack.all_processes().items():
                if name in self._expected and not process.alive and not self._ended.is_set():
                    self._bring_back(stack, name, process)

    def _bring_back(self, stack: Watched, name: str, process: Process) -> None:
        deaths, last = self._deaths.get(name, (0, 0.0))
        now = time.monotonic()
        deaths = 1 if now - last > _CALM_S else deaths + 1
        self._deaths[name] = (deaths, now)
        pause_s = _PAUSES_S[min(deaths, len(_PAUSES_S)) - 1]
        self.note(f"{name} died (exit code {process.exit_code}); starting it again in {pause_s} s")
        if self._ended.wait(pause_s) or name not in self._expected:
            return
        self.respawns[name] = self.respawns.get(name, 0) + 1
        stack.revive(name)
        self.note(f"{name} was started again (respawn {self.respawns[name]})")
