import email
from email.message import EmailMessage
from email.policy import default

import pytest

from services.notifier.documents.sheet import sheet_of
from services.notifier.mail.compose import Composer, wire_address
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from tests.unit.notifier.examples import PLACED, SHOP, issued, placed, the_document

LINK = "https://pay.test/api/documents/a.b.c"
COMPOSER = Composer("Bluebird Books <receipts@shop.test>", "help@shop.test")


def sent(order: OrderPlaced = PLACED, pdf: bytes = b"%PDF-") -> EmailMessage:
    """The mail as a mailbox reads it."""
    state = issued(order)
    document, paid = the_document(state), state.paid
    assert paid is not None
    assert document.mail is not None
    sheet = sheet_of(document, order, paid, SHOP)
    raw = COMPOSER.compose(document, document.mail, sheet, LINK, pdf).as_bytes()
    return email.message_from_bytes(raw, policy=default)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_has_text_html_and_the_pdf() -> None:
    message = sent(pdf=b"%PDF-1.7 bytes")
    assert message["Subject"] == "Your receipt from Bluebird Books: ₹499.00 (R-2026-000007)"
    assert message["From"] == "Bluebird Books <receipts@shop.test>"
    assert message["To"] == "Asha Raman <asha@buyer.test>"
    assert message["Reply-To"] == "help@shop.test"
    assert message["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        assert LINK in body(message, kind)
        assert "₹499.00" in body(message, kind)
    (pdf,) = message.iter_attachments()
    assert pdf.get_filename() == "receipt-R-2026-000007.pdf"
    assert pdf.get_content() == b"%PDF-1.7 bytes"


def test_the_same_document_gives_the_same_message_id_and_date() -> None:
    first, second = sent(), sent()
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].startswith("<receipt.")
    assert first["Message-ID"].endswith("@shop.test>")
    assert first["Date"] == second["Date"] == "Thu, 12 Mar 2026 14:06:00 +0000"


@pytest.mark.parametrize(
    "name", ["A\r\nBcc: thief@x.test", "A\nSubject: hi\n\nbody", 'A" <thief@x.test>, "', "\0"]
)
def test_no_name_can_add_a_header_or_a_recipient(name: str) -> None:
    message = sent(placed(customer=Customer(name=name, email="asha@buyer.test")))
    assert message["Bcc"] is None
    assert len(message.get_all("Subject", [])) == 1
    assert [a.addr_spec for a in message["To"].addresses] == ["asha@buyer.test"]


def test_typed_text_cannot_become_html_or_template() -> None:
    line = OrderLine(name="<script>alert(1)</script> {{7*7}}", quantity=1, unit_amount=49_900)
    message = sent(placed(lines=(line,), customer=Customer(name="<b>{{7*7}}</b>", email="a@b.test")))
    assert "<script" not in body(message, "html")
    assert "<b>" not in body(message, "html")
    assert "{{7*7}}" in body(message, "html")
    assert "<script>alert(1)</script> {{7*7}}" in body(message, "plain")


def test_a_very_long_order_is_shortened_in_the_mail() -> None:
    lines = tuple(OrderLine(name=f"Book {n}.", quantity=1, unit_amount=499) for n in range(100))
    text = body(sent(placed(lines=lines)), "plain")
    assert "Book 49." in text
    assert "Book 50." not in text
    assert "+ 50" in text


def test_the_mail_speaks_the_readers_language() -> None:
    german = sent(placed(locale="de-DE"))
    assert german["Subject"] == "Beleg von Bluebird Books: 499,00 ₹ (R-2026-000007)"
    assert german["Content-Language"] == "de-DE"


def test_an_international_domain_goes_out_in_ascii() -> None:
    assert wire_address("a@münchen.test") == "a@xn--mnchen-3ya.test"
