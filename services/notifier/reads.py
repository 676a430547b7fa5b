"""Reads outside the loops: one document or mail for a task or a link, and what is not settled yet."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.state import (
    PAYMENT_DOCUMENTS,
    Dispute,
    Document,
    DocumentKind,
    Mail,
    Paid,
    Refund,
)
from services.notifier.loading import content, dispute_in, document_in, mail_in, paid_in, refund_in
from shared.messages.orders import OrderPlaced


@dataclass(frozen=True, slots=True)
class Issued:
    """One document with all that is printed on it, and its PDF once it exists.

    A credit note has its refund and the invoice it reduces in `before`, a cancellation the credit note too.
    """

    document: Document
    placed: OrderPlaced
    paid: Paid
    pdf: bytes | None = field(default=None, repr=False)
    refund: Refund | None = None
    before: dict[DocumentKind, Document] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posting:
    """One mail with what it speaks of: a document, a refund of money that was not needed, or a dispute."""

    order_id: str
    mail: Mail
    issued: Issued | None = None
    returned: tuple[Refund, OrderPlaced] | None = None
    dispute: Dispute | None = None


_READ = text("""
    SELECT d.document_id, d.order_id, d.payment_id, d.kind, d.subject, d.series, d.number, d.revision,
           d.dated_at, d.issued_at, d.state, d.sha256, d.pdf, c.content AS printed,
           o.amount, o.currency, o.provider, o.provider_order_id, o.charge_id, o.paid_at, o.captured, o.issues
    FROM documents d JOIN orders o ON o.order_id = d.order_id
    JOIN order_contents c ON c.order_id = d.order_id AND c.revision = d.revision
    WHERE d.document_id = CAST(:id AS uuid)""")

_REFUND = text("SELECT * FROM refunds WHERE refund_id = :id")
_BEFORE = text("""
    SELECT document_id, payment_id, kind, subject, series, number, revision, dated_at, issued_at, state,
           sha256
    FROM documents WHERE payment_id = :payment
      AND (kind IN ('receipt', 'invoice') OR kind = 'credit_note' AND subject = :refund)""")
_MAIL = text("SELECT * FROM mails WHERE mail_id = CAST(:id AS uuid)")
_RETURNED = text("""
    SELECT r.*, c.content AS printed FROM refunds r JOIN order_contents c USING (order_id, revision)
    WHERE r.refund_id = :id""")
_DISPUTE = text("SELECT * FROM disputes WHERE provider || '/' || dispute_id = :subject AND order_id = :order")
_WAITING = text("""
    SELECT (SELECT count(*) FROM orders WHERE waits) AS orders,
           (SELECT count(*) FROM documents WHERE state = 'failed') AS documents,
           (SELECT count(*) FROM mails WHERE state IN ('waiting', 'deferred')) AS mails,
           (SELECT count(*) FROM mails WHERE state IN ('parked', 'bounced') AND recipient <> '') AS parked""")


async def read_document(connection: AsyncConnection, document_id: str) -> Issued | None:
    """One document as it stands now, without a lock."""
    row = (await connection.execute(_READ, {"id": document_id})).one_or_none()
    if row is None:
        return None
    paid = paid_in(row)
    if paid is None:
        raise ValueError(f"document {document_id} exists for an order that is not paid")
    document, placed = document_in(row), content.decode(row.printed)
    if document.kind in PAYMENT_DOCUMENTS:
        return Issued(document, placed, paid, row.pdf)
    refund = (await connection.execute(_REFUND, {"id": document.subject})).one()
    asked = {"payment": document.payment_id, "refund": document.subject}
    before = [document_in(other) for other in await connection.execute(_BEFORE, asked)]
    return Issued(document, placed, paid, row.pdf, refund_in(refund), {d.kind: d for d in before})


async def read_mail(connection: AsyncConnection, mail_id: str) -> Posting | None:
    """One mail as it stands now, without a lock."""
    row = (await connection.execute(_MAIL, {"id": mail_id})).one_or_none()
    if row is None:
        return None
    mail = mail_in(row)
    if row.document_id is not None:
        return Posting(row.order_id, mail, issued=await read_document(connection, mail_id))
    if mail.kind in ("dispute", "dispute_reminder"):
        asked = {"subject": mail.subject, "order": row.order_id}
        return Posting(row.order_id, mail, dispute=dispute_in(await _one(connection, _DISPUTE, asked)))
    returned = await _one(connection, _RETURNED, {"id": mail.subject})
    return Posting(row.order_id, mail, returned=(refund_in(returned), content.decode(returned.printed)))


async def _one(connection: AsyncConnection, statement: Any, asked: dict[str, str]) -> Any:
    return (await connection.execute(statement, asked)).one()


async def unsettled(connection: AsyncConnection) -> dict[str, int]:
    """How many orders wait for their content, documents could not be made, mails wait or did not arrive."""
    row = (await connection.execute(_WAITING)).one()
    return {"orders": row.orders, "documents": row.documents, "mails": row.mails, "parked": row.parked}
