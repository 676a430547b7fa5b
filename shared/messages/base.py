"""What commands and events have in common, and the catalogue that finds a class by its type."""

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.envelope import Envelope, new_id, read_json


class IdempotencyKey(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a command: who asked, under which key, and a hash of what was asked."""

    principal: str
    key: str
    fingerprint: bytes


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Frozen data. Unknown fields are ignored; the meaning or unit of a field never changes."""

    TYPE: ClassVar[str]

    def encode(self) -> bytes:
        return _encoder.encode(self)


class Command(Message, frozen=True, kw_only=True):
    """Please do: it has one owner, who may refuse it with a reply."""


class Event(Message, frozen=True, kw_only=True):
    """It happened: nobody can refuse it, anyone may listen."""


_encoder = msgspec.json.Encoder()


class Catalogue:
    """The message classes that one consumer understands, by type."""

    def __init__(self, *classes: type[Message]) -> None:
        self._decoders = {c.TYPE: msgspec.json.Decoder(c) for c in classes}
        self.classes: dict[str, type[Message]] = {c.TYPE: c for c in classes}

    def __contains__(self, type_: str) -> bool:
        return type_ in self._decoders

    def decode(self, envelope: Envelope) -> Message:
        """The message inside, or Malformed. The type must be in the catalogue."""
        return read_json(bytes(envelope.data), self._decoders[envelope.type].decode)


def wrap(  # noqa: PLR0913 - one name per CloudEvents attribute
    message: Message,
    *,
    source: str,
    subject: str,
    time: datetime,
    id: str | None = None,
    correlationid: str | None = None,
    causationid: str | None = None,
    version: int | None = None,
    expiresat: datetime | None = None,
) -> Envelope:
    """The message in its envelope, under a fresh UUIDv7 unless an id is given."""
    return Envelope(
        id=id or new_id(),
        type=message.TYPE,
        source=source,
        subject=subject,
        time=time,
        data=msgspec.Raw(message.encode()),
        correlationid=correlationid,
        causationid=causationid,
        version=version,
        expiresat=expiresat,
    )
