from dataclasses import replace

import pytest

from services.notifier.documents.reader import reader_of
from services.notifier.documents.sheet import Sheet, Shop, plain, sheet_of
from services.notifier.documents.typeset import Typesetter
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced
from tests.unit.notifier.examples import PAID_AT, PLACED, SHOP, issued, placed, the_document

SOURCE_TEXT = '#panic("run") #read("/etc/passwd") $x$ *a* _b_ <c> @d \\ ` // /* https://x.test'


def sheet(order: OrderPlaced = PLACED, shop: Shop = SHOP) -> Sheet:
    state = issued(order)
    assert state.paid is not None
    return sheet_of(the_document(state), order, state.paid, shop)


def with_lines(*lines: OrderLine, locale: str = "en-IN") -> OrderPlaced:
    return placed(lines=lines, locale=locale)


def test_amounts_and_dates_are_written_as_the_reader_writes_them() -> None:
    assert (sheet().total, sheet().date) == ("₹499.00", "12 March 2026")
    german = sheet(placed(locale="de-DE"))
    assert (german.total, german.date) == ("499,00\u00a0₹", "12. März 2026")
    assert reader_of("en-IN").money(1_23_45_678, "INR") == "₹1,23,456.78"
    assert reader_of("en").money(1_234, "JPY") == "¥1,234"
    assert reader_of("en").money(1_234_567, "KWD") == "KWD\u00a01,234.567"


def test_the_date_is_the_shops_own() -> None:
    state = issued()
    assert state.paid is not None
    late_evening = replace(state.paid, paid_at=PAID_AT.replace(hour=20))
    assert sheet_of(the_document(state), PLACED, late_evening, SHOP).date == "13 March 2026"


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("en", "en"), ("de-CH", "de_CH"), ("hi_IN", "hi_IN"), ("ta-IN", "en_IN"), ("ja", "en"),
        ("xx-YY", "en"), ("", "en"), ("../../etc", "en"), ("en\0", "en"), ("DE-de", "de_DE"),
        ("e" * 500, "en"),
    ],
)  # fmt: skip
def test_any_locale_tag_gives_a_reader(tag: str, locale: str) -> None:
    assert reader_of(tag).locale == locale


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


@pytest.mark.parametrize("rate", ["NaN", "many", "1e999999", "-5", "18 %"])
def test_a_tax_rate_that_is_no_number_stays_as_it_was_given(rate: str) -> None:
    line = OrderLine(name="Teapot", quantity=1, unit_amount=49_900, tax_rate=rate)
    assert sheet(with_lines(line)).rows[0].tax == rate


def test_a_shop_with_a_tax_id_writes_invoices_one_without_receipts() -> None:
    assert sheet().title == "Receipt"
    assert sheet(shop=replace(SHOP, tax_id="29ABCDE1234F1Z5")).title == "Invoice"


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
    first = typesetter.pdf(sheet())
    assert first.startswith(b"%PDF-")
    assert Typesetter().pdf(sheet()) == first
    assert typesetter.pdf(sheet(placed(customer=Customer(name="Someone else")))) != first


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
