"""Lists as Stripe gives them: newest first, a cursor, `has_more`."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from devstack.simulator.ledger import Row
from devstack.simulator.stripe.errors import ApiError, missing
from devstack.simulator.stripe.forms import Fields
from devstack.simulator.stripe.requests import integer

Json = dict[str, object]
R = TypeVar("R", bound=Row)
_BOUNDS = ("gt", "gte", "lt", "lte")


def page(
    rows: Iterable[R],
    fields: Fields,
    url: str,
    created: Callable[[R], int],
    view: Callable[[R], Json],
) -> Json:
    """The page that the query asks for, of rows that come newest first."""
    limit = integer(fields.get("limit", "10"), "limit")
    if not 1 <= limit <= 100:
        raise ApiError("This value must be between 1 and 100.", param="limit")
    within = _within(fields.get("created"))
    wanted = [row for row in rows if within(created(row))]
    after, before = fields.get("starting_after"), fields.get("ending_before")
    if after is not None and before is not None:
        raise ApiError("You cannot parameterize this request with both ending_before and starting_after.")
    if after is not None:
        shown = wanted[_place(wanted, str(after), "starting_after") + 1 :]
        more = len(shown) > limit
        shown = shown[:limit]
    elif before is not None:
        shown = wanted[: _place(wanted, str(before), "ending_before")]
        more = len(shown) > limit
        shown = shown[-limit:]
    else:
        more = len(wanted) > limit
        shown = wanted[:limit]
    return {"object": "list", "url": url, "has_more": more, "data": [view(row) for row in shown]}


def _within(value: object) -> Callable[[int], bool]:
    """`created=…` exactly, or `created[gte]=…` and its like."""
    if value is None:
        return lambda _at: True
    if not isinstance(value, dict):
        exact = integer(value, "created")
        return lambda at: at == exact
    unknown = [name for name in value if name not in _BOUNDS]
    if unknown:
        raise ApiError(f"Received unknown parameter: created[{unknown[0]}]", code="parameter_unknown")
    bounds = {name: integer(text, f"created[{name}]") for name, text in value.items()}
    low = max(bounds.get("gte", 0), bounds.get("gt", -1) + 1)
    high = min(bounds.get("lte", 2**40), bounds.get("lt", 2**40 + 1) - 1)
    return lambda at: low <= at <= high


def _place(rows: list[R], row_id: str, param: str) -> int:
    for place, row in enumerate(rows):
        if row.id == row_id:
            return place
    raise missing("object", row_id, param)
