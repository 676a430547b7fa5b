"""Where three books differ: exactly the known differences, and no other."""

import os
import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.reconciler.domain.items import Item, Line, Ours, Settled, Theirs
from services.reconciler.domain.matching import Tally, compare, match
from services.reconciler.domain.merging import merged
from services.reconciler.domain.settling import Terms, expected
from tests.unit.reconciler.ledgers import DAY, TERMS, Ledger, drawn

CASES = max(10_000, int(os.environ.get("PAYSTREAM_SEQUENCES", "0")))  # ledgers


def read_badly(draw: random.Random, ledger: Ledger) -> tuple[list[Ours], list[Theirs], list[Line]]:
    """What reading page by page while pages change gives: repetitions in any order; then sorted by key."""
    streams: list[list[Ours] | list[Theirs] | list[Line]] = [
        list(ledger.ours.values()), list(ledger.theirs.values()), list(ledger.lines)
    ]  # fmt: skip
    for stream in streams:
        for record in draw.sample(stream, draw.randint(0, min(3, len(stream)))):
            stream.insert(draw.randrange(len(stream)), record)  # type: ignore[arg-type] # of its own stream
        draw.shuffle(stream)
        stream.sort(key=lambda r: r.key)
    return streams[0], streams[1], streams[2]  # type: ignore[return-value] # as they went in


@pytest.mark.parametrize("part", range(10))
def test_exactly_the_known_differences_are_found(part: int) -> None:
    for seed in range(part, CASES, 10):
        draw = random.Random(seed)
        ledger = drawn(draw, draw.randint(0, 6))
        tally, differences = match(merged(*read_badly(draw, ledger)), TERMS)
        found = [(d.kind, d.subject) for d in differences]
        assert set(found) == ledger.expected, f"seed {seed}"
        assert len(found) == len(ledger.expected) == tally.mismatches, f"seed {seed}: each once"


@pytest.mark.parametrize("seed", range(200))
def test_a_clean_day_has_no_difference(seed: int) -> None:
    draw = random.Random(seed)
    ledger = drawn(draw, 20, damaged=0)
    tally, differences = match(merged(*read_badly(draw, ledger)), TERMS)
    assert differences == []
    assert tally.ours == tally.theirs == tally.agreed


@pytest.mark.parametrize("seed", range(50))
def test_a_day_cut_into_parts_gives_the_same(seed: int) -> None:
    draw = random.Random(seed)
    items = list(merged(*read_badly(draw, drawn(draw, 20))))
    whole, differences = match(items, TERMS)
    cut = draw.randint(0, len(items))
    (first, found), (second, more) = match(items[:cut], TERMS), match(items[cut:], TERMS)
    assert first.plus(second) == whole
    assert found + more == differences


def test_a_stream_out_of_order_is_refused() -> None:
    with pytest.raises(ValueError, match="not sorted"):
        list(merged([charge("b"), charge("a")], [], []))


def test_nothing_to_compare_is_a_tally_of_nothing() -> None:
    assert match(merged([], [], []), TERMS) == (Tally(), [])


# --- what single rules say --------------------------------------------------------------------------------


def charge(id_: str = "pay_1", **more: object) -> Ours:
    record = Ours(
        object="charge", id=id_, order_id="o-1", charge_id=id_, provider_order_id="order_1", state="captured",
        amount=50_000, currency="INR", at=DAY, paid=True,
    )  # fmt: skip
    return replace(record, **more)


def theirs(ours: Ours, **more: object) -> Theirs:
    record = Theirs(
        object=ours.object, id=ours.id, charge_id=ours.charge_id, provider_order_id="order_1",
        state=ours.state, amount=ours.amount, currency=ours.currency, at=ours.at, money=ours.money,
        order_id="o-1",
    )  # fmt: skip
    return replace(record, **more)


def kinds(ours: Ours | None, other: Theirs | None, settled: Settled | None = None) -> list[str]:
    some = ours or other
    assert some is not None
    return [d.kind for d in compare(Item(some.object, some.id, ours, other, settled), Terms())]


def test_amounts_of_two_currencies_are_not_compared() -> None:
    assert kinds(charge(), theirs(charge(), currency="USD", amount=7)) == ["currency"]


def test_declined_and_undecided_charges_are_no_mismatch_on_either_side() -> None:
    for state in ("pending", "failed"):
        assert kinds(charge(state=state), None) == []
        assert kinds(None, theirs(charge(state=state))) == []


def test_the_legs_are_the_evidence() -> None:
    ours = charge()
    item = Item("charge", "pay_1", ours, theirs(ours, amount=49_000), None)
    (difference,) = compare(item, Terms())
    assert [(leg.side, leg.amount) for leg in difference.legs] == [("ours", 50_000), ("provider", 49_000)]
    assert (difference.amount, difference.currency, difference.order_id) == (1_000, "INR", "o-1")


def test_a_refund_that_was_asked_for_a_moment_ago_may_still_be_on_its_way() -> None:
    refund = charge("rf-1", object="refund", state="requested")
    item = Item("refund", "rf-1", refund, None, None)
    soon, later = (Terms(judged_at=DAY + timedelta(minutes=m)) for m in (59, 61))
    assert compare(item, soon) == []
    assert [d.kind for d in compare(item, later)] == ["refund"]


def test_where_nothing_is_settled_nothing_is_unsettled() -> None:
    item = Item("charge", "pay_1", charge(), theirs(charge()), None)
    late = Terms(settled_until=DAY + timedelta(days=90))
    assert [d.kind for d in compare(item, late)] == ["unsettled"]
    assert compare(item, replace(late, settles=False)) == []


def test_money_that_a_dispute_gave_back_lately_may_be_in_no_line_yet() -> None:
    ours = charge("disp_1", object="dispute", state="won", money="reinstated")
    terms = Terms(due_s=7 * 86_400.0, settled_until=DAY + timedelta(days=90))

    def differs(moved_at: datetime | None) -> bool:
        item = Item("dispute", "disp_1", ours, theirs(ours, moved_at=moved_at), settled(-50_000, "INR", ""))
        return [d.kind for d in compare(item, terms)] == ["dispute"]

    assert differs(None), "three months after it was opened"
    assert differs(DAY + timedelta(days=83))
    assert not differs(DAY + timedelta(days=84))


def settled(amount: int, currency: str, rate: str) -> Settled:
    return Settled(amount, 0, amount, currency, DAY, "pay_1", "setl_1", rate, paid_out=True)


@pytest.mark.parametrize(
    ("amount", "currency", "line", "agrees"),
    [
        (10_000, "USD", settled(8_312_50, "INR", "83.125"), True),
        (10_000, "USD", settled(8_312_50 + 6, "INR", "83.125"), True),  # half of the rate's last digit
        (10_000, "USD", settled(8_312_50 + 7, "INR", "83.125"), False),
        (5_000, "JPY", settled(33_50, "USD", "0.0067"), True),
        (5_000, "JPY", settled(34_00, "USD", "0.0067"), False),
        (1_234, "KWD", settled(4_01, "USD", "3.25"), True),
        (10_000, "USD", settled(1, "INR", ""), True),  # no rate: nothing to compare with
        (10_000, "USD", settled(10_001, "USD", ""), False),  # one currency: to the minor unit
    ],
)
def test_a_settlement_may_differ_by_its_rounding_alone(
    amount: int, currency: str, line: Settled, agrees: bool
) -> None:
    ours = charge(amount=amount, currency=currency)
    assert kinds(ours, theirs(ours), line) == ([] if agrees else ["amount"])


@given(st.text(max_size=12))
def test_a_rate_that_is_no_number_is_no_rate(rate: str) -> None:
    found = expected(100, "USD", settled(100, "INR", rate))
    assert found is None or found.tolerance >= 1


def test_what_lies_before_the_lines_that_are_read_is_not_late() -> None:
    terms = Terms(settled_since=DAY + timedelta(days=1), settled_until=DAY + timedelta(days=30))
    assert not terms.overdue(DAY)
    assert terms.overdue(DAY + timedelta(days=1))
