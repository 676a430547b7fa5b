"""A stack's data folder: one stack at a time, and a note of what runs in it."""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from devstack.process import Process, StackError

NOTE = "stack.json"


@dataclass(frozen=True)
class Running:
    """One process. Its start time tells it from a later one that got the same number."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "Running":
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, if it still lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if process.create_time() == self.started_at and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


@dataclass(frozen=True)
class Note:
    """The process that runs the stack, its first port, its children by name."""

    stack: Running
    port_base: int
    children: dict[str, Running]

    def end_leftovers(self) -> int:
        """Kills the children that outlived their stack; how many there were."""
        found = [process for child in self.children.values() if (process := child.find())]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                for member in [*process.children(recursive=True), process]:
                    member.kill()
        psutil.wait_procs(found, timeout=10)
        return len(found)


class DataFolder:
    """``take`` before writing to it; the lock ends with this process, however that ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self._lock = FileLock(self.path / ".lock", thread_local=False)

    def take(self) -> None:
        """Ours from here on, and nothing of a former stack runs in it."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            note = self.note()
            who = f"process {note.stack.pid}" if note else "another process"
            raise StackError(f"a stack already runs in {self.path} ({who})") from None
        if note := self.note():
            note.end_leftovers()

    def release(self) -> None:
        self._lock.release()

    def wipe(self) -> None:
        """Removes the folder, if a stack made it and none uses it."""
        if not self.path.exists():
            return
        if not (self.path / NOTE).exists() and any(self.path.iterdir()):
            raise StackError(f"{self.path} holds no stack's data, so it is not wiped")
        self.take()
        self.release()
        shutil.rmtree(self.path)

    def begin_logs(self) -> None:
        """Empty logs for this run; those of the run before stay as ``*.log.1``."""
        self.logs.mkdir(parents=True, exist_ok=True)
        for log in self.logs.glob("*.log"):
            log.replace(log.with_suffix(".log.1"))

    def write_note(self, port_base: int, processes: Mapping[str, Process]) -> None:
        children = {}
        for name, process in processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.pid and process.alive:
                    children[name] = Running.of(process.pid)
        note = Note(Running.of(os.getpid()), port_base, children)
        draft = self.path / f"{NOTE}.draft"
        draft.write_text(json.dumps(asdict(note), indent=2))
        draft.replace(self.path / NOTE)

    def note(self) -> Note | None:
        """None when no stack ever ran here."""
        try:
            held = json.loads((self.path / NOTE).read_text())
        except (OSError, ValueError):
            return None
        children = {name: Running(**child) for name, child in held["children"].items()}
        return Note(Running(**held["stack"]), held["port_base"], children)
