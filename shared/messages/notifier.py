"""`notifier.events`, key order_id."""

from datetime import datetime
from typing import ClassVar

from shared.messages.base import Event


class ReceiptIssued(Event, frozen=True, kw_only=True):
    """A document got its number and exists as a PDF."""

    TYPE: ClassVar[str] = "notifier.receipt_issued.v1"

    order_id: str
    kind: str
    subject: str  # what the document is about: the payment, later a refund
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
