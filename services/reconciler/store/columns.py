"""A column of many values as one text: an array parameter would be looked at value by value on its way.

The last value stands for nothing: without it a column of one empty text could not be told from no column.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

SEPARATOR = "\x1f"  # in no id, state or currency that any provider gives
_END = f"{SEPARATOR}."


def column(values: Sequence[str]) -> str:
    """The values for `array`. A separator inside one is left out of it: it must not move its neighbours."""
    joined = SEPARATOR.join(values)
    if joined.count(SEPARATOR) >= len(values):
        joined = SEPARATOR.join(value.replace(SEPARATOR, "") for value in values)
    return joined + _END


def numbers(values: Iterable[int | None]) -> str:
    return column(["" if value is None else str(value) for value in values])


def times(values: Iterable[datetime | None]) -> str:
    return column(["" if value is None else value.isoformat() for value in values])


def array(name: str, type_: str = "text") -> str:
    """The SQL of the array whose column is this parameter. Only where it is not text, nothing is NULL."""
    null = "" if type_ == "text" else ", ''"
    texts = f"trim_array(string_to_array(CAST(:{name} AS text), chr(31){null}), 1)"
    return texts if type_ == "text" else f"CAST({texts} AS {type_}[])"
