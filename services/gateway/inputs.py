"""Strict reading of what strangers send: raw bytes in, typed values out, or a readable no.

Syntactically unreadable is Malformed (400); readable but not allowed is Rejected (422). No answer ever
repeats what was sent.
"""

import json
import re
from math import isinf
from typing import Any, NoReturn, TypeVar

import msgspec

from shared.errors import Malformed, PaystreamError, Rejected

T = TypeVar("T")

_PATH = re.compile(r" - at `(\$[^`]{0,200})`$")
_SPEAKABLE = re.compile(r"(Expected `(int|str|array|object|bool)`|Object missing required field `)")
_UNREADABLE_NUMBER = ("Integer value out of range", "Number out of range")


def read_json(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The typed body. `1.0` and `"1"` are no integers, a key may occur once, unknown fields are refused."""
    if not raw:
        raise Malformed("empty-body", "send a JSON object")
    _check_syntax(raw)
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _shape_error(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("not-json", "the body is not valid JSON") from None


def check_content_type(content_type: str) -> None:
    """JSON in UTF-8 and nothing else: a browser must ask (preflight) before it may send this."""
    kind, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Rejected("unsupported-media-type", "send content-type: application/json")


def _check_syntax(raw: bytes) -> None:
    """Refuses what msgspec lets pass or would only see after a wrong shape."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not-utf-8", "the body is not valid UTF-8") from None
    try:
        json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Malformed("not-json", "the body is not valid JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise Malformed("duplicate-key", "each key may occur once")
    return keys


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are no JSON (RFC 8259, 6)


def _finite(number: str) -> float:
    if isinf(value := float(number)):
        raise ValueError(number)
    return value


def _shape_error(text: str) -> PaystreamError:
    """What msgspec found, in words that never repeat the caller's own."""
    if text.startswith("Object contains unknown field"):
        return Malformed("unknown-field", "only the documented fields are taken")
    if text.startswith("Expected `object`, got") and not _PATH.search(text):
        return Malformed("not-an-object", "send a JSON object")
    if text.startswith(_UNREADABLE_NUMBER):
        return Malformed("not-json", "a number is too large to be read")
    place = _PATH.search(text)
    reason = text[: place.start()] if place else text
    where = f"{place.group(1)}: " if place else ""
    return Rejected("wrong-value", where + (reason if _SPEAKABLE.match(reason) else "not an allowed value"))
