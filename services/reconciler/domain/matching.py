"""Where three books differ about one charge, refund or dispute. docs/reconciler.md has an example of each.

Only money makes a difference: a charge that no side holds for authorised, captured or lapsed (declined ones,
and those still undecided) is no mismatch, even when one side has never heard of it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from services.reconciler.domain.items import MONEY, RELEASE, Item, Object, Ours, Settled, Theirs, legs
from services.reconciler.domain.settling import Terms, expected
from shared.messages.reconciler import Leg, MismatchKind

NO_MONEY = ("failed", RELEASE)  # states of a refund

Found = tuple[MismatchKind, int, str, int]  # kind, the money in question, its currency, what may go back


class Difference(msgspec.Struct, frozen=True):
    """One thing on which the books do not agree. `amount` is the money in question.

    `returns`: how much of a capture would have to go back to the buyer to mend it, when that would.
    """

    kind: MismatchKind
    object: Object
    subject: str
    order_id: str | None
    charge_id: str
    amount: int
    currency: str
    at: datetime | None
    legs: tuple[Leg, ...]
    returns: int = 0


class Tally(msgspec.Struct, frozen=True):
    """What was compared: records with money on each leg, items on which all agree, differences."""

    ours: int = 0
    theirs: int = 0
    settled: int = 0
    agreed: int = 0
    mismatches: int = 0

    def plus(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f) + getattr(other, f) for f in self.__struct_fields__))


def match(items: Iterable[Item], terms: Terms) -> tuple[Tally, list[Difference]]:
    """The tally of all items and all their differences, in the order of the items."""
    return tallied((item, compare(item, terms)) for item in items)


def tallied(judged: Iterable[tuple[Item, list[Difference]]]) -> tuple[Tally, list[Difference]]:
    """The same of items that are compared already."""
    ours = theirs = settled = agreed = 0
    differences: list[Difference] = []
    for item, found in judged:
        our_money = item.ours is not None and counts(item.ours)
        their_money = item.theirs is not None and counts(item.theirs)
        ours += our_money
        theirs += their_money
        settled += item.settled is not None
        agreed += our_money and their_money and not found
        differences += found
    return Tally(ours, theirs, settled, agreed, len(differences)), differences


def counts(record: Ours | Theirs) -> bool:
    """Whether this record is about money that moved or may still move."""
    if record.object == "charge":
        return record.state in MONEY
    return record.object == "dispute" or record.state not in NO_MONEY


def compare(item: Item, terms: Terms) -> list[Difference]:
    """Every difference of this item; none when the books agree or no money is involved."""
    found = list(_RULES[item.object](item, terms))
    if not found:
        return []
    order, evidence = item.order, legs(item)
    some = item.ours or item.theirs or item.settled
    charge_id = some.charge_id if some is not None else ""
    return [
        Difference(
            kind, item.object, item.id, order.order_id if order else None, charge_id, amount, currency,
            item.at, evidence, returns,
        )
        for kind, amount, currency, returns in found
    ]  # fmt: skip


# --- charges ----------------------------------------------------------------------------------------------


def _charge(item: Item, terms: Terms) -> Iterator[Found]:
    ours, theirs, settled = item.ours, item.theirs, item.settled
    if ours is None and theirs is None:
        if settled is not None and settled.amount:
            yield "missing_local", abs(settled.amount), settled.currency, 0
        return
    between = list(_charges_differ(item, ours, theirs))
    yield from between
    if ours is not None and ours.surplus and ours.state == "captured" and ours.returned < ours.amount:
        kind = _why_kept(ours)
        if all(kind != known for known, *_ in between):
            kept = ours.amount - ours.returned
            yield kind, kept, ours.currency, kept
    if not between:
        yield from _charge_settled(theirs or ours, theirs, settled, terms)


def _why_kept(surplus: Ours) -> MismatchKind:
    """What is wrong about a capture that pays no order and has not gone back."""
    if surplus.paid:
        return "duplicate_capture"
    if surplus.asked and surplus.currency != surplus.asked_currency:
        return "currency"
    if surplus.asked and surplus.amount != surplus.asked:
        return "amount"
    return "late_success"


def _charges_differ(item: Item, ours: Ours | None, theirs: Theirs | None) -> Iterator[Found]:
    our_money = ours is not None and ours.state in MONEY
    their_money = theirs is not None and theirs.state in MONEY
    if not our_money and not their_money:
        return
    if theirs is None:
        if ours is not None:
            yield "missing_provider", ours.amount, ours.currency, 0
        return
    order = item.order
    if theirs.state == "captured" and order and order.closed and (not ours or ours.state != "captured"):
        yield "late_success", theirs.amount, theirs.currency, 0
        return
    if ours is None:
        yield "missing_local", theirs.amount, theirs.currency, 0
        return
    back = ours.amount if ours.state == "captured" else 0
    if ours.currency != theirs.currency:
        yield "currency", theirs.amount, theirs.currency, back  # amounts of two currencies cannot be compared
    elif ours.amount != theirs.amount:
        yield "amount", abs(ours.amount - theirs.amount), ours.currency, back
    if ours.state != theirs.state:
        yield "status", max(ours.amount, theirs.amount), theirs.currency, 0


def _charge_settled(
    charge: Ours | Theirs | None, theirs: Theirs | None, settled: Settled | None, terms: Terms
) -> Iterator[Found]:
    if charge is None:
        return
    if charge.state != "captured":
        if settled is not None and settled.amount:
            yield "status", abs(settled.amount), settled.currency, 0
        return
    if settled is not None and not settled.mixed:
        yield from _off(charge.amount, charge.currency, settled, "amount")
        if theirs is not None and theirs.fee is not None and settled.currency == theirs.currency:
            wrong = abs(settled.fee - theirs.fee)
        else:
            wrong = 0
        wrong = wrong or abs(settled.amount - settled.fee - settled.net)
        if wrong:
            yield "fee", wrong, settled.currency, 0
    yield from _unsettled(charge, settled, terms)


def _off(amount: int, currency: str, settled: Settled, kind: MismatchKind) -> Iterator[Found]:
    """The settlement's amount is not what ours comes to."""
    wanted = expected(amount, currency, settled)
    if wanted is not None and abs(settled.amount - wanted.amount) > wanted.tolerance:
        yield kind, abs(settled.amount - wanted.amount), settled.currency, 0


def _unsettled(record: Ours | Theirs, settled: Settled | None, terms: Terms) -> Iterator[Found]:
    if settled is not None and settled.paid_out:
        return
    if terms.settles and record.at is not None and terms.overdue(record.at):
        yield "unsettled", record.amount, record.currency, 0


# --- refunds ----------------------------------------------------------------------------------------------


def _refund(item: Item, terms: Terms) -> Iterator[Found]:
    ours, theirs, settled = item.ours, item.theirs, item.settled
    record = theirs or ours
    if record is None:
        if settled is not None and settled.amount:
            yield "refund", abs(settled.amount), settled.currency, 0
        return
    if theirs is None and ours is not None and ours.state == "requested" and terms.under_way(ours.at):
        return
    if ours is None or theirs is None:
        if record.state not in NO_MONEY:
            yield "refund", record.amount, record.currency, 0
            return
    elif _word(ours) != _word(theirs):
        yield "refund", max(ours.amount, theirs.amount), theirs.currency, 0
        return
    if settled is not None and not settled.mixed:
        yield from _refund_settled(record, settled, terms)
    if record.state == "succeeded":
        yield from _unsettled(record, settled, terms)


def _refund_settled(record: Ours | Theirs, settled: Settled, terms: Terms) -> Iterator[Found]:
    """Money that a refund took is in the lines; that of a failed one comes back in them some days later."""
    if record.state == "failed":
        if settled.amount and record.at is not None and terms.overdue(record.at):
            yield "refund", abs(settled.amount), settled.currency, 0
        return
    yield from _off(-record.amount, record.currency, settled, "refund")
    if settled.amount - settled.fee != settled.net:
        yield "fee", abs(settled.amount - settled.fee - settled.net), settled.currency, 0


# --- disputes ---------------------------------------------------------------------------------------------


def _dispute(item: Item, terms: Terms) -> Iterator[Found]:
    ours, theirs, settled = item.ours, item.theirs, item.settled
    record = theirs or ours
    if record is None:
        if settled is not None and settled.amount:
            yield "dispute", abs(settled.amount), settled.currency, 0
        return
    if ours is None or theirs is None:
        yield "dispute", record.amount, record.currency, 0
        return
    if (*_word(ours), ours.money) != (*_word(theirs), theirs.money):
        yield "dispute", max(ours.amount, theirs.amount), theirs.currency, 0
        return
    if record.money == "withdrawn":
        if settled is not None and not settled.mixed:
            yield from _off(-record.amount, record.currency, settled, "dispute")
        yield from _unsettled(record, settled, terms)
    elif settled is not None and settled.amount:
        # Months after it was opened: what came back today is in a settlement of the coming days.
        moved_at = theirs.moved_at or record.at
        if moved_at is not None and terms.overdue(moved_at):
            yield "dispute", abs(settled.amount), settled.currency, 0


def _word(record: Ours | Theirs) -> tuple[str, int, str]:
    return record.state, record.amount, record.currency


_RULES = {"charge": _charge, "refund": _refund, "dispute": _dispute}
