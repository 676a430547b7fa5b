"""Where two books differ about one charge: exactly the seeded differences, and no other."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from services.reconciler.domain.matching import MONEY, Entry, Pair, Tally, compare, match
from shared.messages.facts import ChargeState

STATES: tuple[ChargeState, ...] = ("pending", "failed", "authorized", "lapsed", "captured")
SMALL: tuple[ChargeState, ...] = ("pending", "failed")

entries = st.builds(
    Entry,
    state=st.sampled_from(STATES),
    amount=st.integers(1, 10**9),
    currency=st.sampled_from(["INR", "USD", "JPY", "KWD"]),
)
money = entries.filter(lambda e: e.money)
DAMAGES = ("none", "missing_local", "missing_provider", "amount", "currency", "status", "amount+status")


@dataclass(frozen=True)
class Seeded:
    """A charge both sides agree on, and what was done to the provider's or our record of it."""

    charge_id: str
    entry: Entry
    damage: str
    other_state: ChargeState

    def pair(self) -> Pair:
        ours: Entry | None = self.entry
        theirs: Entry | None = self.entry
        if self.damage == "missing_local":
            ours = None
        if self.damage == "missing_provider":
            theirs = None
        if "amount" in self.damage:
            theirs = replace(self.entry, amount=self.entry.amount + 1)
        if "currency" in self.damage:
            theirs = replace(self.entry, currency="EUR")
        if "status" in self.damage:
            assert theirs is not None
            theirs = replace(theirs, state=self.other_state)
        return Pair(self.charge_id, f"order-{self.charge_id}", ours, theirs)

    def expected(self) -> set[tuple[str, str]]:
        if self.damage == "none":
            return set()
        return {(kind, self.charge_id) for kind in self.damage.split("+")}


@st.composite
def ledgers(draw: st.DrawFn) -> list[Seeded]:
    ids = draw(st.lists(st.text("abcdef", min_size=1, max_size=6), unique=True, max_size=30))
    found = []
    for charge_id in ids:
        entry = draw(money)
        other = draw(st.sampled_from([s for s in STATES if s != entry.state]))
        found.append(Seeded(charge_id, entry, draw(st.sampled_from(DAMAGES)), other))
    return found


@given(ledgers(), st.integers(0, 30))
def test_exactly_the_seeded_differences_are_found_however_the_day_is_cut(
    ledger: list[Seeded], cut: int
) -> None:
    pairs = [s.pair() for s in ledger]
    tally, differences = match(pairs)

    expected = set[tuple[str, str]]().union(*(s.expected() for s in ledger))
    assert {(d.kind, d.subject) for d in differences} == expected
    assert len(differences) == len(expected) == tally.mismatches
    assert tally.agreed == sum(s.damage == "none" for s in ledger)

    first, found_first = match(pairs[:cut])
    second, found_second = match(pairs[cut:])
    assert first.plus(second) == tally
    assert found_first + found_second == differences


@given(st.one_of(st.none(), entries), st.one_of(st.none(), entries))
def test_a_difference_needs_money_on_one_side(ours: Entry | None, theirs: Entry | None) -> None:
    found = compare(Pair("pay_1", None, ours, theirs))
    if any(side is not None and side.state in MONEY for side in (ours, theirs)):
        assert (found == ()) == (ours == theirs)
    else:
        assert found == ()


@given(entries, entries)
def test_swapping_the_sides_gives_the_same_kinds(one: Entry, other: Entry) -> None:
    there = [d.kind for d in compare(Pair("pay_1", None, one, other))]
    back = [d.kind for d in compare(Pair("pay_1", None, other, one))]
    assert there == back


def test_amounts_of_two_currencies_are_not_compared() -> None:
    pair = Pair("pay_1", "order-1", Entry("captured", 100, "INR"), Entry("captured", 7, "USD"))
    assert [d.kind for d in compare(pair)] == ["currency"]


def test_the_legs_say_what_each_side_holds() -> None:
    pair = Pair("pay_1", "order-1", Entry("captured", 100, "INR"), Entry("captured", 90, "INR"))
    (difference,) = compare(pair)
    ours, theirs = difference.legs
    assert (ours.side, ours.amount, ours.order_id) == ("ours", 100, "order-1")
    assert (theirs.side, theirs.amount, theirs.charge_id) == ("provider", 90, "pay_1")
    assert difference.order_id == "order-1"


def test_a_side_that_lacks_the_charge_has_no_leg() -> None:
    (difference,) = compare(Pair("pay_1", None, None, Entry("captured", 90, "INR")))
    assert [leg.side for leg in difference.legs] == ["provider"]


def test_nothing_to_compare_is_a_tally_of_nothing() -> None:
    assert match([]) == (Tally(), ())
