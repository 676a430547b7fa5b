import email
from email.message import EmailMessage
from email.policy import default

import idna
import pytest

from services.notifier.domain.state import Mail
from services.notifier.mail.compose import Composer, wire_address
from services.notifier.mail.letters import Letter, dispute_letter, document_letter, returned_letter
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from tests.unit.notifier.examples import (
    PAID,
    PLACED,
    SHOP,
    dispute_closed,
    dispute_opened,
    issued,
    placed,
    play,
    refund_failed,
    refund_succeeded,
    sheet,
    the_mail,
)

LINK = "https://pay.test/api/documents/a.b.c"
COMPOSER = Composer("Bluebird Books <receipts@shop.test>", "help@shop.test")


def sent(order: OrderPlaced = PLACED, pdf: bytes = b"%PDF-") -> EmailMessage:
    """The mail as a mailbox reads it."""
    state = issued(order)
    return arrived(COMPOSER, document_letter(sheet(state), LINK), the_mail(state), pdf)


def arrived(composer: Composer, letter: Letter, mail: Mail, pdf: bytes | None = None) -> EmailMessage:
    return email.message_from_bytes(composer.compose(letter, mail, pdf).as_bytes(), policy=default)


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


LONG_NAMES = (
    "Smith, Johnson & Partners International Holdings Limited, Accounts Payable Department, Floor 3",
    f"thief@x.test, {'x' * 100}", "a," * 60, "x y, " * 10, '"' * 60, "\\" * 50, "." * 120,
    f"(x) <y>; {'é,' * 50}",
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["A\r\nBcc: thief@x.test", "A\nSubject: hi\n\nbody", 'A" <thief@x.test>, "', "\0", *LONG_NAMES],
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


def test_a_name_with_a_comma_stands_as_it_is() -> None:
    message = sent(placed(customer=Customer(name="Rao, Asha", email="asha@buyer.test")))
    assert [a.display_name for a in message["To"].addresses] == ["Rao, Asha"]


@pytest.mark.parametrize("domain", ["münchen.test", "straße.test", "βόλος.test", "ΟΔΟΣ.test", "Grüße.straße"])
def test_an_international_domain_goes_out_in_ascii_and_is_no_other_domain(domain: str) -> None:
    assert wire_address(f"a@{domain}") == f"a@{idna.encode(domain, uts46=True).decode()}"
    assert wire_address("a@straße.test") != wire_address("a@strasse.test")


def test_a_credit_note_comes_with_its_pdf_and_says_what_goes_back() -> None:
    order, _ = play(PLACED, PAID, refund_succeeded())
    letter = document_letter(sheet(order, "credit_note"), LINK)
    message = arrived(COMPOSER, letter, the_mail(order, "credit_note"), b"%PDF-")
    assert message["Subject"] == "Your credit note from Bluebird Books: ₹99.00 (C-2026-000007)"
    (pdf,) = message.iter_attachments()
    assert pdf.get_filename() == "credit_note-C-2026-000007.pdf"
    for kind in ("plain", "html"):
        assert "We have refunded ₹99.00 for your order order-1" in body(message, kind)
        assert "This credit note reduces Receipt R-2026-000007" in body(message, kind)
        assert "lid broken" in body(message, kind)


def test_money_that_was_not_needed_is_announced_without_a_document() -> None:
    surplus = {"charge_id": "pay_2", "amount": 49_900}
    order, _ = play(PLACED, PAID, refund_succeeded(**surplus), refund_failed(**surplus))
    refund = order.refunds["rf-1"]
    back, failed = (
        arrived(COMPOSER, returned_letter(mail, refund, PLACED, SHOP), mail)
        for mail in (the_mail(order, "surplus_refund"), the_mail(order, "surplus_refund_failed"))
    )
    assert back["Subject"] == "Your payment of ₹499.00 to Bluebird Books goes back (order order-1)"
    assert "We are sending ₹499.00 back" in body(back, "html")
    assert "the money has not reached you" in body(failed, "plain")
    assert list(back.iter_attachments()) == []
    assert back["Message-ID"] != failed["Message-ID"]


def test_a_dispute_tells_the_merchant_how_much_why_until_when_and_what_to_do() -> None:
    order, _ = play(PLACED, PAID, dispute_opened())
    mail, (dispute,) = the_mail(order, "dispute"), order.disputes.values()
    message = arrived(COMPOSER, dispute_letter(mail, dispute, "order-1", SHOP), mail)
    assert "owner@shop.test" in message["To"]
    deadline = "March 19, 2026, 7:36 PM IST"  # the shop's own clock
    subject = message["Subject"].replace("\u202f", " ")
    assert subject == f"Dispute of ₹499.00 for order order-1, answer by {deadline}"
    for kind in ("plain", "html"):
        text = body(message, kind).replace("\u202f", " ")
        assert all(part in text for part in ("₹499.00", deadline, "goods not received", "disp_1", "Razorpay"))
        assert "What to do" in text


def test_a_dispute_that_is_over_asks_for_nothing() -> None:
    order, _ = play(PLACED, PAID, dispute_closed(), dispute_opened())
    mail, (dispute,) = the_mail(order, "dispute"), order.disputes.values()
    message = arrived(COMPOSER, dispute_letter(mail, dispute, "order-1", SHOP), mail)
    assert "answer by" not in message["Subject"]
    assert "There is nothing to do" in body(message, "plain")


def test_the_buyers_data_is_not_in_the_merchants_mail() -> None:
    order, _ = play(PLACED, PAID, dispute_opened())
    mail, (dispute,) = the_mail(order, "dispute"), order.disputes.values()
    whole = COMPOSER.compose(dispute_letter(mail, dispute, "order-1", SHOP), mail, None).as_string()
    assert "asha" not in whole.lower()
