"""Reads outside the loops: one document for a task or a link, and what is not settled yet."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.state import Document, Paid
from services.notifier.store import content, document_in, paid_in
from shared.messages.orders import OrderPlaced


@dataclass(frozen=True, slots=True)
class Issued:
    """One document with all that is printed on it, and its PDF once it exists."""

    document: Document
    placed: OrderPlaced
    paid: Paid
    pdf: bytes | None


_READ = text("""
    SELECT d.document_id, d.order_id, d.payment_id, d.kind, d.subject, d.series, d.number, d.revision,
           d.issued_at, d.state, d.sha256, d.pdf, m.recipient, m.message_id, m.state AS mail_state,
           m.attempts, m.last_answer, m.settled_at, c.content AS printed,
           o.amount, o.currency, o.provider, o.provider_order_id, o.charge_id, o.paid_at
    FROM documents d LEFT JOIN mails m USING (document_id)
    JOIN orders o ON o.order_id = d.order_id
    JOIN order_contents c ON c.order_id = d.order_id AND c.revision = d.revision
    WHERE d.document_id = CAST(:id AS uuid)""")

_WAITING = text("""
    SELECT (SELECT count(*) FROM orders WHERE waits) AS orders,
           (SELECT count(*) FROM mails WHERE state IN ('waiting', 'deferred')) AS mails,
           (SELECT count(*) FROM mails WHERE state = 'parked') AS parked""")


async def read_document(connection: AsyncConnection, document_id: str) -> Issued | None:
    """One document as it stands now, without a lock."""
    row = (await connection.execute(_READ, {"id": document_id})).one_or_none()
    if row is None:
        return None
    paid = paid_in(row)
    if paid is None:
        raise ValueError(f"document {document_id} exists for an order that is not paid")
    return Issued(document_in(row), content.decode(row.printed), paid, row.pdf)


async def unsettled(connection: AsyncConnection) -> dict[str, int]:
    """How many paid orders wait for their content, and how many mails wait or are parked."""
    row = (await connection.execute(_WAITING)).one()
    return {"orders": row.orders, "mails": row.mails, "parked": row.parked}
