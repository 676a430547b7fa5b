"""Made-up orders for the preview, and to try a shop's own templates on before the first mail needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from services.notifier.documents.reader import Languages
from services.notifier.documents.sheet import Sheet, sheet_of
from services.notifier.documents.shop import Shop
from services.notifier.domain.mailing import DueMail, new_mail
from services.notifier.domain.state import (
    PAYMENT_DOCUMENTS,
    Dispute,
    Document,
    DocumentKind,
    Mail,
    MailKind,
    Paid,
    Refund,
    natural_id,
    series_of,
)
from services.notifier.links import Links
from services.notifier.mail.letters import Letter, dispute_letter, document_letter, returned_letter
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced

KINDS: tuple[MailKind, ...] = (
    "receipt", "invoice", "credit_note", "cancellation", "surplus_refund", "surplus_refund_failed",
    "dispute", "dispute_reminder",
)  # fmt: skip
_PAID_AT = datetime(2026, 3, 12, 14, 5, tzinfo=UTC)
_REFUNDED_AT = _PAID_AT + timedelta(days=6)
_FAILED_AT = _PAID_AT + timedelta(days=9)
_LINKS = Links("https://pay.example", ["only-for-the-preview-0123456789abcdef"], timedelta(days=90))
_SERIES: dict[DocumentKind, str] = {"receipt": "R", "invoice": "R", "credit_note": "C", "cancellation": "X"}

_BOOKS = OrderPlaced(
    order_id="ORD-2026-1042",
    amount=2_47_850,
    currency="INR",
    locale="en-IN",
    customer=Customer(name="Asha Raman", email="asha@example.com"),
    billing=BillingAddress(name="Asha Raman", lines=("221 Lake View Road", "Chennai 600028"), country="IN"),
    lines=(
        OrderLine(
            name="The Left Hand of Darkness, illustrated edition",
            quantity=2, unit_amount=79_900, tax_rate="5", tax_amount=7_610,
        ),
        OrderLine(
            name="Fountain pen, fine nib", quantity=1, unit_amount=64_050, tax_rate="18", tax_amount=9_770
        ),
        OrderLine(name="Gift wrapping", quantity=2, unit_amount=12_000, tax_rate="18", tax_amount=3_661),
    ),
)  # fmt: skip
_COFFEE = OrderPlaced(
    order_id="nl-88213",
    amount=5_470,
    currency="EUR",
    locale="de-DE",
    customer=Customer(name="Jörg Süßmilch", email="joerg@example.de"),
    lines=(
        OrderLine(name="Espresso „Leuchtturm“, 500 g, ganze Bohne", quantity=3, unit_amount=1_490),
        OrderLine(name="Handfilter, Größe 2", quantity=1, unit_amount=1_000),
    ),
)
_LONG = OrderPlaced(
    order_id="ORD-2026-1043",
    amount=sum(n * 1_250 for n in range(1, 48)) + 40 * 999,
    currency="INR",
    locale="hi-IN",
    customer=Customer(name="आशा रामन #strong[x] {{7*7}} <b>", email="asha@example.com"),
    lines=(
        *(OrderLine(name=f"पुस्तक {n}: कविता संग्रह", quantity=n, unit_amount=1_250) for n in range(1, 48)),
        OrderLine(name="A very long name that has to wrap " * 9, quantity=40, unit_amount=999),
    ),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail to look at, with its document if it has one."""

    name: str
    letter: Letter
    sheet: Sheet | None = None


def sample_shop(languages: Languages, locale: str = "en-IN") -> Shop:
    return Shop(
        name="Bluebird Books",
        zone=ZoneInfo("Asia/Kolkata"),
        languages=languages,
        address=("14 Church Street", "Bengaluru 560001", "India"),
        email="hello@bluebird.example",
        website="bluebird.example",
        tax_id="29ABCDE1234F1Z5",
        locale=locale,
    )


# name, kind, order, what was captured and refunded of it (None: all)
_DOCUMENTS: tuple[tuple[str, DocumentKind, OrderPlaced, int | None, int | None], ...] = (
    ("receipt", "receipt", _BOOKS, None, None),
    ("receipt-de", "receipt", _COFFEE, None, None),
    ("invoice", "invoice", _BOOKS, None, None),
    ("invoice-part", "invoice", _BOOKS, 1_83_800, None),
    ("invoice-long", "invoice", _LONG, None, None),
    ("credit_note", "credit_note", _BOOKS, None, None),
    ("credit_note-part", "credit_note", _BOOKS, None, 64_050),
    ("cancellation", "cancellation", _BOOKS, None, 64_050),
)


def samples(shop: Shop, kinds: Sequence[MailKind] = KINDS, locale: str = "") -> list[Sample]:
    """Samples of each kind; `locale` instead of the buyers' own."""
    found: list[Sample] = []
    for name, kind, placed, captured, refunded in _DOCUMENTS:
        if kind in kinds:
            shown = msgspec.structs.replace(placed, locale=locale or placed.locale)
            paid = _paid(shown, captured or shown.amount)
            refund = None if kind in PAYMENT_DOCUMENTS else _refund(shown, refunded or shown.amount)
            sheet = _sheet(kind, shown, paid, refund, shop)
            letter = document_letter(sheet, _LINKS.url("sample", _PAID_AT))
            found.append(Sample(name, letter, sheet))
    books = msgspec.structs.replace(_BOOKS, locale=locale or _BOOKS.locale)
    for notice in kinds:
        if notice in ("surplus_refund", "surplus_refund_failed"):
            refund = _refund(books, books.amount)
            found.append(Sample(notice, returned_letter(_mail(notice), refund, books, shop)))
        if notice in ("dispute", "dispute_reminder"):
            found.append(Sample(notice, dispute_letter(_mail(notice), _DISPUTE, books.order_id, shop)))
    return found


_DISPUTE = Dispute(
    provider="stripe",
    dispute_id="du_Sample0000000001",
    payment_id="pay-sample",
    kind="chargeback",
    amount=2_47_850,
    currency="INR",
    reason="product_not_received",
    respond_by=_PAID_AT + timedelta(days=14),
    opened=True,
)


def _paid(placed: OrderPlaced, captured: int) -> Paid:
    return Paid(
        payment_id=f"pay-{placed.order_id}",
        revision=1,
        amount=placed.amount,
        currency=placed.currency,
        provider="razorpay",
        provider_order_id="order_Sample000000001",
        charge_id="pay_Sample00000001",
        paid_at=_PAID_AT,
        captured=captured,
    )


def _refund(placed: OrderPlaced, amount: int) -> Refund:
    return Refund(
        refund_id="rf-sample",
        payment_id=f"pay-{placed.order_id}",
        provider="razorpay",
        amount=amount,
        currency=placed.currency,
        stood=True,
        revision=1,
        reason="pen arrived broken",
        reference="rfnd_Sample0000001",
        succeeded_at=_REFUNDED_AT,
        failed_at=_FAILED_AT,
    )


def _sheet(kind: DocumentKind, placed: OrderPlaced, paid: Paid, refund: Refund | None, shop: Shop) -> Sheet:
    invoice = _document("invoice", paid, _PAID_AT, 1042)
    note = _document("credit_note", paid, _REFUNDED_AT, 17)
    dates = {"credit_note": _REFUNDED_AT, "cancellation": _FAILED_AT}
    document = _document(
        kind, paid, dates.get(kind, _PAID_AT), {"credit_note": 17, "cancellation": 3}.get(kind, 1042)
    )
    return sheet_of(document, placed, paid, shop, refund, {"invoice": invoice, "credit_note": note})


def _document(kind: DocumentKind, paid: Paid, at: datetime, number: int) -> Document:
    return Document(
        id=natural_id(paid.payment_id, kind, "sample"),
        payment_id=paid.payment_id,
        kind=kind,
        subject="sample",
        series=series_of(_SERIES[kind], at, ZoneInfo("Asia/Kolkata"), (1, 1)),
        revision=1,
        dated_at=at,
        issued_at=at,
        number=number,
    )


def _mail(kind: MailKind) -> Mail:
    mail = new_mail(DueMail("pay-sample", kind, "sample", "asha@example.com"), "paystream.example", _PAID_AT)
    if mail is None:
        raise AssertionError("the sample has an address")
    return mail
