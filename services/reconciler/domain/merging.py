"""Three sorted streams become one stream of items: nothing is held but what stands at the front.

Each stream is in the order of its keys; a key that a stream repeats counts once (lists that are read page
by page repeat an object): the last word stands, and of equal settlement lines one.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from services.reconciler.domain.items import Item, Key, Line, Ours, Settled, Theirs

R = TypeVar("R", Ours, Theirs, Line)

_END: Key = ("\U0010ffff", "")  # above every key


def merged(ours: Iterable[Ours], theirs: Iterable[Theirs], lines: Iterable[Line]) -> Iterator[Item]:
    """Every key that any stream has, once, in order."""
    first, second, third = _by_key(ours), _by_key(theirs), _by_key(lines)
    a, mine = next(first, (_END, []))
    b, its = next(second, (_END, []))
    c, money = next(third, (_END, []))
    while (key := min(a, b, c)) != _END:
        our, their, settled = None, None, None
        if a == key:
            our = mine[-1]
            a, mine = next(first, (_END, []))
        if b == key:
            their = its[-1]
            b, its = next(second, (_END, []))
        if c == key:
            settled = together(money)
            c, money = next(third, (_END, []))
        yield Item(key[0], key[1], our, their, settled)  # type: ignore[arg-type] # keys come from records


def _by_key(stream: Iterable[R]) -> Iterator[tuple[Key, list[R]]]:
    """The records of each key; raises when the stream is not in order, for then nothing would be right."""
    held: list[R] = []
    at: Key = ("", "")
    for record in stream:
        key = (record.object, record.id)
        if key == at:
            held.append(record)
            continue
        if key < at:
            raise ValueError(f"{key} comes after {at}: the stream is not sorted")
        if held:
            yield at, held
        at, held = key, [record]
    if held:
        yield at, held


def together(lines: list[Line]) -> Settled:
    """The sum of an item's lines; one that came twice counts once."""
    first = lines[0]
    if len(lines) == 1:
        return _alone(first)
    unique = list({line.line_id: line for line in lines}.values())
    return Settled(
        amount=sum(line.amount for line in unique),
        fee=sum(line.fee for line in unique),
        net=sum(line.net for line in unique),
        currency=first.currency,
        at=max(line.at for line in unique),
        charge_id=first.charge_id,
        settlement_id=next((line.settlement_id for line in unique if line.settlement_id), ""),
        rate=first.rate,
        paid_out=all(line.settlement_id for line in unique),
        mixed=any(line.currency != first.currency for line in unique),
    )


def _alone(line: Line) -> Settled:
    """Nearly every item has one line."""
    return Settled(
        line.amount, line.fee, line.net, line.currency, line.at, line.charge_id, line.settlement_id,
        line.rate, paid_out=bool(line.settlement_id),
    )  # fmt: skip
