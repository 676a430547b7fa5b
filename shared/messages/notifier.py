"""`notifier.events` and `notifier.commands`, key order_id."""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta

from shared.messages.base import Command, Event


class ReceiptIssued(Event, frozen=True, kw_only=True):
    """A document got its number and exists as a PDF."""

    TYPE: ClassVar[str] = "notifier.receipt_issued.v1"

    order_id: str
    kind: str
    subject: str  # what the document is about: the payment or the refund
    number: str
    sha256: str
    issued_at: datetime


class ReceiptSent(Event, frozen=True, kw_only=True):
    """The mail with the document was taken by the mail server."""

    TYPE: ClassVar[str] = "notifier.receipt_sent.v1"

    order_id: str
    kind: str
    subject: str
    number: str
    message_id: str
    sent_at: datetime


class ReceiptFailed(Event, frozen=True, kw_only=True):
    """The mail cannot be delivered; the document exists all the same. A person must look."""

    TYPE: ClassVar[str] = "notifier.receipt_failed.v1"

    order_id: str
    kind: str
    subject: str
    number: str
    reason: str


class NoticeSent(Event, frozen=True, kw_only=True):
    """A mail without a document was taken by the mail server: to a buyer, or to the merchant of a dispute."""

    TYPE: ClassVar[str] = "notifier.notice_sent.v1"

    order_id: str
    kind: str
    subject: str  # the refund, or the dispute as provider/id
    message_id: str
    sent_at: datetime


class NoticeFailed(Event, frozen=True, kw_only=True):
    """A mail without a document cannot be delivered. A person must look."""

    TYPE: ClassVar[str] = "notifier.notice_failed.v1"

    order_id: str
    kind: str
    subject: str
    reason: str


class ResendRefused(Event, frozen=True, kw_only=True):
    """A mail that was asked for again cannot be sent."""

    TYPE: ClassVar[str] = "notifier.resend_refused.v1"

    order_id: str
    kind: str
    subject: str
    nonce: str
    reason: str


# --- notifier.commands --------------------------------------------------------------------------------------


class ResendDocument(Command, frozen=True, kw_only=True):
    """Send a mail once more, with its document if it has one. Once per nonce, on record with the person."""

    TYPE: ClassVar[str] = "notifier.resend_document.v1"

    order_id: str
    kind: str
    subject: str
    nonce: Annotated[str, Meta(min_length=1, max_length=200)]
    person: Annotated[str, Meta(min_length=1, max_length=200)]


class RecordBounce(Command, frozen=True, kw_only=True):
    """A mail that the server took came back; for whoever reads the sender's mailbox."""

    TYPE: ClassVar[str] = "notifier.record_bounce.v1"

    order_id: str
    message_id: str
    reason: str
