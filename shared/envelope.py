"""The CloudEvents 1.0 envelope around every message, and its strict JSON form.

Source of the attribute names: CloudEvents 1.0 specification, "Context Attributes".
`correlationid`, `causationid`, `version` and `expiresat` are extension attributes.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar

import msgspec
import uuid_utils

from shared.errors import Malformed

T = TypeVar("T")

MESSAGE_BYTES_MAX = 900_000  # below Kafka's default max.message.bytes with room for headers


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message with what every reader needs to know about it.

    `id` absorbs redelivery (UUIDv7, or UUIDv5 of a natural key), `subject` is the aggregate's id and,
    on most topics, the Kafka key, `time` is when it happened, `version` numbers an aggregate's events.
    A command with `correlationid` is answered under it; one past `expiresat` is refused.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: msgspec.Raw
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    correlationid: str | None = None
    causationid: str | None = None
    version: int | None = None
    expiresat: datetime | None = None


_decoder = msgspec.json.Decoder(Envelope)
_encoder = msgspec.json.Encoder()


def encode(envelope: Envelope) -> bytes:
    """The envelope as JSON, the data spliced in as it is."""
    return _encoder.encode(envelope)


def decode(raw: bytes | None) -> Envelope:
    """The envelope in `raw`, or Malformed: too large, not JSON, not UTF-8, NUL inside, fields missing."""
    if not raw:
        raise Malformed("empty-message", "the message has no value")
    if len(raw) > MESSAGE_BYTES_MAX:
        raise Malformed("message-too-large", f"{len(raw)} bytes, at most {MESSAGE_BYTES_MAX} are read")
    envelope = read_json(raw, _decoder.decode)
    if not (0 < len(envelope.id) <= 200 and 0 < len(envelope.subject) <= 200 and len(envelope.type) <= 200):
        raise Malformed("bad-envelope", "id, type and subject must be 1 to 200 characters")
    if envelope.time.tzinfo is None:
        raise Malformed("bad-envelope", "time has no zone")
    return envelope


def read_json(raw: bytes, decode_as: Callable[[bytes], T]) -> T:
    """`decode_as(raw)`, with every way in which JSON can be bad turned into Malformed."""
    try:
        decoded = decode_as(raw)
    except msgspec.ValidationError as error:
        raise Malformed("wrong-shape", str(error)) from error
    except UnicodeDecodeError as error:
        raise Malformed("not-utf-8", "the text is not valid UTF-8") from error
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise Malformed("not-json", str(error)[:200]) from error
    if b"\\u0000" in raw and _has_nul(msgspec.json.decode(raw)):
        raise Malformed("nul-character", "text must not contain NUL; PostgreSQL cannot store it")
    return decoded


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(_has_nul(v) for v in value)


def new_id() -> str:
    """A fresh UUIDv7: unique, and roughly in order of time."""
    return str(uuid_utils.uuid7())


def now_utc() -> datetime:
    """The wall clock, in UTC. Only the edges of the system read it."""
    return datetime.now(UTC)


def fingerprint(body: bytes) -> bytes:
    """16 bytes that tell two bodies apart: the same id with another fingerprint is an alarm."""
    return blake2b(body, digest_size=16).digest()
