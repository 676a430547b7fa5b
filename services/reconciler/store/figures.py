"""Adds up explained money from our records, their settlement lines and the mismatches, as they are now."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reconciler.domain.book import BY_HAND
from services.reconciler.domain.money import Part, Stake, explained
from services.reconciler.domain.runs import Window
from shared.messages.reconciler import Figures

SLICE = timedelta(hours=1)  # of a window at a time: a statement of a million records stays below its limit
SLICES_MAX = 24 * 3


class ByHand(msgspec.Struct, frozen=True, rename="camel"):
    """A payment that a person marked: its own line, with no provider beside it."""

    order_id: str
    source: str
    marked_by: str
    amount: int
    currency: str
    at: datetime


class Payout(msgspec.Struct, frozen=True, rename="camel"):
    """What left for the bank, as the provider's account says."""

    provider: str
    currency: str
    count: int
    amount: int


async def of_window(engine: AsyncEngine, window: Window, settles: bool) -> list[Figures]:
    """One row per day and currency. `settles`: money counts as settled once a settlement paid it out.

    Each slice in a transaction of its own: a month of a large shop takes longer than one may.
    """
    asked = {"provider": window.provider, "account": window.account, "settles": settles}
    length = max(SLICE, (window.until - window.since) / SLICES_MAX)
    parts: list[Part] = []
    since = window.since
    while since < window.until:
        until = min(window.until, since + length)
        async with engine.connect() as connection:
            rows = await connection.execute(_PARTS, asked | {"since": since, "until": until})
            parts += [Part(*row) for row in rows]
        since = until
    asked |= {"since": window.since, "until": window.until}
    async with engine.connect() as connection:
        stakes = [Stake(*row) for row in await connection.execute(_STAKES, asked)]
    return explained(parts, stakes)


async def by_hand(connection: AsyncConnection, since: datetime, until: datetime) -> list[ByHand]:
    """What people marked in this time, oldest first."""
    rows = await connection.execute(_BY_HAND, {"provider": BY_HAND, "since": since, "until": until})
    return [ByHand(*row) for row in rows]


async def payouts(connection: AsyncConnection, since: datetime, until: datetime) -> list[Payout]:
    """What every provider paid out in this time, per currency."""
    rows = await connection.execute(_PAYOUTS, {"since": since, "until": until})
    return [Payout(*row) for row in rows]


# A dispute whose money came back moved none, but its fee stays. A settlement in another currency is turned
# back at the line's own ratio: its rounding stays in the line.
_RECORDS = """
    SELECT 'charge' AS object, charge_id COLLATE "C" AS subject, currency, amount AS signed, at FROM charges
    WHERE {charge} provider = :provider AND account = :account AND at >= :since AND at < :until
      AND state = 'captured'
    UNION ALL
    SELECT 'refund', subject, currency, -amount, at FROM refunds
    WHERE {refund} provider = :provider AND account = :account AND at >= :since AND at < :until
      AND state IN ('pending', 'succeeded')
    UNION ALL
    SELECT 'dispute', dispute_id, currency, CASE money WHEN 'withdrawn' THEN -amount ELSE 0 END, at
    FROM disputes
    WHERE {dispute} provider = :provider AND account = :account AND at >= :since AND at < :until
      AND money <> 'none'"""
_ALL = _RECORDS.format(charge="", refund="", dispute="")
# Each of a mismatch by the index of its ids: a window has a million records, and a thousand mismatches.
_OF_MISMATCH = _RECORDS.format(
    charge="charge_id = m.subject AND",
    refund='subject = m.subject COLLATE "C" AND',
    dispute='dispute_id = m.subject COLLATE "C" AND',
)
_SETTLED = """
    SELECT sum(l.amount) AS amount, sum(l.fee) AS fee, min(l.currency) AS currency,
           sum(CASE WHEN :settles AND l.settlement_id = '' THEN 0 ELSE l.net END) AS net,
           bool_and(NOT :settles OR l.settlement_id <> '') AS paid_out
    FROM settlement_lines l WHERE l.provider = :provider AND l.account = :account
     AND l.object = r.object AND l.subject = r.subject"""
# Few things differ: looked up once as a whole, not for each record.
_WHY = """
    SELECT DISTINCT ON (object, subject) object, subject,
           CASE WHEN open THEN kind ELSE 'accepted' END AS kind
    FROM mismatches WHERE provider = :provider AND account = :account AND (open OR how = 'accepted')
    ORDER BY object, subject, open DESC, amount DESC"""
# Our records come in the order of the index by which their lines are looked up.
_PARTS = text(f"""
    WITH standing AS MATERIALIZED ({_WHY})
    SELECT day, currency, object, reason, CAST(sum(signed) AS bigint), CAST(sum(fees) AS bigint),
           CAST(sum(net) AS bigint)
    FROM (SELECT day, currency, object, signed, fees, net,
                 coalesce(kind, CASE WHEN signed = fees + net THEN 'whole'
                                     WHEN paid_out THEN 'not_compared' ELSE 'waiting' END) AS reason
          FROM (SELECT CAST(r.at AT TIME ZONE 'UTC' AS date) AS day, r.currency, r.object, r.signed, w.kind,
                       coalesce(s.paid_out, false) AS paid_out,
                       coalesce(CASE WHEN s.currency = r.currency THEN s.fee
                                     ELSE round(s.fee * r.signed / nullif(s.amount, 0)) END, 0) AS fees,
                       coalesce(CASE WHEN s.currency = r.currency THEN s.net
                                     WHEN s.net = 0 THEN 0
                                     ELSE r.signed - round(s.fee * r.signed / nullif(s.amount, 0)) END, 0)
                           AS net
                FROM (SELECT * FROM ({_ALL}) ours ORDER BY subject OFFSET 0) r
                CROSS JOIN LATERAL ({_SETTLED}) s
                LEFT JOIN standing w ON w.object = r.object AND w.subject = r.subject) one) whole
    GROUP BY day, currency, object, reason""")  # noqa: S608 - our own names
_STAKES = text(f"""
    SELECT day, currency, why, CAST(sum(amount) AS bigint), min(at), ours
    FROM (SELECT m.*, CASE WHEN open THEN kind ELSE 'accepted' END AS why,
                 EXISTS (SELECT FROM ({_OF_MISMATCH}) r WHERE r.object = m.object) AS ours
          FROM mismatches m
          WHERE m.provider = :provider AND m.account = :account AND (m.open OR m.how = 'accepted')
            AND m.at >= :since AND m.at < :until) stake
    GROUP BY day, currency, why, ours""")  # noqa: S608 - our own names
_BY_HAND = text("""
    SELECT order_id, account, marked_by, amount, currency, at FROM charges
    WHERE provider = :provider AND at >= :since AND at < :until AND state = 'captured'
    ORDER BY at, order_id""")
_PAYOUTS = text("""
    SELECT provider, currency, CAST(count(*) AS integer), CAST(-sum(amount) AS bigint) FROM settlement_lines
    WHERE kind = 'payout' AND at >= :since AND at < :until GROUP BY provider, currency
    ORDER BY provider, currency""")
