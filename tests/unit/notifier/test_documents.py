from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.documents.plain import plain
from services.notifier.documents.sheet import Sheet
from services.notifier.documents.shop import Shop
from services.notifier.documents.taxes import shares
from services.notifier.documents.typeset import Typesetter
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced
from tests.unit.notifier import examples
from tests.unit.notifier.examples import (
    LANGUAGES,
    PAID,
    PAID_AT,
    PLACED,
    SHOP,
    issued,
    paid,
    placed,
    play,
    refund_failed,
    refund_succeeded,
)

SOURCE_TEXT = '#panic("run") #read("/etc/passwd") $x$ *a* _b_ <c> @d \\ ` // /* https://x.test'


def sheet(order: OrderPlaced = PLACED, shop: Shop = SHOP) -> Sheet:
    return examples.sheet(issued(order), shop=shop)


def with_lines(*lines: OrderLine, locale: str = "en-IN") -> OrderPlaced:
    return placed(lines=lines, locale=locale)


def test_amounts_and_dates_are_written_as_the_reader_writes_them() -> None:
    assert (sheet().total, sheet().date) == ("₹499.00", "12 March 2026")
    german = sheet(placed(locale="de-DE"))
    assert (german.total, german.date) == ("499,00\u00a0₹", "12. März 2026")
    assert LANGUAGES.reader_of("en-IN").money(1_23_45_678, "INR") == "₹1,23,456.78"
    assert LANGUAGES.reader_of("en").money(1_234, "JPY") == "¥1,234"
    assert LANGUAGES.reader_of("en").money(1_234_567, "KWD") == "KWD\u00a01,234.567"


def test_the_date_is_the_shops_own() -> None:
    order, _ = play(PLACED, paid(paid_at=PAID_AT.replace(hour=20)))
    assert examples.sheet(order).date == "13 March 2026"


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("en", "en"), ("de-CH", "de_CH"), ("hi_IN", "hi_IN"), ("ta-IN", "en_IN"), ("ja", "en"),
        ("xx-YY", "en"), ("", "en"), ("../../etc", "en"), ("en\0", "en"), ("DE-de", "de_DE"),
        ("e" * 500, "en"),
    ],
)  # fmt: skip
def test_any_locale_tag_gives_a_reader(tag: str, locale: str) -> None:
    assert LANGUAGES.reader_of(tag).locale == locale


def test_taxes_are_shown_as_given_and_summed_per_rate() -> None:
    lines = (
        OrderLine(name="Tea", quantity=2, unit_amount=10_000, tax_rate="5", tax_amount=952),
        OrderLine(name="Pot", quantity=1, unit_amount=20_000, tax_rate="18", tax_amount=3_051),
        OrderLine(name="Cup", quantity=1, unit_amount=9_900, tax_rate="18", tax_amount=1_510),
    )
    taxed = sheet(with_lines(*lines))
    assert taxed.summary == (("Net amount", "₹443.87"), ("Tax 5%", "₹9.52"), ("Tax 18%", "₹45.61"))
    assert [row.total for row in taxed.rows] == ["₹200.00", "₹200.00", "₹99.00"]
    assert taxed.taxed
    assert sheet().summary == ()
    assert not sheet().taxed


def test_what_the_lines_do_not_explain_is_shown_so_that_the_figures_add_up() -> None:
    line = OrderLine(name="Teapot", quantity=1, unit_amount=60_000)
    assert sheet(with_lines(line)).summary == (("Adjustment", "-₹101.00"),)


@pytest.mark.parametrize("rate", ["NaN", "many", "1e999999", "1E-9999", "-5", "18 %", "1_8"])
def test_a_tax_rate_that_is_no_number_stays_as_it_was_given(rate: str) -> None:
    line = OrderLine(name="Teapot", quantity=1, unit_amount=49_900, tax_rate=rate)
    assert sheet(with_lines(line)).rows[0].tax == rate


def test_the_title_is_that_of_the_kind_that_was_issued() -> None:
    invoiced, _ = play(PLACED, PAID, rules=replace(examples.RULES, issues="invoice"))
    assert sheet().title == "Receipt"
    assert examples.sheet(invoiced, "invoice").title == "Invoice"


TAXED = placed(
    lines=(
        OrderLine(name="Tea", quantity=2, unit_amount=10_000, tax_rate="5", tax_amount=952),
        OrderLine(name="Pot", quantity=1, unit_amount=29_900, tax_rate="18", tax_amount=4_561),
    )
)


def test_a_credit_note_names_the_document_it_reduces_the_refund_its_amount_and_reason() -> None:
    order, _ = play(TAXED, PAID, refund_succeeded())
    note = examples.sheet(order, "credit_note")
    assert (note.title, note.number, note.total) == ("Credit note", "C-2026-000007", "₹99.00")
    assert note.note == "This credit note reduces Receipt R-2026-000007 of 12 March 2026."
    facts = dict(note.facts)
    assert (facts["Receipt"], facts["Refund reference"]) == ("R-2026-000007", "rfnd_1")
    assert facts["Reason"] == "lid broken"
    assert [(row.name, row.total) for row in note.rows] == [("Refund for order order-1", "₹99.00")]
    assert note.summary == (("Net amount", "₹88.06"), ("Tax 5%", "₹1.89"), ("Tax 18%", "₹9.05"))


def test_a_credit_note_over_everything_has_the_lines_and_taxes_of_the_invoice() -> None:
    order, _ = play(TAXED, PAID, refund_succeeded(amount=49_900))
    invoice, note = examples.sheet(order), examples.sheet(order, "credit_note")
    assert (note.rows, note.summary) == (invoice.rows, invoice.summary)


def test_a_cancellation_names_the_credit_note_and_the_document_that_stands_again() -> None:
    order, _ = play(TAXED, PAID, refund_succeeded(), refund_failed())
    cancelled = examples.sheet(order, "cancellation")
    assert (cancelled.title, cancelled.number, cancelled.total) == ("Cancellation", "X-2026-000007", "₹99.00")
    assert "credit note C-2026-000007 of 12 March 2026" in cancelled.note
    assert "Receipt R-2026-000007 of 12 March 2026 stands" in cancelled.note


def test_a_partial_capture_is_invoiced_as_captured_with_the_rest_released() -> None:
    whole, _ = play(TAXED, PAID)
    assert whole.paid is not None
    part = replace(whole, paid=replace(whole.paid, captured=24_950))
    invoice = examples.sheet(part)
    assert invoice.total == "₹249.50"
    assert invoice.summary == (
        ("Order total", "₹499.00"), ("Released, not charged", "-₹249.50"), ("Net amount", "₹221.93"),
        ("Tax 5%", "₹4.76"), ("Tax 18%", "₹22.81"),
    )  # fmt: skip
    assert invoice.note.startswith("₹249.50 of this order was not charged")


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10**8))
def test_a_tax_share_is_in_proportion_to_half_a_unit(part: int, whole: int, tax: int) -> None:
    (share,) = shares({"tax": tax}, part, whole).values()
    assert abs(2 * (share * whole - tax * part)) <= whole


@pytest.mark.parametrize(("currency", "total"), [("JPY", "JP¥9,900"), ("KWD", "KWD\u00a09.900")])
def test_amounts_of_any_exponent_are_printed_in_full(currency: str, total: str) -> None:
    order, _ = play(placed(currency=currency), paid(currency=currency), refund_succeeded(currency=currency))
    assert examples.sheet(order, "credit_note").total == total


def test_the_billing_address_stands_where_it_was_given() -> None:
    billing = BillingAddress(name="Raman Ltd", lines=("1 Lake Road", "Chennai"), country="IN", tax_id="33X")
    assert sheet(placed(billing=billing)).billed_to == (
        "Raman Ltd", "1 Lake Road", "Chennai", "India", "Tax ID: 33X", "asha@buyer.test",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\tc", "a b c"), ("a\0b\x1b[31m", "a b [31m"), ("\u202egnp.exe", "gnp.exe"), ("  ", ""),
        ("क्\u200dष", "क्\u200dष"), ("\ud800x", "x"), ("a\u2028b", "a b"),
    ],
)  # fmt: skip
def test_typed_text_becomes_one_printable_line(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_endless_text_is_cut() -> None:
    assert plain("x" * 1000, 50) == "x" * 49 + "…"


@pytest.fixture(scope="module")
def typesetter() -> Typesetter:
    return Typesetter()


def test_the_same_sheet_gives_the_same_bytes(typesetter: Typesetter) -> None:
    order, _ = play(TAXED, PAID, refund_succeeded(), refund_failed())
    made = [
        typesetter.pdf(examples.sheet(order, kind)) for kind in ("receipt", "credit_note", "cancellation")
    ]
    again = [
        Typesetter().pdf(examples.sheet(order, kind)) for kind in ("receipt", "credit_note", "cancellation")
    ]
    assert made == again
    assert len(set(made)) == 3
    assert all(pdf.startswith(b"%PDF-") for pdf in made)


def test_typed_text_is_never_source_text(typesetter: Typesetter) -> None:
    hostile = placed(
        customer=Customer(name=SOURCE_TEXT, email="a@b.test"),
        billing=BillingAddress(name=SOURCE_TEXT, lines=(SOURCE_TEXT,), tax_id=SOURCE_TEXT, country="#x"),
        lines=(OrderLine(name=SOURCE_TEXT, quantity=1, unit_amount=49_900, tax_rate="#panic()"),),
    )
    shop = replace(SHOP, name=SOURCE_TEXT, address=(SOURCE_TEXT,), website=SOURCE_TEXT, tax_id=SOURCE_TEXT)
    assert typesetter.pdf(sheet(hostile, shop)).startswith(b"%PDF-")


@pytest.mark.parametrize(
    "name", ["", "word" * 100, "😀" * 300, "שלום עולם", "قهوة", "日本語の名前", "आशा रामन", "a\u0301" * 100]
)
def test_any_name_can_be_set(typesetter: Typesetter, name: str) -> None:
    order = placed(
        customer=Customer(name=name, email="a@b.test"),
        lines=(OrderLine(name=name, quantity=1, unit_amount=49_900),),
    )
    assert typesetter.pdf(sheet(order)).startswith(b"%PDF-")


def test_a_long_order_runs_over_several_numbered_pages(typesetter: Typesetter) -> None:
    lines = tuple(OrderLine(name=f"Book {n}", quantity=1, unit_amount=499) for n in range(100))
    assert typesetter.pdf(sheet(with_lines(*lines))).count(b"/Count 4") == 1
