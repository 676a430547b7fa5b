"""Explained money: what came in, what went out, what remains, and why. Sums only; no clock, no database."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec

from shared.messages.reconciler import Figures
from shared.money import exponent

ON_TIME = "waiting"  # no settlement has paid it out yet, and none is late
ACCEPTED = "accepted"  # a person has accepted the difference
WHOLE = "whole"  # nothing remains
OTHER = "not_compared"  # remains, and no run has said why yet


class Part(msgspec.Struct, frozen=True):
    """A sum of our records that have day, currency, object and reason in common.

    `signed`: money in is positive. `fees` and `net` are of its settlement lines, in the records' currency.
    `reason`: a mismatch's kind, or one of the four above.
    """

    day: date
    currency: str
    object: str
    reason: str
    signed: int
    fees: int
    net: int


class Stake(msgspec.Struct, frozen=True):
    """The money in open mismatches of one day, currency and kind, or in accepted ones.

    `ours`: it is in the sums of our records, too.
    """

    day: date
    currency: str
    kind: str
    amount: int
    oldest: datetime
    ours: bool


def plain(amount: int, currency: str) -> str:
    """Minor units as plain decimal text, `1234.50`; sums may be larger than one payment can."""
    digits = exponent(currency) if currency else 0
    whole, part = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{part:0{digits}d}" if digits else f"{sign}{whole}"


_SUMMED = (
    "captured", "refunded", "disputed", "fees", "settled", "remaining", "waiting", "accepted", "moved",
    "unexplained",
)  # fmt: skip
_COLUMN = {"charge": "captured", "refund": "refunded", "dispute": "disputed"}


def explained(parts: Iterable[Part], stakes: Iterable[Stake]) -> list[Figures]:
    """One row per day and currency, in that order; what remains is what came in less all that went out."""
    rows: dict[tuple[date, str], dict[str, int]] = {}
    kinds: dict[tuple[date, str], dict[str, int]] = {}
    oldest: dict[tuple[date, str], datetime] = {}
    for part in parts:
        row = rows.setdefault((part.day, part.currency), {})
        column = _COLUMN[part.object]
        _add(row, column, part.signed if column == "captured" else -part.signed)
        _add(row, "fees", part.fees)
        _add(row, "settled", part.net)
        _add(row, "moved", abs(part.signed))
        rest = part.signed - part.fees - part.net
        _add(row, "remaining", rest)
        if part.reason in (ON_TIME, ACCEPTED):
            _add(row, part.reason, rest)
        if part.reason == OTHER:
            _add(kinds.setdefault((part.day, part.currency), {}), OTHER, abs(rest))
    for stake in stakes:
        key = (stake.day, stake.currency)
        row = rows.setdefault(key, {})
        if not stake.ours:
            _add(row, "moved", stake.amount)
        if stake.kind == ACCEPTED:
            continue
        _add(kinds.setdefault(key, {}), stake.kind, stake.amount)
        oldest[key] = min(oldest.get(key, stake.oldest), stake.oldest)
    return [_figures(key, rows[key], kinds.get(key, {}), oldest.get(key)) for key in sorted(rows)]


def _figures(
    key: tuple[date, str], row: dict[str, int], kinds: dict[str, int], oldest: datetime | None
) -> Figures:
    unexplained = sum(kinds.values())
    return Figures(
        day=key[0],
        currency=key[1],
        **row,
        unexplained=unexplained,
        by_kind=dict(sorted(kinds.items())),
        explained=_share(unexplained, row.get("moved", 0)),
        oldest_unexplained_at=oldest,
    )


def _share(unexplained: int, moved: int) -> float:
    """How much of the money moved is explained, in millionths cut off: 1 only where all of it is.

    Of none nothing is, unless nothing is asked.
    """
    if not unexplained:
        return 1.0
    return max(0, moved - unexplained) * 10**6 // moved / 10**6 if moved else 0.0


def summed(rows: Sequence[Figures]) -> Figures:
    """One currency's rows as one, of the first of their days."""
    sums = {name: sum(getattr(row, name) for row in rows) for name in _SUMMED}
    kinds: dict[str, int] = {}
    for row in rows:
        for kind, amount in row.by_kind.items():
            _add(kinds, kind, amount)
    return Figures(
        day=min(row.day for row in rows),
        currency=rows[0].currency,
        **sums,
        by_kind=dict(sorted(kinds.items())),
        explained=_share(sums["unexplained"], sums["moved"]),
        oldest_unexplained_at=min(
            (r.oldest_unexplained_at for r in rows if r.oldest_unexplained_at), default=None
        ),
    )


def _add(row: dict[str, int], column: str, amount: int) -> None:
    row[column] = row.get(column, 0) + amount
