"""Reads a run's next subjects, and passes over the charges on which all three legs plainly agree and about
which no mismatch stands: they are nearly all.

What is not plain goes through the rules one by one, and most of that is found to agree as well: this is only
quick. It must never pass over a charge of which `compare` has something to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.domain.items import Key
from services.reconciler.domain.matching import Tally
from services.reconciler.store.legs import Subject
from services.reconciler.store.runs import Progress


@dataclass(frozen=True, slots=True)
class Part:
    """The next `count` subjects of a run, up to and with `last`, in the order of their ids.

    `rest` has to be judged; `places` says which of all each of these is, the first one being 1.
    """

    last: Key
    count: int
    rest: Sequence[Subject]
    places: Sequence[int]

    @property
    def plain(self) -> Tally:
        """Of those that are passed over: each has all three legs, and they agree."""
        passed = self.count - len(self.rest)
        return Tally(ours=passed, theirs=passed, settled=passed, agreed=passed)

    def cut(self, judged: int) -> "Part":
        """No more of it than this many of the rest."""
        if judged == len(self.rest):
            return self
        object_, subject, _ = self.rest[judged - 1]
        return Part((object_, subject), self.places[judged - 1], self.rest[:judged], self.places[:judged])


async def next_part(
    connection: AsyncConnection, run: Progress, since: datetime, limit: int, *, settles: bool
) -> Part | None:
    """The subjects past the run's mark, `limit` at most; None after the last.

    `since`: from there on the provider listed all. `settles`: its settlements follow.
    """
    await connection.execute(_BY_INDEX)
    asked = {
        "run": run.serial,
        "object": run.after[0],
        "subject": run.after[1],
        "limit": limit,
        "provider": run.window.provider,
        "account": run.window.account,
        "since": since,
        "until": run.window.until,
        "settles": settles,
    }
    rows = sorted(tuple(row) for row in await connection.execute(_NEXT, asked))
    if not rows:
        return None
    count, last = rows[-1][0], rows[-1][1:3]
    rest = [row for row in rows if not row[4]]
    return Part(last, count, [row[1:4] for row in rest], [row[0] for row in rest])


# Sorting all that is left for each part would cost more with every record that a run has.
_BY_INDEX = text(
    "SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)"
)
# OFFSET 0 keeps each look-up by its key: of a table that has just been filled the planner knows nothing,
# and would read all of it.
_NEXT = text("""
    SELECT place, object, subject, listed, plain
    FROM (SELECT s.place, s.count, s.object, s.subject, s.listed,
                 (s.object = 'charge' AND c.state = 'captured' AND NOT c.surplus
                  AND r.state = 'captured' AND (s.listed OR r.at IS NULL OR r.at < :since OR r.at >= :until)
                  AND c.amount = r.amount AND c.currency = r.currency
                  AND l.lines = 1 AND l.amount = r.amount AND l.currency = r.currency
                  AND l.fee = coalesce(r.fee, l.fee) AND l.net = l.amount - l.fee
                  AND (l.settlement_id <> '' OR NOT :settles) AND m.stands IS NULL) IS TRUE AS plain
          FROM (SELECT row_number() OVER () AS place, count(*) OVER () AS count, object, subject, listed
                FROM (SELECT object, subject, listed FROM run_subjects
                      WHERE run = :run AND (subject, object) > (:subject, :object)
                      ORDER BY subject, object LIMIT :limit) next) s
          LEFT JOIN LATERAL (SELECT state, amount, currency, surplus FROM charges
                             WHERE provider = :provider AND account = :account
                               AND charge_id = s.subject COLLATE "default" OFFSET 0) c ON true
          LEFT JOIN LATERAL (SELECT state, amount, currency, fee, at FROM provider_records
                             WHERE provider = :provider AND account = :account AND object = 'charge'
                               AND subject = s.subject OFFSET 0) r ON true
          CROSS JOIN LATERAL (SELECT count(*) AS lines, min(amount) AS amount, min(fee) AS fee,
                                     min(net) AS net, min(currency) AS currency,
                                     min(settlement_id) AS settlement_id
                              FROM settlement_lines
                              WHERE provider = :provider AND account = :account AND object = 'charge'
                                AND subject = s.subject) l
          LEFT JOIN LATERAL (SELECT true AS stands FROM mismatches
                             WHERE provider = :provider AND account = :account AND object = 'charge'
                               AND subject = s.subject COLLATE "default" AND (open OR how = 'accepted')
                             LIMIT 1) m ON true) part
    WHERE NOT plain OR place = count""")
