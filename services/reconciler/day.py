"""All that is known of one day, read from the database as it is now: for the answer, the page, the table."""

from dataclasses import dataclass
from datetime import date, datetime

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.repairs import severity
from services.reconciler.domain.runs import Window, begins, ends
from services.reconciler.store import figures, mismatches
from services.reconciler.store.book import lowest_checkpoint
from services.reconciler.store.figures import ByHand, Payout
from shared.messages.reconciler import Figures, Leg, Severity

PAGE = 500  # mismatches at once


class Run(msgspec.Struct, frozen=True, rename="camel"):
    """The last run of one window that begins on the day; the counts are of records with money."""

    run_id: str
    provider: str
    account: str
    since: datetime
    until: datetime
    number: int
    status: str
    requested_at: datetime
    completed_at: datetime | None
    listed: int
    compared: int
    ours: int
    theirs: int
    settled: int
    agreed: int
    mismatches: int


class Money(msgspec.Struct, frozen=True, rename="camel"):
    """Explained money of one provider account in one currency."""

    provider: str
    account: str
    figures: Figures


class Shown(msgspec.Struct, frozen=True, rename="camel"):
    """One mismatch, as it stands."""

    mismatch_id: str
    occurrence: int
    status: str
    provider: str
    account: str
    kind: str
    subject: str
    order_id: str | None
    amount: int
    currency: str
    severity: Severity
    at: datetime | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    legs: tuple[Leg, ...]
    proposed_repair: str
    needs_approval: bool
    repair: str
    approved_at: datetime | None
    resolved_at: datetime | None
    person: str
    reason: str


class Day(msgspec.Struct, frozen=True, rename="camel"):
    """`settled`: our own book of this day is complete. `next` continues a long list of mismatches."""

    day: date
    settled: bool
    runs: list[Run]
    money: list[Money]
    by_hand: list[ByHand]
    payouts: list[Payout]
    mismatches: list[Shown]
    next: str | None


@dataclass(frozen=True, slots=True)
class Days:
    """Reads days. `without_settlements`: providers whose money is on our balance at once."""

    without_settlements: frozenset[str]

    async def read(self, connection: AsyncConnection, day: date, after: str, now: datetime) -> Day:
        until = await lowest_checkpoint(connection)
        since, end = begins(day), ends(day)
        rows = (await connection.execute(_RUNS, {"since": since, "until": end})).mappings()
        found = await mismatches.of_day(connection, day, after, PAGE)
        return Day(
            day=day,
            settled=until is not None and until >= end,
            runs=[Run(**row) for row in rows],
            money=await self._money(connection, since, end),
            by_hand=await figures.by_hand(connection, since, end),
            payouts=await figures.payouts(connection, since, end),
            mismatches=[shown(m, now) for m in found],
            next=found[-1].mismatch_id if len(found) == PAGE else None,
        )

    async def _money(self, connection: AsyncConnection, since: datetime, until: datetime) -> list[Money]:
        accounts = (await connection.execute(_ACCOUNTS)).all()
        return [
            Money(provider, account, row)
            for provider, account in accounts
            for row in await figures.of_window(
                connection, Window(provider, account, since, until), provider not in self.without_settlements
            )
        ]


def shown(mismatch: Mismatch, now: datetime) -> Shown:
    """What a reader sees of it."""
    proposal = mismatch.repair
    return Shown(
        mismatch_id=mismatch.mismatch_id,
        occurrence=mismatch.occurrence,
        status="open" if mismatch.open else "accepted" if mismatch.how == "accepted" else "resolved",
        provider=mismatch.provider,
        account=mismatch.account,
        kind=mismatch.kind,
        subject=mismatch.subject,
        order_id=mismatch.order_id,
        amount=mismatch.amount,
        currency=mismatch.currency,
        severity=severity(mismatch.amount, mismatch.currency, mismatch.first_seen_at or now, now),
        at=mismatch.at,
        first_seen_at=mismatch.first_seen_at,
        last_seen_at=mismatch.last_seen_at,
        legs=mismatch.legs,
        proposed_repair=proposal.command,
        needs_approval=proposal.needs_approval,
        repair=proposal.words,
        approved_at=mismatch.approved_at,
        resolved_at=mismatch.resolved_at,
        person=mismatch.person,
        reason=mismatch.reason,
    )


_RUNS = text("""
    SELECT run_id, provider, account, since, until, number,
           CASE WHEN open THEN 'running' WHEN completed_at IS NULL THEN 'ended'
                ELSE 'completed' END AS status,
           requested_at, completed_at, listed, compared, ours, theirs, settled, agreed, mismatches
    FROM runs WHERE number > 0 AND since >= :since AND since < :until
    ORDER BY provider, account, since, until""")
_ACCOUNTS = text("""
    SELECT DISTINCT provider, account FROM runs WHERE number > 0 ORDER BY provider, account""")
