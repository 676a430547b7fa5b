"""What stands on a document and in its mail: every text final, in the reader's own formats.

Pure: the same order, payment, refund, number and shop give the same sheet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.notifier.documents.plain import plain, provider_name
from services.notifier.documents.reader import Reader
from services.notifier.documents.shop import Shop
from services.notifier.documents.taxes import shares, taxes_of
from services.notifier.domain.state import Document, DocumentKind, Paid, Refund, number_text
from shared.messages.orders import OrderLine, OrderPlaced

Pairs = tuple[tuple[str, str], ...]  # label and value


@dataclass(frozen=True, slots=True)
class Row:
    """One position as printed."""

    name: str
    quantity: str
    unit_price: str
    tax: str
    total: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the document says at one glance: paid, refunded, cancelled."""

    text: str
    line: str  # the same with its date, for the mail
    tone: Literal["good", "back", "void"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document, ready to be set."""

    kind: DocumentKind
    reader: Reader
    shop: Shop
    title: str
    number: str
    order: str
    date: str
    dated_at: datetime
    stamp: Stamp
    total_label: str
    total: str
    facts: Pairs
    customer: str
    billed_to: tuple[str, ...]
    rows: tuple[Row, ...]
    summary: Pairs
    intro: str
    note: str = ""  # what this document does to another one

    @property
    def taxed(self) -> bool:
        return any(row.tax for row in self.rows)


def sheet_of(
    document: Document,
    placed: OrderPlaced,
    paid: Paid,
    shop: Shop,
    refund: Refund | None = None,
    before: Mapping[DocumentKind, Document] = {},
) -> Sheet:
    """The sheet of a numbered document. `before`: the documents it refers to, by kind."""
    reader = shop.languages.reader_of(placed.locale)
    if refund is None:
        return _of_payment(document, placed, paid, shop, reader)
    invoice = before.get("invoice") or before["receipt"]
    if document.kind == "credit_note":
        return _of_refund(document, placed, paid, shop, reader, refund, invoice)
    return _of_cancellation(document, placed, paid, shop, reader, refund, invoice, before["credit_note"])


def number_of(document: Document) -> str:
    """The number as it is printed."""
    if document.number is None:
        raise ValueError(f"document {document.id} has no number yet")
    return number_text(document.series, document.number)


def _of_payment(document: Document, placed: OrderPlaced, paid: Paid, shop: Shop, reader: Reader) -> Sheet:
    words = reader.words
    date = reader.date(document.dated_at, shop.zone)
    total = reader.money(paid.captured, paid.currency)
    provider = words.directly if paid.provider == "hand" else provider_name(paid.provider)
    released = paid.amount - paid.captured
    return Sheet(
        kind=document.kind,
        reader=reader,
        shop=shop,
        title=words.invoice if document.kind == "invoice" else words.receipt,
        number=number_of(document),
        order=plain(placed.order_id),
        date=date,
        dated_at=document.dated_at,
        stamp=Stamp(words.paid, words.paid_on.format(date=date), "good"),
        total_label=words.total,
        total=total,
        facts=_facts(
            (words.date, date),
            (words.order, plain(placed.order_id)),
            (words.paid_with, provider),
            (words.reference, plain(paid.charge_id or paid.provider_order_id)),
        ),
        customer=plain(placed.customer.name, 120),
        billed_to=_billed_to(placed, reader),
        rows=tuple(_row(line, placed.currency, reader) for line in placed.lines),
        summary=_payment_summary(placed, paid, reader),
        intro=words.intro.format(total=total),
        note=(
            words.released_note.format(amount=reader.money(released, paid.currency)) if released > 0 else ""
        ),
    )


def _of_refund(
    document: Document, placed: OrderPlaced, paid: Paid, shop: Shop, reader: Reader, refund: Refund,
    invoice: Document,
) -> Sheet:  # fmt: skip
    words = reader.words
    date = reader.date(document.dated_at, shop.zone)
    total = reader.money(refund.amount, refund.currency)
    title = words.invoice if invoice.kind == "invoice" else words.receipt
    invoiced_on = reader.date(invoice.dated_at, shop.zone)
    whole = refund.amount == paid.captured == paid.amount
    line = words.refund_line.format(order=plain(placed.order_id))
    return Sheet(
        kind=document.kind,
        reader=reader,
        shop=shop,
        title=words.credit_note,
        number=number_of(document),
        order=plain(placed.order_id),
        date=date,
        dated_at=document.dated_at,
        stamp=Stamp(words.refunded, words.refunded_on.format(date=date), "back"),
        total_label=words.amount_refunded,
        total=total,
        facts=_facts(
            (words.date, date),
            (title, number_of(invoice)),
            (words.order, plain(placed.order_id)),
            (words.refunded_with, provider_name(refund.provider)),
            (words.refund_reference, plain(refund.reference or refund.refund_id)),
            (words.reason, plain(refund.reason, 120)),
        ),
        customer=plain(placed.customer.name, 120),
        billed_to=_billed_to(placed, reader),
        rows=(
            tuple(_row(line, placed.currency, reader) for line in placed.lines)
            if whole
            else (_single_row(line, total, reader),)
        ),
        summary=_payment_summary(placed, paid, reader) if whole else _share(placed, paid, refund, reader),
        intro=words.credit_intro.format(total=total, order=plain(placed.order_id)),
        note=words.reduces.format(title=title, number=number_of(invoice), date=invoiced_on),
    )


def _of_cancellation(
    document: Document, placed: OrderPlaced, paid: Paid, shop: Shop, reader: Reader, refund: Refund,
    invoice: Document, note: Document,
) -> Sheet:  # fmt: skip
    words = reader.words
    date = reader.date(document.dated_at, shop.zone)
    total = reader.money(refund.amount, refund.currency)
    title = words.invoice if invoice.kind == "invoice" else words.receipt
    noted_on = reader.date(note.dated_at, shop.zone)
    line = words.cancel_line.format(number=number_of(note), date=noted_on)
    return Sheet(
        kind=document.kind,
        reader=reader,
        shop=shop,
        title=words.cancellation,
        number=number_of(document),
        order=plain(placed.order_id),
        date=date,
        dated_at=document.dated_at,
        stamp=Stamp(words.cancelled, words.cancelled_on.format(date=date), "void"),
        total_label=words.amount_cancelled,
        total=total,
        facts=_facts(
            (words.date, date),
            (words.credit_note, number_of(note)),
            (title, number_of(invoice)),
            (words.order, plain(placed.order_id)),
            (words.refund_reference, plain(refund.reference or refund.refund_id)),
        ),
        customer=plain(placed.customer.name, 120),
        billed_to=_billed_to(placed, reader),
        rows=(_single_row(line, total, reader),),
        summary=_share(placed, paid, refund, reader),
        intro=words.cancel_intro.format(total=total, order=plain(placed.order_id)),
        note=words.cancels.format(
            note=number_of(note), note_date=noted_on, title=title, number=number_of(invoice),
            date=reader.date(invoice.dated_at, shop.zone),
        ),
    )  # fmt: skip


def _facts(*pairs: tuple[str, str]) -> Pairs:
    return tuple((label, value) for label, value in pairs if value)


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


def _single_row(name: str, total: str, reader: Reader) -> Row:
    return Row(name=name, quantity=reader.count(1), unit_price=total, tax="", total=total)


def _payment_summary(placed: OrderPlaced, paid: Paid, reader: Reader) -> Pairs:
    """What leads from the lines to the total: whatever they do not explain, what was released, taxes."""
    words, currency = reader.words, placed.currency
    lines_total = sum(line.quantity * line.unit_amount for line in placed.lines)
    summary: list[tuple[str, str]] = []
    if paid.captured != paid.amount:
        released = paid.captured - paid.amount
        if lines_total != paid.amount:
            summary.append((words.adjustment, reader.money(paid.amount - lines_total, currency)))
        summary.append((words.order_total, reader.money(paid.amount, currency)))
        summary.append((words.released, reader.money(released, currency)))
        summary += _taxed(placed, paid.captured, paid.amount, reader)
        return tuple(summary)
    summary += _taxed(placed, lines_total, lines_total, reader)
    if lines_total != paid.amount:
        summary.append((words.adjustment, reader.money(paid.amount - lines_total, currency)))
    return tuple(summary)


def _share(placed: OrderPlaced, paid: Paid, refund: Refund, reader: Reader) -> Pairs:
    return tuple(_taxed(placed, refund.amount, paid.amount, reader))


def _taxed(placed: OrderPlaced, part: int, whole: int, reader: Reader) -> list[tuple[str, str]]:
    """The net amount and the taxes in `part` of an order over `whole`; nothing when none were given."""
    taxes = shares(taxes_of(placed.lines, reader), part, whole)
    if not taxes:
        return []
    net = (reader.words.before_tax, reader.money(part - sum(taxes.values()), placed.currency))
    return [net, *((label, reader.money(tax, placed.currency)) for label, tax in taxes.items())]
