"""The notifier's tables: orders loaded under their lock and saved in bulk."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.results import DocumentResult
from services.notifier.domain.state import Document, Mail, Order, Paid
from shared.inbox import Incoming
from shared.messages.orders import OrderPlaced
from shared.messages.payments import PaymentPaid

content = msgspec.json.Decoder(OrderPlaced)

_INSERT_MISSING = text("""
    INSERT INTO orders (order_id) SELECT unnest(CAST(:keys AS text[])) ORDER BY 1 ON CONFLICT DO NOTHING""")

_LOCK = text("""
    SELECT order_id FROM orders WHERE order_id = ANY(CAST(:keys AS text[]))
    ORDER BY order_id FOR NO KEY UPDATE""")

_ORDERS = text("SELECT * FROM orders WHERE order_id = ANY(CAST(:keys AS text[]))")

_CONTENTS = text("""
    SELECT order_id, revision, content FROM order_contents WHERE order_id = ANY(CAST(:keys AS text[]))""")

_DOCUMENTS = text("""
    SELECT d.document_id, d.order_id, d.payment_id, d.kind, d.subject, d.series, d.number, d.revision,
           d.issued_at, d.state, d.sha256, m.recipient, m.message_id, m.state AS mail_state, m.attempts,
           m.last_answer, m.settled_at
    FROM documents d LEFT JOIN mails m USING (document_id)
    WHERE d.order_id = ANY(CAST(:keys AS text[]))""")

_SAVE_ORDERS = text("""
    UPDATE orders SET payment_id = new.payment_id, revision = new.revision, amount = new.amount,
        currency = new.currency, provider = new.provider, provider_order_id = new.provider_order_id,
        charge_id = new.charge_id, paid_at = new.paid_at, waits = new.waits
    FROM unnest(CAST(:order_ids AS text[]), CAST(:payment_ids AS text[]), CAST(:revisions AS integer[]),
                CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), CAST(:providers AS text[]),
                CAST(:provider_order_ids AS text[]), CAST(:charge_ids AS text[]),
                CAST(:paid_ats AS timestamptz[]), CAST(:waits AS boolean[]))
         AS new (order_id, payment_id, revision, amount, currency, provider, provider_order_id, charge_id,
                 paid_at, waits)
    WHERE orders.order_id = new.order_id""")

_ADD_CONTENTS = text("""
    INSERT INTO order_contents (order_id, revision, content)
    SELECT * FROM unnest(CAST(:order_ids AS text[]), CAST(:revisions AS integer[]),
                         CAST(:contents AS bytea[]))""")

# Series are locked in sorted order, after the orders; a claim that rolls back leaves no gap.
_TAKE_NUMBERS = text("""
    INSERT INTO document_series (series, last_number)
    SELECT * FROM unnest(CAST(:series AS text[]), CAST(:counts AS bigint[]))
    ON CONFLICT (series) DO UPDATE SET last_number = document_series.last_number + excluded.last_number
    RETURNING series, last_number""")

_ADD_DOCUMENTS = text("""
    INSERT INTO documents (document_id, order_id, payment_id, kind, subject, series, number, revision,
                           issued_at, state)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:order_ids AS text[]), CAST(:payment_ids AS text[]),
                         CAST(:kinds AS text[]), CAST(:subjects AS text[]), CAST(:series AS text[]),
                         CAST(:numbers AS bigint[]), CAST(:revisions AS integer[]),
                         CAST(:issued_ats AS timestamptz[]), CAST(:states AS text[]))""")

_SAVE_DOCUMENTS = text("""
    UPDATE documents SET state = new.state, sha256 = new.sha256, pdf = new.pdf
    FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:sha256s AS text[]),
                CAST(:pdfs AS bytea[]))
         AS new (document_id, state, sha256, pdf)
    WHERE documents.document_id = new.document_id""")

_SAVE_MAILS = text("""
    INSERT INTO mails (document_id, recipient, message_id, state, attempts, last_answer, settled_at)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:recipients AS text[]), CAST(:message_ids AS text[]),
                         CAST(:states AS text[]), CAST(:attempts AS integer[]), CAST(:answers AS text[]),
                         CAST(:settled_ats AS timestamptz[]))
    ON CONFLICT (document_id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
        last_answer = excluded.last_answer, settled_at = excluded.settled_at""")


class OrderStore:
    """The Store of both loops: the aggregate is the order."""

    async def resolve(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - part of the protocol; our messages name their order
        batch: Sequence[Incoming],
    ) -> Sequence[str | None]:
        """Every message of ours names its order."""
        return [_order_of(incoming) for incoming in batch]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Order]:
        """Locks the orders (sorted), then reads what hangs under them."""
        parameters = {"keys": list(keys)}
        await connection.execute(_INSERT_MISSING, parameters)
        await connection.execute(_LOCK, parameters)
        orders = (await connection.execute(_ORDERS, parameters)).all()
        contents: dict[str, dict[int, OrderPlaced]] = defaultdict(dict)
        for row in await connection.execute(_CONTENTS, parameters):
            contents[row.order_id][row.revision] = content.decode(row.content)
        documents: dict[str, list[Document]] = defaultdict(list)
        for row in await connection.execute(_DOCUMENTS, parameters):
            documents[row.order_id].append(document_in(row))
        return {
            row.order_id: Order(
                row.order_id, contents[row.order_id], paid_in(row), tuple(documents[row.order_id])
            )
            for row in orders
        }

    async def save(
        self, connection: AsyncConnection, before: dict[str, Order], after: dict[str, Order]
    ) -> None:
        """Writes what changed; new documents get the next numbers of their series here."""
        changed = [(before[key], after[key]) for key in sorted(after)]
        await _save_orders(connection, changed)
        await _add_contents(connection, changed)
        await _save_documents(connection, changed)


def _order_of(incoming: Incoming) -> str:
    message = incoming.message
    if isinstance(message, PaymentPaid):
        return message.payment.order_id
    if isinstance(message, OrderPlaced | DocumentResult):
        return message.order_id
    raise TypeError(f"no order is known for {type(message).__name__}")


def paid_in(row: Any) -> Paid | None:
    if row.payment_id is None:
        return None
    return Paid(
        row.payment_id, row.revision, row.amount, row.currency, row.provider, row.provider_order_id,
        row.charge_id, row.paid_at,
    )  # fmt: skip


def document_in(row: Any) -> Document:
    mail = None
    if row.message_id is not None:
        mail = Mail(
            row.recipient, row.message_id, row.mail_state, row.attempts, row.last_answer, row.settled_at
        )
    return Document(
        id=str(row.document_id), payment_id=row.payment_id, kind=row.kind, subject=row.subject,
        series=row.series, revision=row.revision, issued_at=row.issued_at, number=row.number, state=row.state,
        sha256=row.sha256 or "", mail=mail,
    )  # fmt: skip


async def _save_orders(connection: AsyncConnection, changed: Sequence[tuple[Order, Order]]) -> None:
    rows = [(new, new.paid) for old, new in changed if (old.paid, old.waits) != (new.paid, new.waits)]
    if not rows:
        return
    await connection.execute(
        _SAVE_ORDERS,
        {
            "order_ids": [order.order_id for order, _ in rows],
            "payment_ids": [paid and paid.payment_id for _, paid in rows],
            "revisions": [paid and paid.revision for _, paid in rows],
            "amounts": [paid and paid.amount for _, paid in rows],
            "currencies": [paid and paid.currency for _, paid in rows],
            "providers": [paid and paid.provider for _, paid in rows],
            "provider_order_ids": [paid and paid.provider_order_id for _, paid in rows],
            "charge_ids": [paid and paid.charge_id for _, paid in rows],
            "paid_ats": [paid and paid.paid_at for _, paid in rows],
            "waits": [order.waits for order, _ in rows],
        },
    )


async def _add_contents(connection: AsyncConnection, changed: Sequence[tuple[Order, Order]]) -> None:
    rows = [
        (new.order_id, revision, placed)
        for old, new in changed
        for revision, placed in new.contents.items()
        if revision not in old.contents
    ]
    if rows:
        await connection.execute(
            _ADD_CONTENTS,
            {
                "order_ids": [order_id for order_id, _, _ in rows],
                "revisions": [revision for _, revision, _ in rows],
                "contents": [placed.encode() for _, _, placed in rows],
            },
        )


async def _save_documents(connection: AsyncConnection, changed: Sequence[tuple[Order, Order]]) -> None:
    new: list[tuple[str, Document]] = []
    rendered: list[Document] = []
    mailed: list[tuple[str, Mail]] = []
    for old_order, order in changed:
        old = {d.id: d for d in old_order.documents}
        for document in order.documents:
            known = old.get(document.id)
            if known is None:
                new.append((order.order_id, document))
            elif known.state != document.state:
                rendered.append(document)
            if document.mail is not None and (known is None or known.mail != document.mail):
                mailed.append((document.id, document.mail))
    await _add_documents(connection, new)
    if rendered:
        await connection.execute(
            _SAVE_DOCUMENTS,
            {
                "ids": [d.id for d in rendered],
                "states": [d.state for d in rendered],
                "sha256s": [d.sha256 or None for d in rendered],
                "pdfs": [d.pdf for d in rendered],
            },
        )
    await _save_mails(connection, mailed)


async def _add_documents(connection: AsyncConnection, new: Sequence[tuple[str, Document]]) -> None:
    if not new:
        return
    numbers = await _take_numbers(connection, [d.series for _, d in new])
    await connection.execute(
        _ADD_DOCUMENTS,
        {
            "ids": [d.id for _, d in new],
            "order_ids": [order_id for order_id, _ in new],
            "payment_ids": [d.payment_id for _, d in new],
            "kinds": [d.kind for _, d in new],
            "subjects": [d.subject for _, d in new],
            "series": [d.series for _, d in new],
            "numbers": numbers,
            "revisions": [d.revision for _, d in new],
            "issued_ats": [d.issued_at for _, d in new],
            "states": [d.state for _, d in new],
        },
    )


async def _take_numbers(connection: AsyncConnection, wanted: Sequence[str]) -> list[int]:
    """The next number of each wanted series, in the order asked for."""
    series = sorted(set(wanted))
    counts = [wanted.count(s) for s in series]
    rows = await connection.execute(_TAKE_NUMBERS, {"series": series, "counts": counts})
    next_number = {
        row.series: row.last_number - count + 1
        for row, count in zip(sorted(rows, key=lambda r: r.series), counts, strict=True)
    }
    numbers = []
    for name in wanted:
        numbers.append(next_number[name])
        next_number[name] += 1
    return numbers


async def _save_mails(connection: AsyncConnection, mails: Iterable[tuple[str, Mail]]) -> None:
    rows = list(mails)
    if rows:
        await connection.execute(
            _SAVE_MAILS,
            {
                "ids": [id_ for id_, _ in rows],
                "recipients": [m.recipient for _, m in rows],
                "message_ids": [m.message_id for _, m in rows],
                "states": [m.state for _, m in rows],
                "attempts": [m.attempts for _, m in rows],
                "answers": [m.last_answer for _, m in rows],
                "settled_ats": [m.settled_at for _, m in rows],
            },
        )
