"""Where this service holds customers' data, and how each place is blanked when a customer is erased."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.envelope import decode, encode
from shared.messages.base import Catalogue
from shared.messages.notifier import NoticeFailed, ReceiptFailed
from shared.messages.orders import OrderPlaced
from shared.privacy.customers import blanked
from shared.privacy.eraser import Place, Wanted, by_statement

# The orders' rows, locked in the order of everyone: who holds one of them commits first, and is then seen.
MARK = (
    text("""
        SELECT FROM orders WHERE order_id = ANY(CAST(:order_ids AS text[]))
        ORDER BY order_id FOR NO KEY UPDATE"""),
)

# Its number, date, series and hash stay: they are the shop's books.
_PDFS = text("""
    UPDATE documents SET pdf = NULL, state = 'erased'
    WHERE order_id = ANY(CAST(:order_ids AS text[])) AND state = 'rendered'""")

# Mails of disputes go to the merchant and say nothing of the buyer.
_MAILS = text("""
    UPDATE mails SET recipient = '', last_answer = '',
                     state = CASE WHEN state IN ('waiting', 'deferred') THEN 'parked' ELSE state END,
                     settled_at = coalesce(settled_at, now())
    WHERE order_id = ANY(CAST(:order_ids AS text[])) AND recipient <> ''
      AND kind NOT IN ('dispute', 'dispute_reminder')""")
_QUEUED = text("""
    UPDATE tasks SET closed_at = now(), outcome = 'dropped', lease_owner = NULL, lease_until = NULL
    WHERE kind = 'mail' AND closed_at IS NULL AND key IN (
        SELECT 'mail:' || mail_id FROM mails
        WHERE order_id = ANY(CAST(:order_ids AS text[])) AND kind NOT IN ('dispute', 'dispute_reminder'))""")

_CONTENTS = text("""
    SELECT order_id, revision, content FROM order_contents
    WHERE order_id = ANY(CAST(:order_ids AS text[])) ORDER BY order_id, revision""")
_BLANK_CONTENT = text("""
    UPDATE order_contents SET content = :content WHERE order_id = :order_id AND revision = :revision""")
ANNOUNCED = text("""
    SELECT position, payload FROM outbox
    WHERE record_key = ANY(CAST(:order_ids AS text[])) AND topic = 'notifier.events'""")
_BLANK_SAID = text("UPDATE outbox SET payload = :payload WHERE position = :position")

_content = msgspec.json.Decoder(OrderPlaced)
_failures = Catalogue(ReceiptFailed, NoticeFailed)


async def addresses(connection: AsyncConnection, order_ids: Sequence[str]) -> Sequence[str]:
    """The e-mail addresses that these orders were placed with, in any of their contents."""
    rows = (await connection.execute(_CONTENTS, {"order_ids": list(order_ids)})).all()
    return sorted({email for row in rows if (email := _content.decode(row.content).customer.email)})


async def _contents(connection: AsyncConnection, wanted: Wanted) -> int:
    count = 0
    for row in (await connection.execute(_CONTENTS, {"order_ids": list(wanted.order_ids)})).all():
        order = _content.decode(row.content)
        if order.erased:
            continue
        new = {"order_id": row.order_id, "revision": row.revision, "content": blanked(order).encode()}
        await connection.execute(_BLANK_CONTENT, new)
        count += 1
    return count


async def _reasons(connection: AsyncConnection, wanted: Wanted) -> int:
    """Why a mail failed is another server's text, which may repeat the address."""
    count = 0
    for row in (await connection.execute(ANNOUNCED, {"order_ids": list(wanted.order_ids)})).all():
        envelope = decode(row.payload)
        if envelope.type not in _failures:
            continue
        message = _failures.decode(envelope)
        if not isinstance(message, ReceiptFailed | NoticeFailed) or not message.reason:
            continue
        blank = replace(envelope, data=msgspec.Raw(replace(message, reason="").encode()))
        await connection.execute(_BLANK_SAID, {"position": row.position, "payload": encode(blank)})
        count += 1
    return count


PLACES = (
    Place("tasks", "mails not sent yet, given up", by_statement(_QUEUED)),
    Place("mails", "addresses and servers' answers", by_statement(_MAILS)),
    Place("documents", "PDFs; numbers and hashes stay", by_statement(_PDFS)),
    Place("order_contents", "orders as they are printed", _contents),
    Place("outbox", "why mails failed", _reasons),
)
