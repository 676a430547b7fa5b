"""The ledger of truth: an append-only file of facts, and the tables that it adds up to.

One line is one action with everything it changed, so an action is in the file whole or not at all.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from devstack.simulator.clock import Clock

R = TypeVar("R", bound="Row")


class LedgerInUse(Exception):
    """Two processes must not write one ledger."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that can be changed only by putting its next version."""

    id: str


class Change(msgspec.Struct, frozen=True):
    """One row as it is after an action."""

    provider: str
    kind: str
    row: msgspec.Raw


class Line(msgspec.Struct, frozen=True):
    """One line of the file."""

    seq: int
    at: float
    action: str
    changes: list[Change]


class Table(Generic[R]):
    """The newest version of every row of one kind, in the order in which they first appeared."""

    def __init__(self, provider: str, kind: str, row_type: type[R]) -> None:
        self.provider = provider
        self.kind = kind
        self.row_type = row_type
        self._rows: dict[str, R] = {}

    def get(self, row_id: str) -> R | None:
        return self._rows.get(row_id)

    def __getitem__(self, row_id: str) -> R:
        return self._rows[row_id]

    def __iter__(self) -> Iterator[R]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def newest_first(self) -> Iterator[R]:
        return iter(reversed(self._rows.values()))

    def keep(self, row: R) -> None:
        """Sets the row in memory only; `Entry.put` is the way that also writes it."""
        self._rows[row.id] = row

    def replay(self, raw: msgspec.Raw) -> None:
        self.keep(msgspec.json.decode(raw, type=self.row_type))


class Entry:
    """One action under way: its rows are in the tables at once and in the file when it ends.

    The block of an entry must not await, so that no other action sees half of this one.
    It is written even when the block raises: what memory holds, the file holds.
    """

    def __init__(self, ledger: "Ledger", action: str) -> None:
        self._ledger = ledger
        self.action = action
        self.changes: list[tuple[str, str, Row]] = []

    def put(self, table: Table[R], row: R) -> R:
        table.keep(row)
        self.changes.append((table.provider, table.kind, row))
        return row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.changes:
            self._ledger.append(self)


class Ledger:
    """Every action in order, on disk before anyone is told of it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._tables: dict[tuple[str, str], Table[Row]] = {}
        self._encoder = msgspec.json.Encoder()
        self._listeners: list[Callable[[Entry], None]] = []
        self._syncing: asyncio.Future[None] | None = None
        self._synced_seq = 0
        self._file = -1
        self.seq = 0

    def table(self, provider: str, kind: str, row_type: type[R]) -> Table[R]:
        """A table that the file's lines of this provider and kind add up to."""
        table = Table(provider, kind, row_type)
        self._tables[provider, kind] = table  # type: ignore[assignment]  # read back by its own type
        return table

    def on_write(self, listener: Callable[[Entry], None]) -> None:
        self._listeners.append(listener)

    def open(self) -> None:
        """Rebuilds the tables from the file; a last line cut short by a crash is taken off it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LedgerInUse(f"{self._path} is written by another simulator") from error
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        decoder = msgspec.json.Decoder(Line)
        for text in whole.splitlines():
            line = decoder.decode(text)
            self.seq = line.seq
            for change in line.changes:
                self._tables[change.provider, change.kind].replay(change.row)
        os.ftruncate(self._file, len(whole))
        self._synced_seq = self.seq

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)

    def entry(self, action: str) -> Entry:
        return Entry(self, action)

    def append(self, entry: Entry) -> None:
        """Writes a finished entry as one line and tells the listeners."""
        self.seq += 1
        changes = [
            Change(provider, kind, msgspec.Raw(self._encoder.encode(row)))
            for provider, kind, row in entry.changes
        ]
        line = Line(self.seq, self._clock.now(), entry.action, changes)
        data = self._encoder.encode(line) + b"\n"
        while data:
            data = data[os.write(self._file, data) :]
        for listener in self._listeners:
            listener(entry)

    async def durable(self) -> None:
        """Returns once all that was written before the call is on disk; callers share an fsync."""
        target = self.seq
        while self._synced_seq < target:
            if self._syncing is None:
                self._syncing = asyncio.ensure_future(self._sync())
            await asyncio.shield(self._syncing)

    async def _sync(self) -> None:
        seq = self.seq
        try:
            await asyncio.to_thread(os.fsync, self._file)
            self._synced_seq = seq
        finally:
            self._syncing = None
