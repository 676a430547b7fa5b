"""Documents as their reader sees them: the words on each page, and the page as a picture."""

import re
from dataclasses import dataclass, replace
from functools import cache

import pytest

from services.notifier.documents.typeset import Typesetter
from services.notifier.domain.state import DocumentKind
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced
from tests.reading import Page, pages_of
from tests.unit.notifier import examples
from tests.unit.notifier.examples import RULES, SHOP, paid, placed, play, refund_failed, refund_succeeded

LINES = 24  # two pages
MARGIN = 28.0  # points, a centimetre: what any printer can print
KINDS: tuple[DocumentKind, ...] = ("invoice", "credit_note", "cancellation")
NUMBERS = {"invoice": "R-2026-000007", "credit_note": "C-2026-000007", "cancellation": "X-2026-000007"}
ADDRESS = ("14 Church Street", "Bengaluru 560001")
WITH_ADDRESS = replace(SHOP, address=ADDRESS)


@dataclass(frozen=True)
class Case:
    """One currency and how its reader writes it: a line, all of them, the 9,900 minor units of a refund."""

    currency: str
    locale: str
    unit: int
    line: str
    total: str
    refund: str
    form: str  # every amount of this page, with its sign and its decimals


CASES = [
    Case("JPY", "en-JP", 1_234, "¥1,234", "¥29,616", "¥9,900", r"¥\d{1,3}(,\d{3})*"),
    Case("KWD", "en-KW", 1_234_560, "KWD 1,234.560", "KWD 29,629.440", "KWD 9.900",
         r"KWD \d{1,3}(,\d{3})*\.\d{3}"),
    Case("EUR", "de-DE", 123_456, "1.234,56 €", "29.629,44 €", "99,00 €", r"\d{1,3}(\.\d{3})*,\d{2} €"),
    Case("INR", "en-IN", 1_234_567, "₹12,345.67", "₹2,96,296.08", "₹99.00",
         r"₹(\d{1,2},)?(\d{2},)*\d{1,3}\.\d{2}"),
]  # fmt: skip
ALL = [(case, kind) for case in CASES for kind in KINDS]


def _order(case: Case) -> OrderPlaced:
    name = "Espresso cup {}, ash glaze, with a longer text about what it is and how it was made, Größe Ω"
    return placed(
        amount=case.unit * LINES,
        currency=case.currency,
        locale=case.locale,
        lines=tuple(
            OrderLine(name=name.format(n), quantity=1, unit_amount=case.unit) for n in range(1, LINES + 1)
        ),
        customer=Customer(name="Zoë Ólafsdóttir", email="zoe@buyer.test"),
        billing=BillingAddress(
            name="Ólafsdóttir ehf.", lines=("Laugavegur 22a", "101 Reykjavík"), country="IS"
        ),
    )


@cache
def _pages(case: Case, kind: DocumentKind) -> list[Page]:
    placed_ = _order(case)
    money = {"amount": placed_.amount, "currency": case.currency}
    back = {"currency": case.currency}
    said = (placed_, paid(**money), refund_succeeded(**back), refund_failed(**back))
    order, _ = play(*said, rules=replace(RULES, issues="invoice"))
    return pages_of(Typesetter().pdf(examples.sheet(order, kind, WITH_ADDRESS)))


def _sums(case: Case, pages: list[Page]) -> list[str]:
    """Everything on these pages that has the currency's sign on it, in reading order."""
    sign = case.form[0] if case.form[0] in "¥₹" else "€" if case.currency == "EUR" else "KWD"
    text = " ".join(page.text for page in pages)
    pattern = rf"[\d.,]+ {sign}" if sign == "€" else rf"{sign} ?[\d.,]+"
    return re.findall(pattern, text)


@pytest.mark.parametrize(("case", "kind"), ALL, ids=lambda value: getattr(value, "currency", value))
def test_every_amount_is_written_as_its_currency_is(case: Case, kind: DocumentKind) -> None:
    sums = _sums(case, _pages(case, kind))
    wanted = {case.line: 2 * LINES, case.total: 1} if kind == "invoice" else {case.refund: 3}
    assert {text: sums.count(text) for text in set(sums)} == wanted
    assert all(re.fullmatch(case.form, text) for text in sums)


@pytest.mark.parametrize(("case", "kind"), ALL, ids=lambda value: getattr(value, "currency", value))
def test_a_reader_finds_its_number_its_parties_and_its_pages(case: Case, kind: DocumentKind) -> None:
    pages = _pages(case, kind)
    assert len(pages) == (2 if kind == "invoice" else 1)
    first = pages[0].text
    for words in (
        "Bluebird Books",
        *ADDRESS,
        "Ólafsdóttir ehf.",
        "Laugavegur 22a",
        "101 Reykjavík",
        "order-1",
    ):
        assert words in first
    assert "R-2026-000007" in first, "a credit note and its cancellation name the invoice"
    for n, page in enumerate(pages, 1):
        assert NUMBERS[kind] in page.text
        assert ("Seite {} von {}" if case.locale == "de-DE" else "Page {} of {}").format(
            n, len(pages)
        ) in page.text
    if kind == "invoice":
        numbers = re.findall(r"Espresso cup (\d+),", " ".join(page.text for page in pages))
        assert numbers == [str(n) for n in range(1, LINES + 1)]
        assert "Größe Ω" in pages[-1].text
    if kind == "cancellation":
        assert "C-2026-000007" in first


@pytest.mark.parametrize(("case", "kind"), ALL, ids=lambda value: getattr(value, "currency", value))
def test_each_page_is_printed_upon_and_nothing_runs_off_it(case: Case, kind: DocumentKind) -> None:
    for page in _pages(case, kind):
        assert 0.01 < page.ink < 0.25
        assert min(page.margins) > MARGIN
        for word in page.words:
            assert MARGIN < word.left < word.right < page.width - MARGIN, word
            assert MARGIN < word.top < word.bottom < page.height - MARGIN, word


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.currency)
def test_words_of_the_table_do_not_lie_on_each_other(case: Case) -> None:
    total = case.total.split()[-1 if case.currency == "KWD" else 0]
    for page in _pages(case, "invoice"):
        end = next((w.top - 25 for w in page.words if w.text == total), page.height)  # the stamp is aslant
        words = [word for word in page.words if word.top < end]
        for n, one in enumerate(words):
            for other in words[n + 1 :]:
                beside = one.right <= other.left + 0.5 or other.right <= one.left + 0.5
                below = one.bottom <= other.top + 2.5 or other.bottom <= one.top + 2.5  # boxes have room
                assert beside or below, (one, other)


@pytest.mark.parametrize("reference", ["re_qJ8LggXPHXnxwLPLUCEORpvd", "R" * 60])
def test_a_long_reference_stands_beside_its_name(reference: str) -> None:
    order, _ = play(placed(), paid(), refund_succeeded(provider_refund_id=reference))
    (page,) = pages_of(Typesetter().pdf(examples.sheet(order, "credit_note", WITH_ADDRESS)))
    found = next(word for word in page.words if word.text == reference)
    name = max(
        (w for w in page.words if abs(w.bottom - found.bottom) < 6 and w.right <= found.left + 40),
        key=lambda word: word.right,
    )
    assert name.text == "reference"
    assert name.right < found.left
    assert found.right < page.width - MARGIN
