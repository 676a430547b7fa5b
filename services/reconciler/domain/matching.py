"""Where two books differ about one charge.

Only money makes a difference: a charge that no side holds for authorised, captured or lapsed (declined ones,
and those still undecided) is no mismatch, even when one side has never heard of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.messages.facts import ChargeState
from shared.messages.reconciler import Leg, MismatchKind

MONEY = frozenset[ChargeState]({"authorized", "lapsed", "captured"})


@dataclass(frozen=True, slots=True)
class Entry:
    """What one side says of a charge; `amount` in minor units."""

    state: ChargeState
    amount: int
    currency: str

    @property
    def money(self) -> bool:
        return self.state in MONEY


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides' word on one charge. `order_id` is our order, when anything tells it."""

    charge_id: str
    order_id: str | None
    ours: Entry | None
    theirs: Entry | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which the books do not agree; `subject` is the charge."""

    kind: MismatchKind
    subject: str
    order_id: str | None
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What was compared: charges with money on our side, on theirs, on which both agree, differences."""

    ours: int = 0
    theirs: int = 0
    agreed: int = 0
    mismatches: int = 0

    def plus(self, other: "Tally") -> "Tally":
        return Tally(
            self.ours + other.ours,
            self.theirs + other.theirs,
            self.agreed + other.agreed,
            self.mismatches + other.mismatches,
        )


def compare(pair: Pair) -> tuple[Difference, ...]:
    """Every difference of this charge; none when the books agree or no money is involved."""
    return tuple(
        Difference(kind, pair.charge_id, pair.order_id, _legs(pair))
        for kind in _kinds(pair.ours, pair.theirs)
    )


def match(pairs: Iterable[Pair]) -> tuple[Tally, tuple[Difference, ...]]:
    """The tally of all pairs and all their differences, in the order of the pairs."""
    ours = theirs = agreed = 0
    differences: list[Difference] = []
    for pair in pairs:
        found = compare(pair)
        our_money = pair.ours is not None and pair.ours.money
        their_money = pair.theirs is not None and pair.theirs.money
        ours += our_money
        theirs += their_money
        agreed += our_money and their_money and not found
        differences += found
    return Tally(ours, theirs, agreed, len(differences)), tuple(differences)


def _kinds(ours: Entry | None, theirs: Entry | None) -> tuple[MismatchKind, ...]:
    if not ((ours and ours.money) or (theirs and theirs.money)):
        return ()
    if ours is None:
        return ("missing_local",)
    if theirs is None:
        return ("missing_provider",)
    kinds: list[MismatchKind] = []
    if ours.currency != theirs.currency:
        kinds.append("currency")  # amounts of two currencies cannot be compared
    elif ours.amount != theirs.amount:
        kinds.append("amount")
    if ours.state != theirs.state:
        kinds.append("status")
    return tuple(kinds)


def _legs(pair: Pair) -> tuple[Leg, ...]:
    legs = []
    if pair.ours is not None:
        legs.append(
            Leg(
                side="ours",
                charge_id=pair.charge_id,
                order_id=pair.order_id or "",
                state=pair.ours.state,
                amount=pair.ours.amount,
                currency=pair.ours.currency,
            )
        )
    if pair.theirs is not None:
        legs.append(
            Leg(
                side="provider",
                charge_id=pair.charge_id,
                state=pair.theirs.state,
                amount=pair.theirs.amount,
                currency=pair.theirs.currency,
            )
        )
    return tuple(legs)
