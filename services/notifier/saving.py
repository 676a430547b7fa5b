"""What changed, written in bulk. New documents get the next numbers of their series here."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.state import Document, Mail, Order, Resend

Changed = Sequence[tuple[Order, Order]]  # before and after, sorted by order

_ORDER = {
    "order_id": "text", "payment_id": "text", "revision": "integer", "amount": "bigint", "currency": "text",
    "provider": "text", "provider_order_id": "text", "charge_id": "text", "paid_at": "timestamptz",
    "captured": "bigint", "issues": "text", "waits": "boolean",
}  # fmt: skip
_CONTENT = {"order_id": "text", "revision": "integer", "content": "bytea"}
_REFUND = {
    "refund_id": "text", "order_id": "text", "payment_id": "text", "provider": "text", "amount": "bigint",
    "currency": "text", "stood": "boolean", "revision": "integer", "reason": "text", "reference": "text",
    "succeeded_at": "timestamptz", "failed_at": "timestamptz",
}  # fmt: skip
_DISPUTE = {
    "provider": "text", "dispute_id": "text", "order_id": "text", "payment_id": "text", "kind": "text",
    "amount": "bigint", "currency": "text", "reason": "text", "respond_by": "timestamptz",
    "opened": "boolean", "outcome": "text",
}  # fmt: skip
_DOCUMENT = {
    "document_id": "uuid", "order_id": "text", "payment_id": "text", "kind": "text", "subject": "text",
    "series": "text", "number": "bigint", "revision": "integer", "dated_at": "timestamptz",
    "issued_at": "timestamptz", "state": "text",
}  # fmt: skip
_PDF = {"document_id": "uuid", "state": "text", "sha256": "text", "pdf": "bytea"}
_MAIL = {
    "mail_id": "uuid", "document_id": "uuid", "order_id": "text", "payment_id": "text", "kind": "text",
    "subject": "text", "recipient": "text", "message_id": "text", "asked_at": "timestamptz", "state": "text",
    "attempts": "integer", "last_answer": "text", "settled_at": "timestamptz",
}  # fmt: skip
_RESEND = {"mail_id": "uuid", "nonce": "text", "person": "text", "asked_at": "timestamptz"}


def _new(columns: dict[str, str]) -> str:
    """The rows of a statement: one array per column, unnested side by side."""
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return f"unnest({arrays}) AS new ({', '.join(columns)})"


def _insert(table: str, columns: dict[str, str], on_conflict: str = "") -> TextClause:
    names = ", ".join(columns)
    statement = f"INSERT INTO {table} ({names}) SELECT {names} FROM {_new(columns)} {on_conflict}"  # noqa: S608 - names from this module
    return text(statement)


def _update(table: str, key: str, columns: dict[str, str]) -> TextClause:
    changes = ", ".join(f"{name} = new.{name}" for name in columns if name != key)
    return text(f"UPDATE {table} SET {changes} FROM {_new(columns)} WHERE {table}.{key} = new.{key}")  # noqa: S608 - names from this module


def _overwriting(key: str, *columns: str) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
    return f"ON CONFLICT ({key}) DO UPDATE SET {changes}"


_SAVE_ORDERS = _update("orders", "order_id", _ORDER)
_ADD_CONTENTS = _insert("order_contents", _CONTENT)
_SAVE_REFUNDS = _insert(
    "refunds", _REFUND, _overwriting("refund_id", "reference", "succeeded_at", "failed_at")
)
_SAVE_DISPUTES = _insert(
    "disputes",
    _DISPUTE,
    _overwriting("provider, dispute_id", "kind", "amount", "reason", "respond_by", "opened", "outcome"),
)
_ADD_DOCUMENTS = _insert("documents", _DOCUMENT)
_SAVE_PDFS = _update("documents", "document_id", _PDF)
_SAVE_MAILS = _insert(
    "mails",
    _MAIL,
    _overwriting("mail_id", "message_id", "asked_at", "state", "attempts", "last_answer", "settled_at"),
)
_ADD_RESENDS = _insert("resends", _RESEND)

# Series are locked in sorted order, after the orders; a claim that rolls back leaves no gap.
_TAKE_NUMBERS = text("""
    INSERT INTO document_series (series, last_number)
    SELECT * FROM unnest(CAST(:series AS text[]), CAST(:counts AS bigint[]))
    ON CONFLICT (series) DO UPDATE SET last_number = document_series.last_number + excluded.last_number
    RETURNING series, last_number""")


async def save_orders(connection: AsyncConnection, changed: Changed) -> None:
    """Everything that differs between before and after."""
    await _write(connection, _SAVE_ORDERS, _ORDER, _order_rows(changed))
    await _write(connection, _ADD_CONTENTS, _CONTENT, _content_rows(changed))
    await _write(connection, _SAVE_REFUNDS, _REFUND, _refund_rows(changed))
    await _write(connection, _SAVE_DISPUTES, _DISPUTE, _dispute_rows(changed))
    await _save_documents(connection, changed)
    await _write(connection, _SAVE_MAILS, _MAIL, [_mail_row(o, m) for o, m, _ in _changed_mails(changed)])
    resends = [(m.id, r.nonce, r.person, r.asked_at) for _, m, new in _changed_mails(changed) for r in new]
    await _write(connection, _ADD_RESENDS, _RESEND, resends)


async def _write(
    connection: AsyncConnection, statement: TextClause, columns: dict[str, str], rows: Sequence[Sequence[Any]]
) -> None:
    if rows:
        arrays = zip(*rows, strict=True)
        await connection.execute(
            statement, {name: list(values) for name, values in zip(columns, arrays, strict=True)}
        )


def _order_rows(changed: Changed) -> list[tuple[Any, ...]]:
    return [
        (
            new.order_id, p and p.payment_id, p and p.revision, p and p.amount, p and p.currency,
            p and p.provider, p and p.provider_order_id, p and p.charge_id, p and p.paid_at,
            p and p.captured, p and p.issues, new.waits,
        )
        for old, new in changed
        for p in (new.paid,)
        if (old.paid, old.waits) != (p, new.waits)
    ]  # fmt: skip


def _content_rows(changed: Changed) -> list[tuple[Any, ...]]:
    return [
        (new.order_id, revision, placed.encode())
        for old, new in changed
        for revision, placed in new.contents.items()
        if revision not in old.contents
    ]


def _refund_rows(changed: Changed) -> list[tuple[Any, ...]]:
    return [
        (
            r.refund_id, new.order_id, r.payment_id, r.provider, r.amount, r.currency, r.stood, r.revision,
            r.reason, r.reference, r.succeeded_at, r.failed_at,
        )
        for old, new in changed
        for key, r in sorted(new.refunds.items())
        if old.refunds.get(key) != r
    ]  # fmt: skip


def _dispute_rows(changed: Changed) -> list[tuple[Any, ...]]:
    return [
        (
            d.provider, d.dispute_id, new.order_id, d.payment_id, d.kind, d.amount, d.currency, d.reason,
            d.respond_by, d.opened, d.outcome,
        )
        for old, new in changed
        for key, d in sorted(new.disputes.items())
        if old.disputes.get(key) != d
    ]  # fmt: skip


async def _save_documents(connection: AsyncConnection, changed: Changed) -> None:
    new: list[tuple[str, Document]] = []
    rendered: list[Document] = []
    for old_order, order in changed:
        old = {d.id: d for d in old_order.documents}
        for document in order.documents:
            known = old.get(document.id)
            if known is None:
                new.append((order.order_id, document))
            elif known.state != document.state:
                rendered.append(document)
    await _add_documents(connection, new)
    pdfs = [(d.id, d.state, d.sha256 or None, d.pdf) for d in rendered]
    await _write(connection, _SAVE_PDFS, _PDF, pdfs)


async def _add_documents(connection: AsyncConnection, new: Sequence[tuple[str, Document]]) -> None:
    if not new:
        return
    numbers = await _take_numbers(connection, [d.series for _, d in new])
    rows = [
        (
            d.id, order_id, d.payment_id, d.kind, d.subject, d.series, number, d.revision, d.dated_at,
            d.issued_at, d.state,
        )
        for (order_id, d), number in zip(new, numbers, strict=True)
    ]  # fmt: skip
    await _write(connection, _ADD_DOCUMENTS, _DOCUMENT, rows)


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


def _changed_mails(changed: Changed) -> list[tuple[Order, Mail, tuple[Resend, ...]]]:
    """(order, mail, resends that are new) of every mail that changed."""
    found = []
    for old_order, order in changed:
        old = {m.id: m for m in old_order.mails}
        for mail in order.mails:
            known = old.get(mail.id)
            if known != mail:
                found.append((order, mail, mail.resends[len(known.resends) if known else 0 :]))
    return found


def _mail_row(order: Order, mail: Mail) -> tuple[Any, ...]:
    document = next((d.id for d in order.documents if d.id == mail.id), None)
    return (
        mail.id, document, order.order_id, mail.payment_id, mail.kind, mail.subject, mail.recipient,
        mail.message_id, mail.asked_at, mail.state, mail.attempts, mail.last_answer, mail.settled_at,
    )  # fmt: skip
