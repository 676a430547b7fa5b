"""What `reconciler.commands` is about: windows and mismatches, each with the store that it has."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.runs import Window
from services.reconciler.store.mismatches import MismatchStore
from services.reconciler.store.runs import WindowStore
from shared.inbox import Incoming

CommandState = Window | Mismatch

_MISMATCH = "mismatch/"  # a window's key begins with its provider's name


class CommandStore:
    """Windows before mismatches: the order in which locks are taken."""

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._windows = WindowStore(accounts)
        self._mismatches = MismatchStore()

    async def resolve(self, connection: AsyncConnection, batch: Sequence[Incoming]) -> Sequence[str | None]:
        windows = await self._windows.resolve(connection, batch)
        mismatches = await self._mismatches.resolve(connection, batch)
        return [
            window or (_MISMATCH + mismatch if mismatch else None)
            for window, mismatch in zip(windows, mismatches, strict=True)
        ]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, CommandState]:
        windows = [k for k in keys if not k.startswith(_MISMATCH)]
        ids = [k.removeprefix(_MISMATCH) for k in keys if k.startswith(_MISMATCH)]
        found: dict[str, CommandState] = {}
        if windows:
            found |= await self._windows.load(connection, windows)
        if ids:
            loaded = await self._mismatches.load(connection, ids)
            found |= {_MISMATCH + id_: mismatch for id_, mismatch in loaded.items()}
        return found

    async def save(
        self,
        connection: AsyncConnection,
        before: dict[str, CommandState],
        after: dict[str, CommandState],
    ) -> None:
        windows = {k: s for k, s in after.items() if isinstance(s, Window)}
        mismatches = {k: s for k, s in after.items() if isinstance(s, Mismatch)}
        if windows:
            then = {k: s for k, s in before.items() if isinstance(s, Window)}
            await self._windows.save(connection, then, windows)
        if mismatches:
            await self._mismatches.save(connection, {}, mismatches)
