"""A day, or some, as a page that a finance person reads, and as a table that a spreadsheet opens safely."""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.reconciler.domain.money import plain
from services.reconciler.period import Period, Shown
from shared.messages.reconciler import Figures

ROWS_MAX = 500  # differences on a page; the table has all of them
TEMPLATES = Path(__file__).parent / "templates"
# A spreadsheet takes a text that begins so for a formula (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

_COLUMNS = (
    "line", "provider", "account", "day", "currency", "item", "amount", "order", "subject", "status",
    "severity", "since", "note",
)  # fmt: skip
_ITEMS = ("captured", "refunded", "disputed", "fees", "settled", "remaining", "waiting", "accepted")
KINDS = {
    "missing_local": "The provider has it, we do not",
    "missing_provider": "We have it, the provider does not",
    "amount": "Another amount",
    "currency": "Another currency",
    "status": "Another state",
    "refund": "A refund differs",
    "duplicate_capture": "Paid twice",
    "late_success": "Paid after the order was closed",
    "dispute": "A dispute differs",
    "fee": "Another fee than the provider said",
    "unsettled": "Not paid out in time",
    "not_compared": "Settled otherwise, not compared yet",
}


def grouped(amount: int, currency: str) -> str:
    """An amount for the eye: `1,234.50`."""
    return f"{Decimal(plain(amount, currency)):,}"


def html(period: Period, now: datetime) -> str:
    """The page. Everything that came from outside is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "amount": grouped,
        "time": _time,
        "percent": percent,
        "age": lambda at: age(at, now),
    }
    open_ones = sorted((m for m in period.mismatches if m.status == "open"), key=_urgent)
    return environment.get_template("period.html").render(
        period=period,
        name=name_of(period.since, period.until),
        now=now,
        kinds=KINDS,
        open_ones=open_ones[:ROWS_MAX],
        more=len(open_ones[ROWS_MAX:]),
        accepted=[m for m in period.mismatches if m.status == "accepted"],
        resolved=sum(m.status == "resolved" for m in period.mismatches),
    )


def name_of(since: date, until: date) -> str:
    """`31 January 2026`, `25 January 2026 to 31 January 2026`."""
    return " to ".join(f"{day:%-d %B %Y}" for day in dict.fromkeys((since, until)))


def table(period: Period) -> str:
    """The same as CSV: one line per figure, mismatch, payment by hand and payout; then sums over all days."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in (*_figures(period), *_mismatches(period), *_others(period), *_totals(period)):
        writer.writerow([row.get(name, "") for name in _COLUMNS])
    return out.getvalue()


Row = dict[str, str]


def _figures(period: Period) -> Iterator[Row]:
    for money in period.money:
        place = {"line": "figure", "provider": text(money.provider), "account": text(money.account)}
        yield from _amounts(money.figures, place | {"day": money.figures.day.isoformat()})


def _totals(period: Period) -> Iterator[Row]:
    """Of each provider account, and of all of them, in each currency."""
    days = {"line": "total", "day": _span(period)}
    for money in period.totals:
        place = {"provider": text(money.provider), "account": text(money.account)}
        yield from _amounts(money.figures, days | place)
    for figures in period.overall:
        yield from _amounts(figures, days | {"provider": "all"})


def _span(period: Period) -> str:
    return "..".join(f"{day}" for day in dict.fromkeys((period.since, period.until)))


def _amounts(figures: Figures, place: Row) -> Iterator[Row]:
    amounts = {name: plain(getattr(figures, name), figures.currency) for name in _ITEMS}
    amounts |= {f"unexplained: {k}": plain(a, figures.currency) for k, a in figures.by_kind.items()}
    amounts["explained"] = f"{figures.explained:.6f}"
    for item, amount in amounts.items():
        yield place | {"currency": text(figures.currency), "item": text(item), "amount": amount}


def _mismatches(period: Period) -> Iterator[Row]:
    for found in sorted(period.mismatches, key=_urgent):
        yield {
            "line": "mismatch",
            "provider": text(found.provider),
            "account": text(found.account),
            "day": found.day.isoformat(),
            "currency": text(found.currency),
            "item": text(found.kind),
            "amount": plain(found.amount, found.currency),
            "order": text(found.order_id or ""),
            "subject": text(found.subject),
            "status": text(found.status),
            "severity": text(found.severity),
            "since": _time(found.first_seen_at),
            "note": text(f"{found.person}: {found.reason}" if found.person else found.repair),
        }


def _others(period: Period) -> Iterator[Row]:
    for marked in period.by_hand:
        yield {
            "line": "by hand",
            "provider": "hand",
            "account": text(marked.source),
            "day": marked.at.date().isoformat(),
            "currency": text(marked.currency),
            "amount": plain(marked.amount, marked.currency),
            "order": text(marked.order_id),
            "since": _time(marked.at),
            "note": text(marked.marked_by),
        }
    for payout in period.payouts:
        yield {
            "line": "payout",
            "provider": text(payout.provider),
            "day": _span(period),
            "currency": text(payout.currency),
            "item": f"{payout.count} payouts",
            "amount": plain(payout.amount, payout.currency),
        }


def text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; amounts and times are ours and need no guard."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def percent(share: float) -> str:
    """Of millionths, never rounded up: 99.99 % is not 100 %."""
    return f"{round(share * 10**6) // 100 / 100:.2f} %"


def age(at: datetime | None, now: datetime) -> str:
    """In the largest unit that says enough."""
    if at is None:
        return ""
    seconds = max(0, int((now - at).total_seconds()))
    for length, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}"
    return f"{seconds} s"


def _time(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _urgent(found: Shown) -> tuple[bool, int, int, str]:
    order = {"high": 0, "medium": 1, "low": 2}
    return found.status != "open", order[found.severity], -found.amount, found.mismatch_id
