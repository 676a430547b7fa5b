"""What stands on a document and in its mail: every text final, in the reader's own formats.

Pure: the same order, payment, number and shop give the same sheet.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, tzinfo

from services.notifier.documents.reader import Reader, reader_of
from services.notifier.domain.state import Document, Paid, number_text
from shared.messages.orders import OrderLine, OrderPlaced

TEXT_LENGTH_MAX = 400  # of one printed name; longer ones end in an ellipsis
_BIDI_CONTROLS = {
    "\u061c",
    "\u200e",
    "\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}
_PROVIDERS = {"razorpay": "Razorpay", "stripe": "Stripe", "paypal": "PayPal"}


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose documents these are. With a tax id they are invoices, without one receipts."""

    name: str
    zone: tzinfo
    address: tuple[str, ...] = ()
    email: str = ""
    website: str = ""
    tax_id: str = ""
    accent: str = "#1d4ed8"


@dataclass(frozen=True, slots=True)
class Row:
    """One position as printed."""

    name: str
    quantity: str
    unit_price: str
    tax: str
    total: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document, ready to be set."""

    reader: Reader
    shop: Shop
    title: str
    number: str
    order: str
    date: str
    paid_at: datetime
    total: str
    paid_on: str
    facts: tuple[tuple[str, str], ...]
    customer: str
    billed_to: tuple[str, ...]
    rows: tuple[Row, ...]
    summary: tuple[tuple[str, str], ...]

    @property
    def taxed(self) -> bool:
        return any(row.tax for row in self.rows)


def sheet_of(document: Document, placed: OrderPlaced, paid: Paid, shop: Shop) -> Sheet:
    """The sheet of a numbered document."""
    if document.number is None:
        raise ValueError(f"document {document.id} has no number yet")
    reader = reader_of(placed.locale)
    words = reader.words
    number = number_text(document.series, document.number)
    date = reader.date(paid.paid_at, shop.zone)
    provider = _PROVIDERS.get(paid.provider, paid.provider.title())
    facts = (
        (words.date, date),
        (words.order, plain(placed.order_id)),
        (words.paid_with, plain(provider)),
        (words.reference, plain(paid.charge_id or paid.provider_order_id)),
    )
    return Sheet(
        reader=reader,
        shop=shop,
        title=words.invoice if shop.tax_id else words.receipt,
        number=number,
        order=plain(placed.order_id),
        date=date,
        paid_at=paid.paid_at,
        total=reader.money(paid.amount, paid.currency),
        paid_on=words.paid_on.format(date=date),
        facts=tuple((label, value) for label, value in facts if value),
        customer=plain(placed.customer.name, 120),
        billed_to=_billed_to(placed, reader),
        rows=tuple(_row(line, placed.currency, reader) for line in placed.lines),
        summary=_summary(placed, paid, reader),
    )


def plain(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """One line of printable text: no control characters, no reversed writing, not endless."""
    shown = "".join(
        " " if c.isspace() or unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text
        if c not in _BIDI_CONTROLS and unicodedata.category(c) not in ("Cs", "Co", "Cn")
    )
    line = " ".join(shown.split())
    return line if len(line) <= length_max else line[: length_max - 1].rstrip() + "…"


def _billed_to(placed: OrderPlaced, reader: Reader) -> tuple[str, ...]:
    billing, customer = placed.billing, placed.customer
    if billing is None:
        lines: tuple[str, ...] = (customer.name, customer.email)
    else:
        tax_id = f"{reader.words.tax_id}: {billing.tax_id}" if billing.tax_id else ""
        country = reader.country(billing.country)
        lines = (billing.name or customer.name, *billing.lines[:8], country, tax_id, customer.email)
    return tuple(shown for line in lines if (shown := plain(line, 200)))


def _row(line: OrderLine, currency: str, reader: Reader) -> Row:
    return Row(
        name=plain(line.name),
        quantity=reader.count(line.quantity),
        unit_price=reader.money(line.unit_amount, currency),
        tax=reader.rate(plain(line.tax_rate, 12)) if line.tax_rate else "",
        total=reader.money(line.quantity * line.unit_amount, currency),
    )


def _summary(placed: OrderPlaced, paid: Paid, reader: Reader) -> tuple[tuple[str, str], ...]:
    """What leads to the total: taxes as they were given, and whatever the lines do not explain."""
    words, currency = reader.words, placed.currency
    lines_total = sum(line.quantity * line.unit_amount for line in placed.lines)
    taxes: dict[str, int] = {}
    for line in placed.lines:
        if line.tax_amount:
            rate = reader.rate(plain(line.tax_rate, 12)) if line.tax_rate else ""
            label = words.tax_of.format(rate=rate) if rate else words.tax
            taxes[label] = taxes.get(label, 0) + line.tax_amount
    summary: list[tuple[str, str]] = []
    if taxes:
        summary.append((words.before_tax, reader.money(lines_total - sum(taxes.values()), currency)))
        summary += [(label, reader.money(amount, currency)) for label, amount in taxes.items()]
    if lines_total != paid.amount:
        summary.append((words.adjustment, reader.money(paid.amount - lines_total, currency)))
    return tuple(summary)
