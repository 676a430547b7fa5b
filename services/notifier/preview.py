"""Sample documents and mails, for whoever changes the design: no server, no settings needed."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from services.notifier.documents.sheet import Shop, sheet_of
from services.notifier.documents.typeset import Typesetter
from services.notifier.domain.mailing import first_mail
from services.notifier.domain.state import Document, Paid, document_id
from services.notifier.links import Links
from services.notifier.mail.compose import Composer
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced

_PAID_AT = datetime(2026, 3, 12, 14, 5, tzinfo=UTC)

_BOOKS = Shop(
    name="Bluebird Books",
    zone=ZoneInfo("Asia/Kolkata"),
    address=("14 Church Street", "Bengaluru 560001", "India"),
    email="hello@bluebird.example",
    website="bluebird.example",
    tax_id="29ABCDE1234F1Z5",
)
_ROASTERY = Shop(
    name="Rösterei Nordlicht",
    zone=ZoneInfo("Europe/Berlin"),
    address=("Hafenstraße 7", "20457 Hamburg"),
    email="post@nordlicht.example",
    accent="#0f766e",
)

_SAMPLES: dict[str, tuple[Shop, OrderPlaced]] = {
    "invoice": (
        _BOOKS,
        OrderPlaced(
            order_id="ORD-2026-1042",
            amount=2_47_850,
            currency="INR",
            locale="en-IN",
            customer=Customer(name="Asha Raman", email="asha@example.com"),
            billing=BillingAddress(
                name="Asha Raman", lines=("221 Lake View Road", "Chennai 600028"), country="IN"
            ),
            lines=(
                OrderLine(
                    name="The Left Hand of Darkness, illustrated edition",
                    quantity=2, unit_amount=79_900, tax_rate="5", tax_amount=7_610,
                ),
                OrderLine(
                    name="Fountain pen, fine nib", quantity=1, unit_amount=64_050,
                    tax_rate="18", tax_amount=9_770,
                ),
                OrderLine(
                    name="Gift wrapping", quantity=2, unit_amount=12_000, tax_rate="18", tax_amount=3_661
                ),
            ),
        ),
    ),
    "receipt-de": (
        _ROASTERY,
        OrderPlaced(
            order_id="nl-88213",
            amount=5_470,
            currency="EUR",
            locale="de-DE",
            customer=Customer(name="Jörg Süßmilch", email="joerg@example.de"),
            lines=(
                OrderLine(name="Espresso „Leuchtturm“, 500 g, ganze Bohne", quantity=3, unit_amount=1_490),
                OrderLine(name="Handfilter, Größe 2", quantity=1, unit_amount=1_000),
            ),
        ),
    ),
    "long": (
        _BOOKS,
        OrderPlaced(
            order_id="ORD-2026-1043",
            amount=sum(n * 1_250 for n in range(1, 48)) + 40 * 999,
            currency="INR",
            locale="hi-IN",
            customer=Customer(name="आशा रामन #strong[x] {{7*7}} <b>", email="asha@example.com"),
            lines=(
                *(
                    OrderLine(name=f"पुस्तक {n}: कविता संग्रह", quantity=n, unit_amount=1_250)
                    for n in range(1, 48)
                ),
                OrderLine(name="A very long name that has to wrap " * 9, quantity=40, unit_amount=999),
            ),
        ),
    ),
}  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Writes one PDF, HTML and text per sample into a folder."""
    parser = argparse.ArgumentParser(prog="python -m services.notifier preview", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("preview"), help="the folder (default: preview)")
    out: Path = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    typesetter, composer = Typesetter(), Composer("Paystream <receipts@paystream.example>")
    links = Links("https://pay.example", ["only-for-the-preview-0123456789abcdef"], timedelta(days=90))
    for number, (name, (shop, placed)) in enumerate(_SAMPLES.items(), 1042):
        paid = _paid(placed)
        document = _document(paid, placed, number)
        sheet = sheet_of(document, placed, paid, shop)
        subject, text, html = composer.parts(sheet, links.url(document.id, document.issued_at))
        (out / f"{name}.pdf").write_bytes(typesetter.pdf(sheet))
        (out / f"{name}.html").write_text(html)
        (out / f"{name}.txt").write_text(f"Subject: {subject}\n\n{text}")
    print(f"{len(_SAMPLES)} samples, each as PDF, HTML and text: {out}")  # noqa: T201 - a command's answer


def _paid(placed: OrderPlaced) -> Paid:
    return Paid(
        payment_id=f"pay-{placed.order_id}",
        revision=1,
        amount=placed.amount,
        currency=placed.currency,
        provider="razorpay",
        provider_order_id="order_Sample000000001",
        charge_id="pay_Sample00000001",
        paid_at=_PAID_AT,
    )


def _document(paid: Paid, placed: OrderPlaced, number: int) -> Document:
    id_ = document_id(paid.payment_id, "receipt", paid.payment_id)
    return Document(
        id=id_,
        payment_id=paid.payment_id,
        kind="receipt",
        subject=paid.payment_id,
        series="R-2026",
        revision=1,
        issued_at=_PAID_AT,
        number=number,
        mail=first_mail("receipt", id_, placed.customer.email, "paystream.example"),
    )
