"""Passes over the charges on which all three legs plainly agree, which are nearly all of them.

What is not plain goes through the rules one by one, and most of that is found to agree as well: this is only
quick. It must never pass over a charge of which `compare` has something to say.
"""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.runs import Window
from services.reconciler.store.columns import array, column
from services.reconciler.store.legs import Listing, Subject


async def not_plain(
    connection: AsyncConnection, window: Window, subjects: Sequence[Subject], listing: Listing
) -> list[Subject]:
    """The subjects that have to be judged, in the order in which they came."""
    charges = [s for s in subjects if s[0] == "charge"]
    if not charges:
        return list(subjects)
    asked = {
        "provider": window.provider,
        "account": window.account,
        "ids": column([s[1] for s in charges]),
        "listed": column(["t" if s[2] else "f" for s in charges]),
        "since": listing.since,
        "until": window.until,
        "settles": listing.settles,
    }
    found = {row.id for row in await connection.execute(_NOT_PLAIN, asked)}
    return [s for s in subjects if s[0] != "charge" or s[1] in found]


_NOT_PLAIN = text(f"""
    SELECT s.id
    FROM unnest({array("ids")}, {array("listed", "boolean")}) AS s (id, listed)
    LEFT JOIN LATERAL (SELECT state, amount, currency, surplus FROM charges
                       WHERE provider = :provider AND account = :account AND charge_id = s.id OFFSET 0) c
           ON true
    LEFT JOIN LATERAL (SELECT state, amount, currency, fee, at FROM provider_records
                       WHERE provider = :provider AND account = :account AND object = 'charge'
                         AND subject = s.id OFFSET 0) r ON true
    CROSS JOIN LATERAL (SELECT count(*) AS lines, min(amount) AS amount, min(fee) AS fee, min(net) AS net,
                               min(currency) AS currency, min(settlement_id) AS settlement_id
                        FROM settlement_lines
                        WHERE provider = :provider AND account = :account AND object = 'charge'
                          AND subject = s.id) l
    WHERE (c.state = 'captured' AND NOT c.surplus
           AND r.state = 'captured' AND (s.listed OR r.at IS NULL OR r.at < :since OR r.at >= :until)
           AND c.amount = r.amount AND c.currency = r.currency
           AND l.lines = 1 AND l.amount = r.amount AND l.currency = r.currency
           AND l.fee = coalesce(r.fee, l.fee) AND l.net = l.amount - l.fee
           AND (l.settlement_id <> '' OR NOT :settles)) IS NOT TRUE""")  # noqa: S608 - our own names
