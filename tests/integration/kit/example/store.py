"""The example's SQL: accounts with their payouts, and a projection of their events."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.decision import Decision
from shared.inbox import Incoming
from tests.integration.kit.example.domain import Account, Payout
from tests.integration.kit.example.messages import Changed, FactSeen

_INSERT_MISSING = text("""
    INSERT INTO accounts (account) SELECT k FROM unnest(CAST(:keys AS text[])) k ORDER BY k
    ON CONFLICT DO NOTHING""")

_LOCK = text("""
    SELECT account, deposited, version FROM accounts
    WHERE account = ANY(CAST(:keys AS text[])) ORDER BY account FOR NO KEY UPDATE""")

_PAYOUTS = text("""
    SELECT account, operation, amount, done, principal, key FROM payouts
    WHERE account = ANY(CAST(:keys AS text[])) ORDER BY account, n""")

_REFS = text("SELECT account, ref FROM refs WHERE account = ANY(CAST(:keys AS text[]))")


class AccountStore:
    """Loads as the kit asks: missing rows first, then the locks, then what hangs under them."""

    async def resolve(self, connection: AsyncConnection, batch: Sequence[Incoming]) -> Sequence[str | None]:
        refs = sorted({i.message.ref for i in batch if isinstance(i.message, FactSeen)})
        known: dict[str, str] = {}
        if refs:
            found = await connection.execute(
                text("SELECT ref, account FROM refs WHERE ref = ANY(CAST(:refs AS text[]))"), {"refs": refs}
            )
            known = {r.ref: r.account for r in found}
        return [
            known.get(i.message.ref) if isinstance(i.message, FactSeen) else i.message.account  # type: ignore[attr-defined]
            for i in batch
        ]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Account]:
        wanted = {"keys": list(keys)}
        await connection.execute(_INSERT_MISSING, wanted)
        rows = await connection.execute(_LOCK, wanted)
        accounts = {r.account: Account(r.account, r.deposited, r.version) for r in rows}
        children = await connection.execute(_PAYOUTS, wanted)
        for c in children:
            payout = Payout(c.operation, c.amount, c.done, c.principal, c.key)
            account = accounts[c.account]
            accounts[c.account] = replace(account, payouts=(*account.payouts, payout))
        for r in await connection.execute(_REFS, wanted):
            account = accounts[r.account]
            accounts[r.account] = replace(account, refs=(*account.refs, r.ref))
        return accounts

    async def save(
        self, connection: AsyncConnection, before: dict[str, Account], after: dict[str, Account]
    ) -> None:
        await _misbehave(connection, after)
        await connection.execute(
            text("""UPDATE accounts a SET deposited = n.deposited, version = n.version, note = n.note
                    FROM unnest(CAST(:ids AS text[]), CAST(:deposited AS bigint[]),
                                CAST(:versions AS bigint[]), CAST(:notes AS text[]))
                         AS n (account, deposited, version, note) WHERE a.account = n.account"""),
            {
                "ids": list(after),
                "deposited": [a.deposited for a in after.values()],
                "versions": [a.version for a in after.values()],
                "notes": [a.note for a in after.values()],
            },
        )
        await self._save_payouts(connection, before, after)
        refs = [(ref, a.id) for a in after.values() for ref in a.refs if ref not in before[a.id].refs]
        if refs:
            await connection.execute(
                text("""INSERT INTO refs (ref, account)
                        SELECT * FROM unnest(CAST(:refs AS text[]), CAST(:accounts AS text[]))"""),
                {"refs": [r for r, _ in refs], "accounts": [a for _, a in refs]},
            )

    async def _save_payouts(
        self, connection: AsyncConnection, before: dict[str, Account], after: dict[str, Account]
    ) -> None:
        new = [
            (a.id, n, p)
            for a in after.values()
            for n, p in enumerate(a.payouts)
            if p not in before[a.id].payouts
        ]
        if not new:
            return
        await connection.execute(
            text("""
                INSERT INTO payouts (account, n, operation, amount, done, principal, key)
                SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:ns AS integer[]),
                                     CAST(:operations AS text[]), CAST(:amounts AS bigint[]),
                                     CAST(:done AS boolean[]), CAST(:principals AS text[]),
                                     CAST(:keys AS text[]))
                ON CONFLICT (operation) DO UPDATE SET done = excluded.done"""),
            {
                "accounts": [a for a, _, _ in new],
                "ns": [n for _, n, _ in new],
                "operations": [p.operation for _, _, p in new],
                "amounts": [p.amount for _, _, p in new],
                "done": [p.done for _, _, p in new],
                "principals": [p.principal for _, _, p in new],
                "keys": [p.key for _, _, p in new],
            },
        )


async def _misbehave(connection: AsyncConnection, after: dict[str, Account]) -> None:
    notes = {a.note for a in after.values()}
    if "kill" in notes:
        os.kill(os.getpid(), signal.SIGKILL)
    if "slow" in notes:
        await connection.execute(text("SET LOCAL statement_timeout = '100ms'"))
        await connection.execute(text("SELECT pg_sleep(10)"))


@dataclass(frozen=True)
class Seen:
    """What the projection knows of one account, and the effects that a message of this batch has."""

    version: int
    available: int = 0
    effects: tuple[tuple[str, int], ...] = ()


def project(seen: Seen, incoming: Incoming, _now: datetime) -> Decision[Seen]:
    """A snapshot counts when it is newer; its effect counts whatever the version."""
    message, version = incoming.message, incoming.envelope.version or 0
    if not isinstance(message, Changed):
        raise TypeError(f"not an event of ours: {message}")
    effects = (*seen.effects, (incoming.id, version))
    if version <= seen.version:
        return Decision(Seen(seen.version, seen.available, effects))
    return Decision(Seen(version, message.available, effects))


class SeenStore:
    """`effects` has no unique key, so that an effect that happens twice shows."""

    async def resolve(self, _connection: AsyncConnection, batch: Sequence[Incoming]) -> Sequence[str | None]:
        return [i.envelope.subject for i in batch]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Seen]:
        await connection.execute(
            text("""INSERT INTO seen (account) SELECT k FROM unnest(CAST(:keys AS text[])) k ORDER BY k
                    ON CONFLICT DO NOTHING"""),
            {"keys": list(keys)},
        )
        rows = await connection.execute(
            text("""SELECT account, version, available FROM seen WHERE account = ANY(CAST(:keys AS text[]))
                    ORDER BY account FOR NO KEY UPDATE"""),
            {"keys": list(keys)},
        )
        return {r.account: Seen(r.version, r.available) for r in rows}

    async def save(
        self, connection: AsyncConnection, _before: dict[str, Seen], after: dict[str, Seen]
    ) -> None:
        await connection.execute(
            text("""UPDATE seen s SET version = n.version, available = n.available
                    FROM unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[]),
                                CAST(:available AS bigint[])) AS n (account, version, available)
                    WHERE s.account = n.account"""),
            {
                "ids": list(after),
                "versions": [s.version for s in after.values()],
                "available": [s.available for s in after.values()],
            },
        )
        effects = [(account, *effect) for account, s in after.items() for effect in s.effects]
        await connection.execute(
            text("""INSERT INTO effects (account, event_id, version)
                    SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:ids AS text[]),
                                         CAST(:versions AS bigint[]))"""),
            {
                "accounts": [a for a, _, _ in effects],
                "ids": [i for _, i, _ in effects],
                "versions": [v for _, _, v in effects],
            },
        )
