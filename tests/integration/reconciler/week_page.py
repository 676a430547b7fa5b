"""The report as its reader has it: the tables of the HTML page, and the rows of the CSV."""

import csv
import io
from html.parser import HTMLParser

from tests.integration.reconciler.week_witness import NAMES, Row, Rows, together

Cells = list[list[str]]  # the rows of a table, its head among them


class Page(HTMLParser):
    """A page's tables by the heading above them, as the words that are to be seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, Cells] = {}
        self.words = ""
        self._heading = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - what it looks like is not read
        match tag:
            case "h2" | "style":
                self._inside = tag
                self._heading = "" if tag == "h2" else self._heading
            case "tr":
                self.tables.setdefault(self._heading, []).append([])
            case "td" | "th":
                self._inside = tag
                self.tables[self._heading][-1].append("")
            case "br":
                self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "h2":
            self._heading += data
        elif self._inside in ("td", "th"):
            self.tables[self._heading][-1][-1] += data
        if self._inside != "style":
            self.words += data

    def rows(self, heading: str) -> Cells:
        """Without the head; none when there is no such table."""
        return [[" ".join(cell.split()) for cell in row] for row in self.tables.get(heading, [])[1:]]


def amount(minor_units: int) -> str:
    """As a reader has it; every currency of the week has two decimals."""
    return f"{minor_units / 100:,.2f}"


def money_cells(row: Row, currency: str) -> list[str]:
    """From the currency on, as every table of money has them."""
    amounts = [amount(row.amounts[name]) for name in NAMES]
    return [currency, *amounts, amount(row.unexplained), f"{row.millionths // 100 / 100:.2f} %"]


def total_cells(rows: Rows, accounts: dict[str, str]) -> Cells:
    """Each provider's week, and below them all of them where there is more than one."""
    found = []
    for currency in sorted({currency for _, _, currency in rows}):
        providers = sorted({p for p, _, c in rows if c == currency})
        for provider in providers:
            mine = together(r for (p, _, c), r in rows.items() if (p, c) == (provider, currency))
            found.append([f"{provider} {accounts[provider]}", *money_cells(mine, currency)])
        if len(providers) > 1:
            whole = together(r for (_, _, c), r in rows.items() if c == currency)
            found.append(["all of them", *money_cells(whole, currency)])
    return found


def day_cells(rows: Rows) -> Cells:
    ordered = sorted((day, provider, currency) for provider, day, currency in rows)
    return [[f"{d}", p, *money_cells(rows[p, d, c], c)] for d, p, c in ordered]


Figure = tuple[str, str, str, str, str]  # line, provider, day, currency, item


def csv_figures(table: str) -> dict[Figure, str]:
    """The table's amounts; each may stand there once."""
    listed = [
        ((r["line"], r["provider"], r["day"], r["currency"], r["item"]), r["amount"])
        for r in csv_rows(table)
        if r["line"] in ("figure", "total")
    ]
    assert len(dict(listed)) == len(listed)
    return dict(listed)


def expected_figures(rows: Rows, span: str) -> dict[Figure, str]:
    """By day, by provider, and all providers together."""
    found: dict[Figure, str] = {}
    for (provider, day, currency), row in rows.items():
        found |= _figures(row, ("figure", provider, f"{day}", currency))
    for provider, currency in {(p, c) for p, _, c in rows}:
        mine = together(r for (p, _, c), r in rows.items() if (p, c) == (provider, currency))
        found |= _figures(mine, ("total", provider, span, currency))
    for currency in {c for _, _, c in rows}:
        whole = together(r for (_, _, c), r in rows.items() if c == currency)
        found |= _figures(whole, ("total", "all", span, currency))
    return found


def _figures(row: Row, where: tuple[str, str, str, str]) -> dict[Figure, str]:
    amounts = {name: row.amounts[name] for name in NAMES}
    amounts |= {f"unexplained: {kind}": money for kind, money in row.kinds.items()}
    found = {(*where, item): f"{money / 100:.2f}" for item, money in amounts.items()}
    return found | {(*where, "explained"): f"{row.millionths / 10**6:.6f}"}


def csv_rows(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))
