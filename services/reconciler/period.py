"""All that is known of a day, or of some: read as it is now, for the answer, the page and the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.money import summed
from services.reconciler.domain.repairs import severity
from services.reconciler.domain.runs import Window, begins, ends
from services.reconciler.store import figures, mismatches
from services.reconciler.store.book import lowest_checkpoint
from services.reconciler.store.figures import ByHand, Payout
from shared.messages.reconciler import Figures, Leg, Severity

DAYS_MAX = 31  # of one period
PAGE = 500  # mismatches at once
WHOLE_MAX = 10_000  # mismatches of a page or table; who has more has one cause, and asks for a day


class Run(msgspec.Struct, frozen=True, rename="camel"):
    """The last run of one window that begins on one of the days; the counts are of records with money."""

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
    day: date
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


class Period(msgspec.Struct, frozen=True, rename="camel"):
    """The UTC days from `since` to `until`, both among them. `settled`: our own book of them is complete.

    `totals` and `overall` add up `money`, which is by day: for each provider account, and for each currency
    over all of them. `next` continues a long list of mismatches.
    """

    since: date
    until: date
    settled: bool
    runs: list[Run]
    overall: list[Figures]
    totals: list[Money]
    money: list[Money]
    by_hand: list[ByHand]
    payouts: list[Payout]
    mismatches: list[Shown]
    next: str | None

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1


@dataclass(frozen=True, slots=True)
class Periods:
    """Reads periods. `without_settlements`: providers whose money is on our balance at once."""

    engine: AsyncEngine
    without_settlements: frozenset[str]

    async def read(self, since: date, until: date, after: str, now: datetime) -> Period:
        """With at most `PAGE` mismatches past the id `after`."""
        start, end = begins(since), ends(until)
        money = await self._money(start, end)
        async with self.engine.connect() as connection:
            complete_until = await lowest_checkpoint(connection)
            rows = (await connection.execute(_RUNS, {"since": start, "until": end})).mappings()
            found = await mismatches.of_days(connection, since, until, after, PAGE)
            return Period(
                since=since,
                until=until,
                settled=complete_until is not None and complete_until >= end,
                runs=[Run(**row) for row in rows],
                overall=overall(money),
                totals=totals(money),
                money=money,
                by_hand=await figures.by_hand(connection, start, end),
                payouts=await figures.payouts(connection, start, end),
                mismatches=[shown(m, now) for m in found],
                next=found[-1].mismatch_id if len(found) == PAGE else None,
            )

    async def whole(self, since: date, until: date, now: datetime) -> Period:
        """With all its mismatches; `next` is set where there are more than `WHOLE_MAX`."""
        period = await self.read(since, until, "", now)
        after = period.next
        while after is not None and len(period.mismatches) < WHOLE_MAX:
            async with self.engine.connect() as connection:
                more = await mismatches.of_days(connection, since, until, after, PAGE)
            period.mismatches.extend(shown(m, now) for m in more)
            after = more[-1].mismatch_id if len(more) == PAGE else None
        return replace(period, next=after)

    async def _money(self, since: datetime, until: datetime) -> list[Money]:
        async with self.engine.connect() as connection:
            accounts = (await connection.execute(_ACCOUNTS)).all()
        return [
            Money(provider, account, row)
            for provider, account in accounts
            for row in await figures.of_window(
                self.engine, Window(provider, account, since, until), provider not in self.without_settlements
            )
        ]


def totals(money: Sequence[Money]) -> list[Money]:
    """The days of each provider account and currency added up."""
    found: dict[tuple[str, str, str], list[Figures]] = {}
    for m in money:
        found.setdefault((m.figures.currency, m.provider, m.account), []).append(m.figures)
    return [Money(key[1], key[2], summed(rows)) for key, rows in sorted(found.items())]


def overall(money: Sequence[Money]) -> list[Figures]:
    """All providers' money of each currency added up."""
    found: dict[str, list[Figures]] = {}
    for m in money:
        found.setdefault(m.figures.currency, []).append(m.figures)
    return [summed(rows) for _, rows in sorted(found.items())]


def shown(mismatch: Mismatch, now: datetime) -> Shown:
    """What a reader sees of it."""
    proposal = mismatch.repair
    return Shown(
        mismatch_id=mismatch.mismatch_id,
        occurrence=mismatch.occurrence,
        status="open" if mismatch.open else "accepted" if mismatch.how == "accepted" else "resolved",
        provider=mismatch.provider,
        account=mismatch.account,
        day=mismatch.day,
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
