"""Lists as Razorpay gives them: newest first, `count` and `skip`, no total."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from devstack.simulator.razorpay.errors import ApiError
from devstack.simulator.razorpay.views import Json, collection

EARLIEST, LATEST = 946_684_800, 4_765_046_400

Query = dict[str, list[str]]
R = TypeVar("R")


def page(
    rows: Iterable[R],
    query: Query,
    created_at: Callable[[R], int],
    view: Callable[[R], Json],
    *,
    count_max: int = 100,
) -> Json:
    """The page that the query asks for, of rows that come newest first."""
    since = number(query, "from", EARLIEST, EARLIEST, LATEST)
    until = number(query, "to", LATEST, EARLIEST, LATEST)
    count = number(query, "count", 10, 1, count_max)
    skip = number(query, "skip", 0, 0, 2**31)
    wanted = (row for row in rows if since <= created_at(row) <= until)
    return collection([view(row) for row in islice(wanted, skip, skip + count)])


def number(query: Query, name: str, default: int, least: int, most: int) -> int:
    text = text_of(query, name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise ApiError(f"The {name} must be an integer.", field=name) from None
    if not least <= value <= most:
        raise ApiError(f"{name} must be between {least} and {most}", field=name)
    return value


def text_of(query: Query, name: str) -> str | None:
    values = query.get(name)
    return values[-1] if values else None


def expands(query: Query) -> set[str]:
    """`expand[]=card&expand[]=emi`, also with numbers in the brackets."""
    return {value for name, values in query.items() if name.startswith("expand[") for value in values}
