"""A column of many values as one text: an array parameter would be looked at value by value on its way.

The last value stands for nothing: without it a column of one empty text could not be told from no column.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

SEPARATOR = "\x1f"  # in no id, state or currency that any provider gives
_END = f"{SEPARATOR}."
_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


def column(values: Sequence[str]) -> str:
    """The values for `unnested`. A separator inside one is left out: it must not move its neighbours."""
    joined = SEPARATOR.join(values)
    if joined.count(SEPARATOR) >= len(values):
        joined = SEPARATOR.join(value.replace(SEPARATOR, "") for value in values)
    return joined + _END


def numbers(values: Iterable[int | None]) -> str:
    return column(["" if value is None else str(value) for value in values])


def times(values: Iterable[datetime | None]) -> str:
    """As microseconds, exact until the year 2255: a number is written and read much faster than a date."""
    return numbers(None if value is None else (value - _EPOCH) // _MICROSECOND for value in values)


def unnested(**types: str) -> str:
    """The SQL of the rows whose columns are these parameters. Only where it is not text, nothing is NULL."""
    return f"(SELECT {', '.join(_values(name, type_) for name, type_ in types.items())})"


def _values(name: str, type_: str) -> str:
    null = "" if type_ == "text" else ", ''"
    texts = f"trim_array(string_to_array(CAST(:{name} AS text), chr(31){null}), 1)"
    match type_:
        case "text":
            return f"unnest({texts})"
        case "timestamptz":
            return f"timestamptz 'epoch' + unnest(CAST({texts} AS bigint[])) * interval '1 microsecond'"
    return f"unnest(CAST({texts} AS {type_}[]))"
