"""Random ledgers on which three legs agree, and one known damage at a time."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from services.reconciler.domain.items import Line, Ours, Theirs
from services.reconciler.domain.settling import Terms
from shared.money import exponent

DAY = datetime(2026, 1, 31, tzinfo=UTC)
DUE_S = 7 * 86_400.0
TERMS = Terms(due_s=DUE_S, settled_until=DAY + timedelta(days=9), judged_at=DAY + timedelta(days=9))
CURRENCIES = ("INR", "USD", "JPY", "KWD")
EDGES_S = (0, 1, 43_200, 86_399)  # of the day

Known = set[tuple[str, str]]


@dataclass
class Ledger:
    """Three legs and exactly the differences that are in them."""

    ours: dict[tuple[str, str], Ours] = field(default_factory=dict)
    theirs: dict[tuple[str, str], Theirs] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    expected: Known = field(default_factory=set)


def drawn(draw: random.Random, size: int, damaged: float = 0.5) -> Ledger:
    """`size` charges with some refunds and disputes; about `damaged` of all items differ in a known way."""
    ledger = Ledger()
    for n in range(size):
        charge_id = f"pay_{draw.randrange(10**6):06}_{n}"
        charge = _add_charge(draw, ledger, charge_id, damaged)
        if charge.state != "captured":
            continue
        for m in range(draw.choice((0, 0, 1, 2))):
            _add_refund(draw, ledger, charge, f"rfnd_{m}_{charge_id}", damaged)
        if draw.random() < 0.3:
            _add_dispute(draw, ledger, charge, f"disp_{charge_id}", damaged)
    return ledger


def _at(draw: random.Random) -> datetime:
    return DAY + timedelta(seconds=draw.choice((*EDGES_S, draw.randrange(86_400))))


def _add_charge(draw: random.Random, ledger: Ledger, charge_id: str, damaged: float) -> Ours:
    ours = Ours(
        object="charge",
        id=charge_id,
        order_id=f"o-{charge_id}",
        charge_id=charge_id,
        provider_order_id=f"order_{charge_id}",
        state=draw.choice(("captured",) * 6 + ("authorized", "lapsed", "failed", "pending")),
        amount=draw.randrange(100, 10**7),
        currency=draw.choice(CURRENCIES),
        at=_at(draw),
        paid=True,
    )
    fee = ours.amount // 40 if ours.state == "captured" else None
    theirs = _other(ours, fee)
    lines = [_line(draw, theirs, "payment", ours.amount, fee or 0)] if ours.state == "captured" else []
    damage = draw.choice(_CHARGE_DAMAGES) if draw.random() < damaged else None
    if damage is None:
        _put(ledger, ours, theirs, lines)
    else:
        damage(draw, ledger, ours, theirs, lines)
    return ours


def _add_refund(draw: random.Random, ledger: Ledger, charge: Ours, refund_id: str, damaged: float) -> None:
    state = draw.choice(("succeeded", "succeeded", "pending", "failed"))
    amount = draw.randrange(1, charge.amount)
    ours = replace(charge, object="refund", id=refund_id, state=state, amount=amount, at=_at(draw))
    theirs = _other(ours, None)
    lines = [_line(draw, theirs, "refund", -amount, 0)] if state == "succeeded" else []
    damage = draw.choice(_REFUND_DAMAGES) if draw.random() < damaged and state != "failed" else None
    if damage is None:
        _put(ledger, ours, theirs, lines)
    else:
        damage(draw, ledger, ours, theirs, lines)


def _add_dispute(draw: random.Random, ledger: Ledger, charge: Ours, dispute_id: str, damaged: float) -> None:
    state, money = draw.choice(
        (("open", "none"), ("under_review", "withdrawn"), ("lost", "withdrawn"), ("won", "reinstated"))
    )
    ours = replace(charge, object="dispute", id=dispute_id, state=state, money=money, at=_at(draw))
    theirs = _other(ours, None)
    lines = []
    if money != "none":
        lines.append(_line(draw, theirs, "withdrawn", -ours.amount, 0))
    if money == "reinstated":
        lines.append(
            replace(lines[0], line_id=f"back:{dispute_id}", amount=-lines[0].amount, net=-lines[0].net)
        )
    damage = draw.choice(_DISPUTE_DAMAGES) if draw.random() < damaged else None
    if damage is None:
        _put(ledger, ours, theirs, lines)
    else:
        damage(draw, ledger, ours, theirs, lines)


def _other(ours: Ours, fee: int | None) -> Theirs:
    return Theirs(
        object=ours.object, id=ours.id, charge_id=ours.charge_id, provider_order_id=ours.provider_order_id,
        state=ours.state, amount=ours.amount, currency=ours.currency, at=ours.at, money=ours.money, fee=fee,
        order_id=ours.order_id,
    )  # fmt: skip


def _line(draw: random.Random, theirs: Theirs, kind: str, amount: int, fee: int) -> Line:
    """In the charge's currency, or at a rate as providers write them."""
    currency, rate = theirs.currency, ""
    if draw.random() < 0.25:
        currency = draw.choice([c for c in CURRENCIES if c != theirs.currency])
        rate = f"{draw.uniform(0.001, 90):.{draw.choice((3, 5, 6))}f}"
        if Decimal(rate) == 0:
            rate = "0.012"
        shift = Decimal(10) ** (exponent(currency) - exponent(theirs.currency))
        amount, fee = (int((x * shift * Decimal(rate)).to_integral_value()) for x in (amount, fee))
    return Line(
        object=theirs.object, id=theirs.id, line_id=f"{kind}:{theirs.id}", amount=amount, fee=fee,
        net=amount - fee, currency=currency, at=DAY + timedelta(days=2), charge_id=theirs.charge_id,
        settlement_id="setl_1", rate=rate,
    )  # fmt: skip


def _put(ledger: Ledger, ours: Ours | None, theirs: Theirs | None, lines: list[Line], *kinds: str) -> None:
    if ours is not None:
        ledger.ours[ours.key] = ours
    if theirs is not None:
        ledger.theirs[theirs.key] = theirs
    ledger.lines += lines
    some = ours or theirs
    id_ = some.id if some is not None else lines[0].id
    ledger.expected |= {(kind, id_) for kind in kinds}


# --- damages: what is done to the legs, and the kinds that must come of it ---------------------------------

MONEY = ("authorized", "lapsed", "captured")


def _we_lack_it(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    kinds = ("missing_local",) if ours.state in MONEY else ()
    _put(ledger, None, theirs, lines, *kinds)


def _we_lack_it_and_were_closed(
    _d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]
) -> None:
    kind = "late_success" if ours.state == "captured" else "missing_local"
    _put(ledger, None, replace(theirs, closed=True), lines, *([kind] if ours.state in MONEY else []))


def _they_lack_it(_d: random.Random, ledger: Ledger, ours: Ours, _t: Theirs, _l: list[Line]) -> None:
    _put(ledger, ours, None, [], *(["missing_provider"] if ours.state in MONEY else []))


def _only_settled(_d: random.Random, ledger: Ledger, ours: Ours, _t: Theirs, lines: list[Line]) -> None:
    if lines and all(line.amount for line in lines):
        _put(ledger, None, None, lines, "missing_local")
    else:
        _put(ledger, ours, _t, lines)


def _other_amount(draw: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    changed = replace(ours, amount=ours.amount + draw.choice((-1, 1, 100)))
    _put(ledger, changed, theirs, lines, *(["amount"] if ours.state in MONEY else []))


def _other_currency(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    _put(ledger, replace(ours, currency="EUR"), theirs, lines, *(["currency"] if ours.state in MONEY else []))


def _other_state(draw: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    other = draw.choice([s for s in (*MONEY, "pending", "failed") if s != ours.state])
    money = other in MONEY or ours.state in MONEY
    _put(ledger, replace(ours, state=other), theirs, lines, *(["status"] if money else []))


def _amount_and_state(
    _d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]
) -> None:
    if ours.state != "captured":
        _put(ledger, ours, theirs, lines)
        return
    changed = replace(ours, state="authorized", amount=ours.amount + 7)
    _put(ledger, changed, theirs, lines, "amount", "status")


def _settled_otherwise(
    _d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]
) -> None:
    """Far beyond any rounding, whatever the rate."""
    kind = "amount" if ours.object == "charge" else ours.object
    off = [replace(x, amount=x.amount * 2 + 10**6, net=x.net + x.amount + 10**6) for x in lines[:1]]
    _put(ledger, ours, theirs, off or lines, *([kind] if lines and ours.money != "reinstated" else []))
    if lines and ours.money == "reinstated":
        ledger.expected.add(("dispute", ours.id))


def _other_fee(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    off = [replace(x, fee=x.fee + 1) for x in lines]  # and so the line's own sum is wrong too
    _put(ledger, ours, theirs, off, *(["fee"] if lines else []))


def _surplus(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    kinds = ("duplicate_capture",) if ours.state == "captured" else ()
    _put(ledger, replace(ours, surplus=True, returned=ours.amount - 1), theirs, lines, *kinds)


def _surplus_that_went_back(
    _d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]
) -> None:
    _put(ledger, replace(ours, surplus=True, returned=ours.amount), theirs, lines)


def _late_and_kept(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    kinds = ("late_success",) if ours.state == "captured" else ()
    _put(ledger, replace(ours, surplus=True, closed=True, paid=False), theirs, lines, *kinds)


def _never_paid_out(
    draw: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]
) -> None:
    """No line, or one that no settlement has: seven days later that is a difference, a moment before not."""
    late = draw.random() < 0.5
    at = DAY + timedelta(days=2) if late else DAY + timedelta(days=2, microseconds=1)
    left = draw.choice(([], [replace(x, settlement_id="") for x in lines]))
    money = ours.state in ("captured", "succeeded") or ours.money == "withdrawn"
    kinds = ("unsettled",) if late and money else ()
    if ours.money == "reinstated" and not left:
        left = lines
    _put(ledger, replace(ours, at=at), replace(theirs, at=at), left, *kinds)


def _refund_we_lack(_d: random.Random, ledger: Ledger, _o: Ours, theirs: Theirs, lines: list[Line]) -> None:
    _put(ledger, None, theirs, lines, theirs.object)


def _refund_they_lack(_d: random.Random, ledger: Ledger, ours: Ours, _t: Theirs, _l: list[Line]) -> None:
    _put(ledger, ours, None, [], ours.object)


def _refund_only_settled(
    _d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]
) -> None:
    if sum(line.amount for line in lines):
        _put(ledger, None, None, lines, ours.object)
    else:
        _put(ledger, ours, theirs, lines)


def _refund_amount(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    _put(ledger, replace(ours, amount=ours.amount + 1), theirs, lines, ours.object)


def _refund_state(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    other = "requested" if ours.object == "refund" else "closed"
    _put(ledger, replace(ours, state=other), theirs, lines, ours.object)


def _dispute_money(_d: random.Random, ledger: Ledger, ours: Ours, theirs: Theirs, lines: list[Line]) -> None:
    other = "none" if ours.money != "none" else "withdrawn"
    _put(ledger, replace(ours, money=other), theirs, lines, "dispute")


_SETTLED_DAMAGES = (_settled_otherwise, _never_paid_out)
_CHARGE_DAMAGES = (
    _we_lack_it, _we_lack_it_and_were_closed, _they_lack_it, _only_settled, _other_amount, _other_currency,
    _other_state, _amount_and_state, _other_fee, _surplus, _surplus_that_went_back, _late_and_kept,
    *_SETTLED_DAMAGES,
)  # fmt: skip
_REFUND_DAMAGES = (
    _refund_we_lack, _refund_they_lack, _refund_only_settled, _refund_amount, _refund_state,
    *_SETTLED_DAMAGES,
)  # fmt: skip
_DISPUTE_DAMAGES = (
    _refund_we_lack, _refund_they_lack, _refund_only_settled, _refund_amount, _refund_state, _dispute_money,
    *_SETTLED_DAMAGES,
)  # fmt: skip
