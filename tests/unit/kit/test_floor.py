"""The outbox floor: reads start above it, so it must never pass a row that is or may become pending."""

from shared.outbox import SETTLED_S, Floor


def looked(floor: Floor, now: float, last_value: int, lowest_pending: int | None) -> int:
    """One read of the relay at `now`; gives the floor after it."""
    settled = floor.settled(now)
    if floor.wants_sample(now):
        floor.sampled(now, last_value)
    floor.rise(settled, lowest_pending)
    return floor.position


def test_it_does_not_rise_before_positions_have_settled() -> None:
    floor = Floor()
    assert looked(floor, 0, last_value=100, lowest_pending=None) == 0
    assert looked(floor, SETTLED_S - 1, last_value=200, lowest_pending=None) == 0


def test_it_rises_to_what_was_drawn_long_ago_when_nothing_waits() -> None:
    floor = Floor()
    looked(floor, 0, last_value=100, lowest_pending=None)
    looked(floor, 30, last_value=200, lowest_pending=None)
    assert looked(floor, SETTLED_S, last_value=300, lowest_pending=None) == 100
    assert looked(floor, SETTLED_S + 30, last_value=400, lowest_pending=None) == 200


def test_it_stays_below_the_lowest_row_that_waits() -> None:
    floor = Floor()
    looked(floor, 0, last_value=100, lowest_pending=None)
    assert looked(floor, SETTLED_S, last_value=300, lowest_pending=42) == 41
    assert looked(floor, SETTLED_S + 1, last_value=300, lowest_pending=None) == 100


def test_it_rises_under_constant_load_too() -> None:
    floor = Floor()
    for second in range(600):
        looked(floor, float(second), last_value=second * 1000, lowest_pending=second * 1000 - 500)
    assert floor.position == (599 - SETTLED_S) * 1000


def test_it_never_falls_by_itself() -> None:
    floor = Floor()
    looked(floor, 0, last_value=100, lowest_pending=None)
    looked(floor, SETTLED_S, last_value=300, lowest_pending=None)
    assert looked(floor, SETTLED_S + 1, last_value=300, lowest_pending=101) == 100
