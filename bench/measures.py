"""Joins what was sent with what came out."""

import statistics
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: its order, when it was due, when answered, the status."""

    order: int
    due: float
    answered: float
    status: int


def read_sent(path: Path) -> list[Sent]:
    raw = path.read_bytes()
    count = len(raw) // 28
    orders, due, answered, statuses = array("q"), array("d"), array("d"), array("i")
    orders.frombytes(raw[: 8 * count])
    due.frombytes(raw[8 * count : 16 * count])
    answered.frombytes(raw[16 * count : 24 * count])
    statuses.frombytes(raw[24 * count :])
    return [Sent(*row) for row in zip(orders, due, answered, statuses, strict=True)]


def read_seen(path: Path) -> dict[int, float]:
    """Order → when the subscriber first heard that it is paid."""
    raw = path.read_bytes()
    count = len(raw) // 16
    orders, times = array("q"), array("d")
    orders.frombytes(raw[: 8 * count])
    times.frombytes(raw[8 * count :])
    return dict(zip(orders, times, strict=True))


def accepted(sent: Sequence[Sent]) -> dict[int, Sent]:
    """The first accepted request of each order."""
    found: dict[int, Sent] = {}
    for one in sent:
        if one.status == 200:
            found.setdefault(one.order, one)
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p90: float
    p99: float
    worst: float
    count: int


def spread(seconds: Sequence[float]) -> Spread:
    if not seconds:
        return Spread(0, 0, 0, 0, 0)
    ordered = sorted(seconds)
    cuts = statistics.quantiles(ordered, n=100, method="inclusive") if len(ordered) > 1 else ordered * 99
    p50, p90, p99 = (round(1000 * cuts[i], 2) for i in (49, 89, 98))
    return Spread(p50, p90, p99, round(1000 * ordered[-1], 2), len(ordered))
