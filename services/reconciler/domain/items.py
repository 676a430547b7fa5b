"""One charge, refund or dispute as each of the three legs knows it."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.messages.reconciler import Leg

Object = Literal["charge", "dispute", "refund"]
Key = tuple[str, str]  # object and id

MONEY = frozenset({"authorized", "lapsed", "captured"})
RELEASE = "release"  # what a provider calls a refund and is an authorisation let go: no money of ours moved


class Order(msgspec.Struct, frozen=True):
    """Our order behind an item. `paid`: a capture of it stands."""

    order_id: str
    closed: bool = False
    paid: bool = False


class Ours(msgspec.Struct, frozen=True, gc=False):
    """Our own record. `at` is the provider's time of it, as far as we know it.

    `money` is a dispute's. Of a charge: `surplus` is captured and does not pay its order, `returned` what
    was given back of it or is on its way, `asked` and `asked_currency` what the order asks for.
    """

    object: Object
    id: str
    order_id: str
    charge_id: str
    provider_order_id: str
    state: str
    amount: int
    currency: str
    at: datetime
    money: str = "none"
    surplus: bool = False
    returned: int = 0
    asked: int = 0
    asked_currency: str = ""
    closed: bool = False
    paid: bool = False

    @property
    def key(self) -> Key:
        return self.object, self.id


class Theirs(msgspec.Struct, frozen=True, gc=False):
    """The provider's record. `order_id` when its order at the provider is one of ours.

    `moved_at`: when a dispute's money moved last, if the provider was asked for that very dispute.
    """

    object: Object
    id: str
    charge_id: str
    provider_order_id: str
    state: str
    amount: int
    currency: str
    at: datetime | None = None
    money: str = "none"
    fee: int | None = None
    order_id: str | None = None
    closed: bool = False
    paid: bool = False
    moved_at: datetime | None = None

    @property
    def key(self) -> Key:
        return self.object, self.id


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of the provider's account with us, signed, in the currency of the settlement."""

    object: Object
    id: str
    line_id: str
    amount: int
    fee: int
    net: int
    currency: str
    at: datetime
    charge_id: str = ""
    settlement_id: str = ""
    rate: str = ""

    @property
    def key(self) -> Key:
        return self.object, self.id


class Settled(msgspec.Struct, frozen=True, gc=False):
    """The lines of one item together. `paid_out`: every one of them was."""

    amount: int
    fee: int
    net: int
    currency: str
    at: datetime
    charge_id: str
    settlement_id: str
    rate: str
    paid_out: bool
    mixed: bool = False  # lines of more than one currency: nothing can be said of the sum


class Item(msgspec.Struct, frozen=True, gc=False):
    """Up to three words on one thing. `behind`: its charge's order, when only a settlement tells of it."""

    object: Object
    id: str
    ours: Ours | None
    theirs: Theirs | None
    settled: Settled | None
    behind: Order | None = None

    @property
    def key(self) -> Key:
        return self.object, self.id

    @property
    def order(self) -> Order | None:
        """Our order, when anything tells it."""
        if self.ours is not None:
            return Order(self.ours.order_id, self.ours.closed, self.ours.paid)
        if self.theirs is not None and self.theirs.order_id is not None:
            return Order(self.theirs.order_id, self.theirs.closed, self.theirs.paid)
        return self.behind

    @property
    def at(self) -> datetime | None:
        """When it was made; ours first, so that it does not move from run to run."""
        if self.ours is not None:
            return self.ours.at
        if self.theirs is not None and self.theirs.at is not None:
            return self.theirs.at
        return self.settled.at if self.settled is not None else None


def legs(item: Item) -> tuple[Leg, ...]:
    """The evidence: what each leg says, one that says nothing is left out."""
    found = []
    refund_id = item.id if item.object == "refund" else ""
    dispute_id = item.id if item.object == "dispute" else ""
    if (ours := item.ours) is not None:
        found.append(
            Leg(
                side="ours",
                charge_id=ours.charge_id,
                refund_id=refund_id,
                dispute_id=dispute_id,
                order_id=ours.order_id,
                state=_state(ours.state, ours.money),
                amount=ours.amount,
                currency=ours.currency,
                at=ours.at,
            )
        )
    if (theirs := item.theirs) is not None:
        found.append(
            Leg(
                side="provider",
                charge_id=theirs.charge_id,
                refund_id=refund_id,
                dispute_id=dispute_id,
                state=_state(theirs.state, theirs.money),
                amount=theirs.amount,
                currency=theirs.currency,
                fee=theirs.fee,
                at=theirs.at,
            )
        )
    if (settled := item.settled) is not None:
        found.append(
            Leg(
                side="settlement",
                charge_id=settled.charge_id,
                refund_id=refund_id,
                dispute_id=dispute_id,
                amount=settled.amount,
                currency=settled.currency,
                fee=settled.fee,
                rate=settled.rate,
                settlement_id=settled.settlement_id,
                at=settled.at,
            )
        )
    return tuple(found)


def _state(state: str, money: str) -> str:
    return state if money == "none" else f"{state}, money {money}"
