"""What the providers' own ledgers add up to; reads raw rows and nothing of ours."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

Json = dict[str, Any]
BACK = ("succeeded", "pending", "processed", "COMPLETED", "PENDING")  # states of refunds that took money


@dataclass(frozen=True)
class Moved:
    """One charge, refund or dispute: what it moved, and what of that has reached us.

    `charge_id` is whose it is. `amount` is money in when it is positive. `fees` and `net` are those of its
    lines; `paid_out`: all of them were paid out, or are on our balance where that is the same.
    """

    object: str
    id: str
    charge_id: str
    currency: str
    at: datetime
    amount: int
    fees: int
    net: int
    paid_out: bool

    @property
    def day(self) -> date:
        return self.at.date()

    @property
    def rest(self) -> int:
        return self.amount - self.fees - self.net


@dataclass(frozen=True)
class Payout:
    """Money that a provider sent to the bank."""

    provider: str
    currency: str
    amount: int


def stripe(book: Json) -> Iterator[Moved]:
    """By the balance's lines; a line is paid out once it names a payout."""
    lines: dict[str, list[Json]] = {}
    for line in book["balance_transactions"]:
        lines.setdefault(line["source"], []).append(line)

    def moved(object_: str, row: Json, amount: int) -> Moved:
        mine = lines[row["id"]]
        return Moved(
            object_, row["id"], str(row.get("charge_id", row["id"])), row["currency"].upper(),
            _at(row["created"]), amount,
            sum(x["fee"] for x in mine), sum(x["net"] for x in mine if x["payout"]),
            all(x["payout"] for x in mine),
        )  # fmt: skip

    for charge in book["charges"]:
        if charge["captured"]:
            yield moved("charge", charge, charge["amount_captured"])
    for refund in book["refunds"]:
        if refund["status"] in BACK:
            yield moved("refund", refund, -refund["amount"])
    for dispute in book["disputes"]:
        yield moved("dispute", dispute, sum(x["amount"] for x in lines[dispute["id"]]))


def razorpay(book: Json) -> Iterator[Moved]:
    """A fee is known to be taken, and money to be ours, once a settlement holds it."""
    for payment in book["payments"]:
        if payment["captured"]:
            taken = payment["fee"] if payment["fee_taken"] is None else payment["fee_taken"]
            yield _settled("charge", payment, payment["amount"], taken)
    for refund in book["refunds"]:
        if refund["status"] in BACK:
            yield _settled("refund", refund, -refund["amount"], 0)
    for dispute in book["disputes"]:
        if dispute["status"] == "lost":
            yield _settled("dispute", dispute, -dispute["amount_deducted"], 0)


def _settled(object_: str, row: Json, amount: int, fee: int) -> Moved:
    paid_out = row["settled_by"] is not None
    fees = fee if paid_out else 0
    net = amount - fee if paid_out else 0
    charge_id, at = str(row.get("payment_id", row["id"])), _at(row["created_at"])
    return Moved(object_, row["id"], charge_id, row["currency"], at, amount, fees, net, paid_out)


def paypal(book: Json) -> Iterator[Moved]:
    """Everything but what is pending is on our balance at once."""
    for capture in book["captures"]:
        if capture["status"] not in ("PENDING", "DECLINED"):
            yield _on_balance("charge", capture, capture["amount"], capture["fee"])
    for refund in book["refunds"]:
        if refund["status"] in BACK:
            yield _on_balance("refund", refund, -refund["amount"], 0, done=refund["status"] == "COMPLETED")
    for dispute in book["disputes"]:
        moves = [x["amount"] if x["type"] == "CREDIT" else -x["amount"] for x in dispute["movements"]]
        yield _on_balance("dispute", dispute, sum(moves), 0)


def _on_balance(object_: str, row: Json, amount: int, fee: int, *, done: bool = True) -> Moved:
    net = amount - fee if done else 0
    charge_id, at = str(row.get("capture_id", row["id"])), _at(row["created_at"])
    return Moved(object_, row["id"], charge_id, row["currency"], at, amount, fee, net, done)


MOVED = {"stripe": stripe, "razorpay": razorpay, "paypal": paypal}


def payouts(name: str, book: Json) -> Iterator[Payout]:
    """What left for the bank. Razorpay settles in rupees."""
    for row in book[{"stripe": "payouts", "razorpay": "settlements", "paypal": "withdrawals"}[name]]:
        yield Payout(name, row.get("currency", "INR").upper(), row["amount"])


def payable(book: Json, currency: str) -> bool:
    """Whether Stripe's balance of this currency is one that it pays out."""
    lines = (x for x in book["balance_transactions"] if x["currency"] == currency and not x["payout"])
    return bool(sum(x["net"] for x in lines) > 0)


def overdue(moved: Iterable[Moved], end: datetime, due: timedelta) -> dict[tuple[str, str], int]:
    """What must have been paid out by then and was not, with its amount."""
    late = [m for m in moved if m.amount and not m.paid_out and m.at + due <= end]
    return {("unsettled", m.id): abs(m.amount) for m in late}


@dataclass(frozen=True)
class Known:
    """What is known to differ, (kind, subject) with its money, and the ids that we have never heard of."""

    open: dict[tuple[str, str], int]
    accepted: set[tuple[str, str]]
    unknown: set[str]


NAMES = ("captured", "refunded", "disputed", "fees", "settled", "remaining", "waiting", "accepted")
_COLUMN = {"charge": "captured", "refund": "refunded", "dispute": "disputed"}


@dataclass
class Row:
    """What our book must say of some money if it is right but for what is known to differ.

    `moved` is all of it, also what we have not heard of; `kinds` what is unexplained.
    """

    amounts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, moved: Moved, known: Known) -> None:
        self.amounts["moved"] += abs(moved.amount)
        kinds = [kind for kind, subject in known.open if subject == moved.id]
        for kind in kinds:
            self.kinds[kind] += known.open[kind, moved.id]
        if moved.id in known.unknown:
            return
        self.amounts[_COLUMN[moved.object]] += moved.amount if moved.object == "charge" else -moved.amount
        self.amounts["fees"] += moved.fees
        self.amounts["settled"] += moved.net
        self.amounts["remaining"] += moved.rest
        if moved.id in {subject for _, subject in known.accepted}:
            self.amounts["accepted"] += moved.rest
        elif not kinds and not moved.paid_out:
            self.amounts["waiting"] += moved.rest

    @property
    def unexplained(self) -> int:
        return self.kinds.total()

    @property
    def millionths(self) -> int:
        """How much of what moved is explained; cut off."""
        moved = self.amounts["moved"]
        return 10**6 if not self.unexplained else (moved - self.unexplained) * 10**6 // moved


Rows = dict[tuple[str, date, str], Row]  # by provider, day and currency


def rows(provider: str, moved: Iterable[Moved], known: Known) -> Rows:
    found: Rows = {}
    for m in moved:
        found.setdefault((provider, m.day, m.currency), Row()).add(m, known)
    return found


def together(rows: Iterable[Row]) -> Row:
    """Their sum."""
    whole = Row()
    for row in rows:
        whole.amounts.update(row.amounts)
        whole.kinds.update(row.kinds)
    return whole


def _at(unix_s: float) -> datetime:
    return datetime.fromtimestamp(int(unix_s), UTC)
