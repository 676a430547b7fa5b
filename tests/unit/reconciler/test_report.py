"""The page says what is known, the table is safe to open, and sums are sums."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from services.reconciler.domain.mismatches import Mismatch
from services.reconciler.domain.money import Part, Stake, explained, plain
from services.reconciler.period import Money, Period, overall, shown, totals
from services.reconciler.report import ROWS_MAX, age, grouped, html, percent, table, text
from services.reconciler.store.figures import ByHand, Payout
from shared.messages.reconciler import Figures, Leg

DAY = date(2026, 1, 31)
NOW = datetime(2026, 2, 3, 9, tzinfo=UTC)
EVIL = '=HYPERLINK("http://evil.example","x")<script>alert(1)</script>'


def part(object_: str, reason: str, signed: int, fees: int = 0, net: int = 0) -> Part:
    return Part(DAY, "INR", object_, reason, signed, fees, net)


def stake(kind: str, amount: int, ours: bool = True) -> Stake:
    return Stake(DAY, "INR", kind, amount, NOW - timedelta(days=2), ours=ours)


def test_what_remains_is_what_came_in_less_all_that_went_out() -> None:
    (row,) = explained(
        [
            part("charge", "whole", 100_000, 2_000, 98_000),
            part("charge", "waiting", 50_000),
            part("charge", "amount", 30_000, 600, 29_000),
            part("refund", "whole", -10_000, 0, -10_000),
            part("dispute", "accepted", -5_000),
        ],
        [stake("amount", 400), stake("missing_local", 9_600, ours=False)],
    )
    assert (row.captured, row.refunded, row.disputed) == (180_000, 10_000, 5_000)
    assert (row.fees, row.settled) == (2_600, 117_000)
    assert row.remaining == 180_000 - 10_000 - 5_000 - 2_600 - 117_000
    assert (row.waiting, row.accepted) == (50_000, -5_000)
    assert row.by_kind == {"amount": 400, "missing_local": 9_600}
    assert row.unexplained == 10_000
    assert row.moved == 195_000 + 9_600
    assert row.explained == 0.951124


def test_what_nobody_has_compared_is_not_explained() -> None:
    (row,) = explained([part("charge", "not_compared", 1_000, 20, 900)], [])
    assert row.by_kind == {"not_compared": 80}
    assert row.explained == 0.92


def test_a_difference_never_rounds_away() -> None:
    whole = part("charge", "whole", 10**9, 0, 10**9)
    (row,) = explained([whole], [stake("missing_local", 1)])
    assert row.explained == 0.999999


def test_nothing_unexplained_is_all_of_it() -> None:
    (row,) = explained([part("charge", "whole", 1_000, 20, 980)], [])
    assert (row.remaining, row.explained) == (0, 1.0)


def test_sums_may_be_larger_than_one_payment() -> None:
    assert plain(-(10**14) - 5, "INR") == "-1000000000000.05"
    assert plain(7, "KWD") == "0.007"
    assert plain(1_234, "JPY") == "1234"
    assert grouped(-(10**9) - 5, "INR") == "-10,000,000.05"
    assert grouped(1_234, "JPY") == "1,234"


def day() -> Period:
    legs = (Leg(side="provider", charge_id="pay_1", state="captured", amount=118_000, currency="INR"),)
    mismatch = Mismatch(
        "m-1", 1, open=True, provider="razorpay", account="acc_1", day=DAY, subject=EVIL, order_id="=1+1",
        amount=118_000, currency="INR", legs=legs, first_seen_at=NOW - timedelta(hours=5),
    )  # fmt: skip
    figures = explained([part("charge", "whole", 100_000, 2_000, 98_000)], [stake("missing_local", 118_000)])
    money = [Money("razorpay", "acc_1", f) for f in figures]
    return Period(
        since=DAY,
        until=DAY,
        settled=True,
        runs=[],
        overall=overall(money),
        totals=totals(money),
        money=money,
        by_hand=[ByHand("o-9", "+bank", "asha: =paid in cash", 5_000, "INR", NOW)],
        payouts=[Payout("razorpay", "INR", 1, 98_000)],
        mismatches=[shown(mismatch, NOW)],
        next=None,
    )


def week() -> Period:
    """Two providers in INR and one of them in JPY, two days of three; the first day has a difference."""
    first, last = DAY - timedelta(days=2), DAY
    money = [
        Money("razorpay", "acc_1", figures_of(first, "INR", 100_000, unexplained=40_000)),
        Money("razorpay", "acc_1", figures_of(last, "INR", 50_000)),
        Money("stripe", "acct_1", figures_of(last, "INR", 7_000)),
        Money("stripe", "acct_1", figures_of(last, "JPY", 900)),
    ]
    return replace(day(), since=first, until=last, money=money, totals=totals(money), overall=overall(money))


def figures_of(day_: date, currency: str, captured: int, unexplained: int = 0) -> Figures:
    found = [Part(day_, currency, "charge", "whole", captured, 100, captured - 100)]
    stakes = [Stake(day_, currency, "missing_local", unexplained, NOW - timedelta(days=4), ours=False)]
    (figures,) = explained(found, stakes if unexplained else [])
    return figures


def test_days_add_up_for_each_provider_and_for_each_currency() -> None:
    found = week()
    assert [(m.provider, m.figures.currency, m.figures.captured) for m in found.totals] == [
        ("razorpay", "INR", 150_000), ("stripe", "INR", 7_000), ("stripe", "JPY", 900),
    ]  # fmt: skip
    rupees, yen = found.overall
    assert (rupees.currency, rupees.captured, rupees.fees, rupees.settled) == ("INR", 157_000, 300, 156_700)
    assert (rupees.unexplained, rupees.by_kind) == (40_000, {"missing_local": 40_000})
    assert rupees.explained == 0.796954
    assert rupees.oldest_unexplained_at == NOW - timedelta(days=4)
    assert (yen.captured, yen.explained, yen.oldest_unexplained_at) == (900, 1.0, None)


def test_a_week_is_one_page_and_one_table() -> None:
    page = html(week(), NOW)
    for words in ("29 January 2026 to 31 January 2026", "Day by day", "2026-01-29", "all of them", "1,570.00",
                  "Paid out to the bank on these 3 days"):  # fmt: skip
        assert words in page, words
    assert "Day by day" not in html(day(), NOW)
    rows = list(csv.DictReader(io.StringIO(table(week()))))
    sums = [r for r in rows if r["line"] == "total" and r["item"] == "captured"]
    assert [(r["provider"], r["currency"], r["amount"], r["day"]) for r in sums] == [
        (provider, currency, amount, "2026-01-29..2026-01-31")
        for provider, currency, amount in (
            ("razorpay", "INR", "1500.00"), ("stripe", "INR", "70.00"), ("stripe", "JPY", "900"),
            ("all", "INR", "1570.00"), ("all", "JPY", "900"),
        )
    ]  # fmt: skip


def test_a_page_shows_what_matters_most_and_says_how_many_more_there_are() -> None:
    (known,) = day().mismatches
    amounts = [118_000, *range(1, ROWS_MAX + 3)]
    many = [replace(known, mismatch_id=f"m-{n}", amount=n, subject=f"pay_{n}") for n in amounts]
    page = html(replace(day(), mismatches=many), NOW)
    assert f"{ROWS_MAX + 3} differences are open" in page
    assert "3 more that matter less are in the table" in page
    assert "pay_118000<" in page
    assert "pay_1<" not in page
    assert len([r for r in csv.DictReader(io.StringIO(table(replace(day(), mismatches=many))))
                if r["line"] == "mismatch"]) == ROWS_MAX + 3  # fmt: skip


def test_no_cell_is_a_formula_and_negative_amounts_stay_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(table(day()))))
    for row in rows:
        for name, cell in row.items():
            if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
                assert name == "amount"
                float(cell)
    assert {r["line"] for r in rows} == {"figure", "mismatch", "by hand", "payout", "total"}
    assert any(r["subject"] == f"'{EVIL}" for r in rows)
    captured = next(r for r in rows if r["item"] == "captured")
    assert captured["amount"] == "1000.00"


@pytest.mark.parametrize("bad", ["=1", "+1", "-1", "@a", "\ta", "\ra", "\n=1"])
def test_a_text_that_looks_like_a_formula_is_a_text(bad: str) -> None:
    assert text(bad) == f"'{bad}"


def test_the_page_escapes_what_came_from_outside_and_says_what_is_being_done() -> None:
    page = html(day(), NOW)
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    for words in ("31 January 2026", "1 difference is open", "The provider has it, we do not", "1,180.00 INR",
                  "By itself", "Where the money is", "+bank", "asha: =paid in cash", "5 h"):  # fmt: skip
        assert words in page, words


def test_nearly_all_is_not_all() -> None:
    assert percent(0.999999) == "99.99 %"
    assert percent(0.57) == "57.00 %"
    assert percent(1.0) == "100.00 %"


def test_ages_read_like_a_person_says_them() -> None:
    ages = [age(NOW - timedelta(seconds=s), NOW) for s in (5, 119, 120, 7_200, 200_000)]
    assert ages == ["5 s", "119 s", "2 min", "2 h", "2 d"]
