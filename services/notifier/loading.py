"""Orders loaded under their lock, with all that hangs under them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.state import Dispute, Document, Mail, Order, Paid, Refund, Resend
from shared.messages.orders import OrderPlaced

content = msgspec.json.Decoder(OrderPlaced)

_INSERT_MISSING = text("""
    INSERT INTO orders (order_id) SELECT unnest(CAST(:keys AS text[])) ORDER BY 1 ON CONFLICT DO NOTHING""")

_LOCK = text("""
    SELECT order_id FROM orders WHERE order_id = ANY(CAST(:keys AS text[]))
    ORDER BY order_id FOR NO KEY UPDATE""")

_ORDERS = text("""
    SELECT o.*, EXISTS (SELECT FROM erased_orders e WHERE e.order_id = o.order_id) AS erased
    FROM orders o WHERE o.order_id = ANY(CAST(:keys AS text[]))""")
_CONTENTS = text("""
    SELECT order_id, revision, content FROM order_contents WHERE order_id = ANY(CAST(:keys AS text[]))""")
_REFUNDS = text("SELECT * FROM refunds WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY refund_id")
_DISPUTES = text("""
    SELECT * FROM disputes WHERE order_id = ANY(CAST(:keys AS text[])) ORDER BY provider, dispute_id""")
_DOCUMENTS = text("""
    SELECT document_id, order_id, payment_id, kind, subject, series, number, revision, dated_at, issued_at,
           state, sha256
    FROM documents WHERE order_id = ANY(CAST(:keys AS text[]))""")
_MAILS = text("SELECT * FROM mails WHERE order_id = ANY(CAST(:keys AS text[]))")
_RESENDS = text("""
    SELECT r.mail_id, r.nonce, r.person, r.asked_at FROM resends r JOIN mails m USING (mail_id)
    WHERE m.order_id = ANY(CAST(:keys AS text[])) ORDER BY r.asked_at, r.nonce""")


async def load_orders(connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Order]:
    """Locks the orders (sorted; missing rows inserted empty), then reads what hangs under them."""
    parameters = {"keys": list(keys)}
    await connection.execute(_INSERT_MISSING, parameters)
    await connection.execute(_LOCK, parameters)
    rows = (await connection.execute(_ORDERS, parameters)).all()
    under = await _read_under(connection, parameters)
    return {row.order_id: under[row.order_id].order(row) for row in rows}


@dataclass(slots=True)
class _Under:
    """What hangs under one order, while it is read."""

    contents: dict[int, OrderPlaced] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)

    def order(self, row: Any) -> Order:
        return Order(
            row.order_id, self.contents, paid_in(row), self.refunds, self.disputes,
            tuple(self.documents), tuple(self.mails), row.erased,
        )  # fmt: skip


async def _read_under(connection: AsyncConnection, parameters: dict[str, Any]) -> dict[str, _Under]:
    under: dict[str, _Under] = defaultdict(_Under)
    for row in await connection.execute(_CONTENTS, parameters):
        under[row.order_id].contents[row.revision] = content.decode(row.content)
    for row in await connection.execute(_REFUNDS, parameters):
        under[row.order_id].refunds[row.refund_id] = refund_in(row)
    for row in await connection.execute(_DISPUTES, parameters):
        dispute = dispute_in(row)
        under[row.order_id].disputes[dispute.subject] = dispute
    for row in await connection.execute(_DOCUMENTS, parameters):
        under[row.order_id].documents.append(document_in(row))
    resends: dict[str, list[Resend]] = defaultdict(list)
    for row in await connection.execute(_RESENDS, parameters):
        resends[str(row.mail_id)].append(Resend(row.nonce, row.person, row.asked_at))
    for row in await connection.execute(_MAILS, parameters):
        under[row.order_id].mails.append(mail_in(row, tuple(resends[str(row.mail_id)])))
    return under


def paid_in(row: Any) -> Paid | None:
    if row.payment_id is None:
        return None
    return Paid(
        row.payment_id, row.revision, row.amount, row.currency, row.provider, row.provider_order_id,
        row.charge_id, row.paid_at, row.captured, row.issues,
    )  # fmt: skip


def refund_in(row: Any) -> Refund:
    return Refund(
        row.refund_id, row.payment_id, row.provider, row.amount, row.currency, row.stood, row.revision,
        row.reason, row.reference, row.succeeded_at, row.failed_at,
    )  # fmt: skip


def dispute_in(row: Any) -> Dispute:
    return Dispute(
        row.provider, row.dispute_id, row.payment_id, row.kind, row.amount, row.currency, row.reason,
        row.respond_by, row.opened, row.outcome,
    )  # fmt: skip


def document_in(row: Any) -> Document:
    return Document(
        id=str(row.document_id), payment_id=row.payment_id, kind=row.kind, subject=row.subject,
        series=row.series, revision=row.revision, dated_at=row.dated_at, issued_at=row.issued_at,
        number=row.number, state=row.state, sha256=row.sha256 or "",
    )  # fmt: skip


def mail_in(row: Any, resends: tuple[Resend, ...] = ()) -> Mail:
    return Mail(
        str(row.mail_id), row.payment_id, row.kind, row.subject, row.recipient, row.message_id, row.asked_at,
        row.state, row.attempts, row.last_answer, row.settled_at, resends,
    )  # fmt: skip
