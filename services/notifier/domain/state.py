"""What the notifier knows of one order: its contents, its payment, the documents made for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from shared.messages.orders import OrderPlaced

Kind = Literal["receipt"]
DocumentState = Literal["numbered", "rendered", "failed"]
MailState = Literal["waiting", "deferred", "sent", "parked"]

_NAMESPACE = UUID("7c2c0c5e-5a0f-4a39-9f0e-2f6a1f0b7c11")


@dataclass(frozen=True, slots=True)
class Paid:
    """What PaymentPaid said, as far as a document needs it."""

    payment_id: str
    revision: int
    amount: int
    currency: str
    provider: str
    provider_order_id: str
    charge_id: str
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. `attempts` counts answers of the mail server, not starts of the task."""

    recipient: str
    message_id: str
    state: MailState = "waiting"
    attempts: int = 0
    last_answer: str = ""
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One numbered document. The store gives `number` in the transaction that claims the natural key.

    `pdf` is set only on its way into the store; it is never loaded with the state.
    """

    id: str
    payment_id: str
    kind: Kind
    subject: str
    series: str
    revision: int  # the content that is printed
    issued_at: datetime
    number: int | None = None
    state: DocumentState = "numbered"
    sha256: str = ""
    pdf: bytes | None = field(default=None, repr=False)
    mail: Mail | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The aggregate: everything that decides whether a document is due."""

    order_id: str
    contents: Mapping[int, OrderPlaced] = field(default_factory=dict)  # by revision
    paid: Paid | None = None
    documents: tuple[Document, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether money came for a content that has not been seen."""
        return self.paid is not None and not self.documents

    def document(self, document_id: str) -> Document:
        return next(d for d in self.documents if d.id == document_id)

    def with_document(self, document: Document) -> "Order":
        others = tuple(d for d in self.documents if d.id != document.id)
        return replace(self, documents=(*others, document))


def document_id(payment_id: str, kind: Kind, subject: str) -> str:
    """The same id for the same (payment, kind, subject), whoever asks and however often."""
    return str(uuid5(_NAMESPACE, f"{payment_id}/{kind}/{subject}"))


def number_text(series: str, number: int) -> str:
    """The number as it stands on the document: `R-2026-000042`."""
    return f"{series}-{number:06d}"
