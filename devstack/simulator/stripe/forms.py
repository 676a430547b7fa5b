"""Form-encoded bodies with brackets, as Stripe's API takes them: `metadata[order]=1`, `expand[0]=x`."""

import re
from urllib.parse import parse_qsl

from devstack.simulator.stripe.errors import ApiError

Fields = dict[str, object]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_DEPTH_MAX = 5


def pairs(body: bytes) -> list[tuple[str, str]]:
    """The plain pairs, in the order in which they came."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise ApiError("Invalid request: the body is not form-encoded.") from error


def nested(given: list[tuple[str, str]]) -> Fields:
    """Pairs as nested objects; lists are objects by their numbers."""
    fields: Fields = {}
    for name, value in given:
        match = _NAME.fullmatch(name)
        if match is None:
            raise ApiError(f"Invalid request: cannot read parameter {name[:80]}.")
        inner = match[2][1:-1].split("][") if match[2] else []
        _put(fields, [match[1], *inner], value)
    return fields


def _put(fields: Fields, path: list[str], value: str) -> None:
    if len(path) > _DEPTH_MAX:
        raise ApiError("Invalid request: parameters are nested too deeply.")
    *outer, last = path
    for part in outer:
        inner = fields.setdefault(part or str(len(fields)), {})
        if not isinstance(inner, dict):
            raise ApiError(f"Invalid object: {part}")
        fields = inner
    fields[last or str(len(fields))] = value


def texts(value: object) -> list[str]:
    """A list parameter's values."""
    if isinstance(value, dict):
        return [str(item) for item in value.values()]
    return [] if value is None else [str(value)]
