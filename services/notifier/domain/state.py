"""What the notifier knows of one order: contents, payment, refunds, disputes; documents and mails made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from typing import Literal
from uuid import UUID, uuid5

from shared.messages.orders import OrderPlaced

Issues = Literal["receipt", "invoice", "off"]  # what a payment brings; `off`: the shop invoices itself
DocumentKind = Literal["receipt", "invoice", "credit_note", "cancellation"]
MailKind = Literal[
    "receipt", "invoice", "credit_note", "cancellation",
    "surplus_refund", "surplus_refund_failed", "dispute", "dispute_reminder",
]  # fmt: skip
DocumentState = Literal["numbered", "rendered", "failed", "erased"]
MailState = Literal["waiting", "deferred", "sent", "bounced", "parked"]
Outcome = Literal["", "closed", "won", "lost"]

PAYMENT_DOCUMENTS = ("receipt", "invoice")
_NAMESPACE = UUID("7c2c0c5e-5a0f-4a39-9f0e-2f6a1f0b7c11")


@dataclass(frozen=True, slots=True)
class Paid:
    """What PaymentPaid said, as far as a document needs it. `captured` may be less than the order's amount.

    `issues` is what the shop's setting said when the payment came: a later change is for later payments.
    """

    payment_id: str
    revision: int
    amount: int
    currency: str
    provider: str
    provider_order_id: str
    charge_id: str
    paid_at: datetime
    captured: int
    issues: Issues = "receipt"


@dataclass(frozen=True, slots=True)
class Refund:
    """What was said of one refund. `stood`: it gives back the capture that paid the order, not another."""

    refund_id: str
    payment_id: str
    provider: str
    amount: int
    currency: str
    stood: bool
    revision: int
    reason: str = ""
    reference: str = ""  # the provider's id of it
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """What was said of one dispute. `outcome` is empty while it is open."""

    provider: str
    dispute_id: str
    payment_id: str
    kind: Literal["inquiry", "chargeback"]
    amount: int
    currency: str
    reason: str = ""
    respond_by: datetime | None = None
    opened: bool = False
    outcome: Outcome = ""

    @property
    def subject(self) -> str:
        """Disputes are numbered by their providers, so the provider is part of the name."""
        return f"{self.provider}/{self.dispute_id}"


@dataclass(frozen=True, slots=True)
class Resend:
    """A person asked for a mail once more; once per nonce."""

    nonce: str
    person: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. `attempts` counts answers of the mail server, not starts of the task.

    Its id is that of its natural key (payment, kind, subject): a document and its mail share it.
    """

    id: str
    payment_id: str
    kind: MailKind
    subject: str
    recipient: str
    message_id: str
    asked_at: datetime
    state: MailState = "waiting"
    attempts: int = 0
    last_answer: str = ""
    settled_at: datetime | None = None
    resends: tuple[Resend, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One numbered document. The store gives `number` in the transaction that claims the natural key.

    `dated_at` is the day it prints. `pdf` is set only on its way into the store; it is never loaded with
    the state.
    """

    id: str
    payment_id: str
    kind: DocumentKind
    subject: str
    series: str
    revision: int  # the content that is printed
    dated_at: datetime
    issued_at: datetime
    number: int | None = None
    state: DocumentState = "numbered"
    sha256: str = ""
    pdf: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """The aggregate: everything that decides which documents and mails are due.

    `erased`: its customer's data were blanked. What is due is still made, of what is left.
    """

    order_id: str
    contents: Mapping[int, OrderPlaced] = field(default_factory=dict)  # by revision
    paid: Paid | None = None
    refunds: Mapping[str, Refund] = field(default_factory=dict)  # by refund id
    disputes: Mapping[str, Dispute] = field(default_factory=dict)  # by subject
    documents: tuple[Document, ...] = ()
    mails: tuple[Mail, ...] = ()
    erased: bool = False

    @property
    def waits(self) -> bool:
        """Whether money moved for a content that has not been seen."""
        paid = self.paid
        if paid and paid.issues != "off" and not any(d.kind in PAYMENT_DOCUMENTS for d in self.documents):
            return True
        returned = (r for r in self.refunds.values() if r.succeeded_at and not r.stood)
        return any(r.revision not in self.contents for r in returned)

    def document(self, document_id: str) -> Document:
        return next(d for d in self.documents if d.id == document_id)

    def mail(self, mail_id: str) -> Mail | None:
        return next((m for m in self.mails if m.id == mail_id), None)

    def with_document(self, document: Document) -> "Order":
        others = tuple(d for d in self.documents if d.id != document.id)
        return replace(self, documents=(*others, document))

    def with_mail(self, mail: Mail) -> "Order":
        others = tuple(m for m in self.mails if m.id != mail.id)
        return replace(self, mails=(*others, mail))


def natural_id(payment_id: str, kind: MailKind, subject: str) -> str:
    """The same id for the same (payment, kind, subject), whoever asks and however often."""
    return str(uuid5(_NAMESPACE, f"{payment_id}/{kind}/{subject}"))


def series_of(prefix: str, at: datetime, zone: tzinfo, year_starts: tuple[int, int]) -> str:
    """The series of that day: `R-2026`, or `R-2026-27` when the fiscal year begins within the year."""
    day: date = at.astimezone(zone).date()
    year = day.year if (day.month, day.day) >= year_starts else day.year - 1
    if year_starts == (1, 1):
        return f"{prefix}-{year}"
    return f"{prefix}-{year}-{(year + 1) % 100:02d}"


def number_text(series: str, number: int) -> str:
    """The number as it stands on the document: `R-2026-000042`."""
    return f"{series}-{number:06d}"
