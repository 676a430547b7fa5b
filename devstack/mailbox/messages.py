"""Kept messages: one .eml file each, byte for byte, and an index beside them."""

import email.policy
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import msgspec

_POLICY = email.policy.default


class Attachment(msgspec.Struct, frozen=True, rename="camel"):
    """A file in a message; ``part`` is its place among all parts."""

    part: int
    name: str
    content_type: str
    size: int


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """What the list shows of one message; sender and recipients are the envelope's."""

    id: int
    received_at: datetime
    sender: str
    recipients: list[str]
    subject: str
    message_id: str
    size: int
    attachments: list[Attachment]


class Mailbox:
    """The messages of one folder. A message is durable before ``keep`` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = folder / "index.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._entries: dict[int, Entry] = {}
        if self._index.exists():
            decode = msgspec.json.Decoder(Entry).decode
            for line in self._index.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):  # a killed writer's last line may be half a line
                    entry = decode(line)
                    self._entries[entry.id] = entry
        files = [int(path.stem) for path in folder.glob("*.eml")]
        self._last = max([*self._entries, *files], default=0)

    def keep(self, sender: str, recipients: list[str], raw: bytes) -> Entry:
        self._last += 1
        _write_durably(self._folder / f"{self._last}.eml", raw, "wb")
        message = _parse(raw)
        entry = Entry(
            id=self._last,
            received_at=datetime.now(UTC),
            sender=sender,
            recipients=recipients,
            subject=str(message.get("Subject", "")),
            message_id=str(message.get("Message-ID", "")),
            size=len(raw),
            attachments=list(_attachments(message)),
        )
        _write_durably(self._index, msgspec.json.encode(entry) + b"\n", "ab")
        self._entries[entry.id] = entry
        return entry

    def entries(self) -> list[Entry]:
        """Newest first."""
        return sorted(self._entries.values(), key=lambda entry: -entry.id)

    def entry(self, number: int) -> Entry | None:
        return self._entries.get(number)

    def raw(self, number: int) -> bytes:
        return (self._folder / f"{number}.eml").read_bytes()

    def message(self, number: int) -> EmailMessage:
        return _parse(self.raw(number))

    def empty(self) -> None:
        """Removes every message; numbers are not given again."""
        self._index.unlink(missing_ok=True)
        for number in self._entries:
            (self._folder / f"{number}.eml").unlink(missing_ok=True)
        self._entries.clear()


def text_of(message: EmailMessage, kind: str) -> str | None:
    """The body as ``plain`` or ``html``, or None."""
    body = message.get_body(preferencelist=(kind,))
    return body.get_content() if isinstance(body, EmailMessage) else None


def part_of(message: EmailMessage, place: int) -> EmailMessage | None:
    parts = list(message.walk())
    found = parts[place] if 0 <= place < len(parts) else None
    return found if isinstance(found, EmailMessage) and not found.is_multipart() else None


def content_of(part: EmailMessage) -> bytes:
    """A part's own bytes, transfer encoding undone."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachments(message: EmailMessage) -> Iterator[Attachment]:
    for place, part in enumerate(message.walk()):
        name = part.get_filename()
        if name and not part.is_multipart():
            yield Attachment(place, name, part.get_content_type(), len(content_of(part)))


def _parse(raw: bytes) -> EmailMessage:
    return BytesParser(policy=_POLICY).parsebytes(raw)


def _write_durably(path: Path, data: bytes, mode: str) -> None:
    with path.open(mode) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
