"""Money at risk: what nobody knows yet, and what waits for a person, by age."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

AMOUNT = Gauge(
    "paystream_money_at_risk", "Minor units whose fate is not known", ["kind", "provider", "currency", "age"]
)
NUMBER = Gauge(
    "paystream_payments_at_risk", "Payments whose fate is not known", ["kind", "provider", "currency", "age"]
)

AGES = (("5m", 300.0), ("1h", 3600.0), ("1d", 86_400.0))  # younger than this; the rest is "older"
CASES_MAX = 10_000  # more cases than anybody can look at; the oldest of each kind are counted

# Each part reads a partial index of what is not settled, never the books.
_CASES = text("""
    (SELECT 'unanswered_create' AS kind, provider, order_id, amount, currency, created_at AS since,
            idempotency_key AS subject, '' AS note
     FROM payment_attempts WHERE status = 'unanswered' ORDER BY created_at LIMIT :most)
    UNION ALL
    (SELECT 'refund', provider, order_id, amount, currency, created_at, id, reason
     FROM refunds WHERE state = 'requested'
     ORDER BY created_at LIMIT :most)
    UNION ALL
    (SELECT 'capture', r.request ->> 'provider', t.subject, (r.request ->> 'amount')::bigint,
            r.request ->> 'currency',
            (SELECT min(first.created_at) FROM tasks first
             WHERE first.subject = t.subject AND first.key = t.key),
            coalesce(nullif(r.request ->> 'charge_id', ''), r.request ->> 'attempt_id'), ''
     FROM tasks t, LATERAL (SELECT convert_from(t.payload, 'UTF8')::jsonb AS request) r
     WHERE t.kind = 'capture' AND t.closed_at IS NULL
       AND (t.claims > 0 OR (r.request ->> 'tries')::integer > 0)
     LIMIT :most)
    UNION ALL
    (SELECT 'flag', coalesce(p.provider, ''), p.order_id, p.amount, p.currency,
            (f ->> 'raised_at')::timestamptz, f ->> 'subject', (f ->> 'reason') || ': ' || (f ->> 'note')
     FROM (SELECT * FROM payments WHERE flags @? '$[*] ? (@.resolved_at == null)' LIMIT :most) p,
          LATERAL jsonb_array_elements(p.flags) f
     WHERE f ->> 'resolved_at' IS NULL)
    ORDER BY since""")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that nobody knows, or that a person must see to."""

    kind: str
    provider: str
    order_id: str
    amount: int
    currency: str
    since: datetime
    subject: str
    note: str

    def age(self, now: datetime) -> str:
        """The age group: under 5 minutes, an hour, a day, or older."""
        seconds = (now - self.since).total_seconds()
        return next((name for name, limit in AGES if seconds < limit), "older")


async def cases(connection: AsyncConnection) -> list[Case]:
    """Everything at risk now, the oldest first."""
    rows = await connection.execute(_CASES, {"most": CASES_MAX})
    return [Case(*row) for row in rows]


Group = tuple[str, str, str, str]  # kind, provider, currency, age


def grouped(found: Sequence[Case], now: datetime) -> dict[Group, tuple[int, int]]:
    """(how many, minor units) of each group."""
    groups: dict[Group, tuple[int, int]] = {}
    for case in found:
        group = case.kind, case.provider, case.currency, case.age(now)
        number, amount = groups.get(group, (0, 0))
        groups[group] = number + 1, amount + case.amount
    return groups


def show(groups: dict[Group, tuple[int, int]]) -> None:
    """Sets the gauges; a group that is gone is gone there too."""
    AMOUNT.clear()
    NUMBER.clear()
    for group, (number, amount) in groups.items():
        NUMBER.labels(*group).set(number)
        AMOUNT.labels(*group).set(amount)
