"""A run in which all went well, made by hand: one paid order `o-1`, one that nobody paid, `o-2`."""

import json
from dataclasses import replace
from typing import Any

from tests.chaos.checker.evidence import (
    Attempt,
    Books,
    Evidence,
    InboxRow,
    Intent,
    Json,
    Mail,
    Operation,
    OutboxRow,
    Payment,
    Position,
    Receipt,
    Record,
)
from tests.chaos.checker.ledger import Call, Capture, Ledger, ProviderOrder, SentWebhook

PRICE = 123_450
CAPTURED = '{"event":"payment.captured","id":"pay_1"}'


def snapshot(order_id: str, version: int, status: str, detail: str = "") -> dict[str, Any]:
    return {
        "order_id": order_id, "version": version, "status": status, "detail": detail,
        "amount": PRICE, "currency": "INR",
    }  # fmt: skip


def event(order_id: str, version: int, kind: str, status: str, offset: int, **data: Any) -> Record:
    """One event of payments, as it stands in partition 0."""
    message = {
        "id": f"{order_id}-{version}",
        "type": f"payments.payment_{kind}.v1",
        "source": "payments",
        "subject": order_id,
        "version": version,
        "causationid": f"cause-{order_id}-{version}",
        "data": {"payment": snapshot(order_id, version, status, data.pop("detail", "")), **data},
    }
    return record("payments.events", offset, order_id, message)


def record(topic: str, offset: int, key: str, message: dict[str, Any]) -> Record:
    return Record(topic, 0, offset, key, json.dumps(message).encode(), message)


EVENTS = (
    event("o-1", 1, "created", "created", 0),
    event("o-1", 2, "pending", "pending_payment", 1, detail="awaiting_buyer"),
    event("o-2", 1, "created", "created", 2),
    event("o-1", 3, "paid", "paid", 3),
)
COMMAND = record(
    "payments.commands", 0, "o-1", {"id": "c-1", "type": "payments.register_order.v1", "source": "gateway"}
)
RECEIPT_SENT = record(
    "notifier.events",
    0,
    "o-1",
    {
        "id": "n-1",
        "type": "notifier.receipt_sent.v1",
        "source": "notifier",
        "causationid": "t-1",
        "data": {"subject": "s"},
    },
)


def clean_run() -> Evidence:
    """No invariant finds anything in it."""
    topics = (*EVENTS, COMMAND, RECEIPT_SENT)
    return Evidence(
        ledger=_ledger(),
        books=_books(topics),
        topics=topics,
        positions=(
            Position("notifier.payments.events", "payments.events", 0, 4, 4),
            Position("payments.payments.commands", "payments.commands", 0, 1, 1),
        ),
        mails=(Mail("<receipt.1@shop>", ("o-1@x.example",), "Receipt R-2026-000001", "Total: ₹1,234.50\n"),),
        history=_history(),
    )


def _ledger() -> Ledger:
    def call(at: float, method: str, path: str, about: str, operation: str = "") -> Call:
        body = "ab" if method == "POST" else None
        made = Call(at, method, path, body, acted=True, answered=True, result="order_1")
        return replace(made, operation=operation, about=(about,))

    return Ledger(
        orders=(ProviderOrder("order_1", "ref-1", "o-1", PRICE, "INR"),),
        captures=(Capture("pay_1", "order_1", PRICE, "INR"),),
        calls=(
            call(10.0, "GET", "/v1/orders", "ref-1"),
            call(11.0, "POST", "/v1/orders", "ref-1", "open:ref-1"),
            call(12.0, "GET", "/v1/orders/order_1/payments", "payments"),
        ),
        webhooks=(SentWebhook("evt_1", "payment.captured", CAPTURED, "delivered", (503, 200, 200)),),
    )


def _books(topics: tuple[Record, ...]) -> Books:
    outbox = [
        OutboxRow(str(r.message["source"]), n, r.topic, r.key, r.id, r.value)
        for n, r in enumerate(topics)
        if r.topic in ("payments.events", "notifier.events")
    ]
    return Books(
        payments=(
            Payment("o-1", "uuid-1", "paid", "", PRICE, "INR", 3, "order_1", "pay_1"),
            Payment("o-2", "uuid-2", "created", "", PRICE, "INR", 1),
        ),
        attempts=(Attempt("ref-1", "o-1", "order_1", PRICE, "INR", 9.0),),
        raw_webhooks=(CAPTURED.encode(),),
        receipts=(
            Receipt(
                "o-1", "R-2026-000001", PRICE, "INR", "rendered", "<receipt.1@shop>", "o-1@x.example", "sent"
            ),
        ),
        intents=(Intent("payments", "open_order", "open:ref-1", 9.0),),
        inbox=(
            InboxRow("notifier", "notifier.payments.events", "o-1-3", "applied"),
            InboxRow("payments", "payments.payments.commands", "c-1", "applied"),
        ),
        outbox=tuple(outbox),
    )


def _history() -> tuple[Operation, ...]:
    def wish(order_id: str) -> Json:
        return {"amount": PRICE, "currency": "INR", "email": f"{order_id}@x.example"}

    opened = {"providerOrderId": "order_1", "amount": PRICE}
    return (
        Operation("place", "o-1", "info", wish("o-1"), 503),
        Operation("place", "o-1", "ok", wish("o-1"), 201),
        Operation("place", "o-2", "ok", wish("o-2"), 201),
        Operation("create", "o-1", "ok", {}, 200, opened),
        Operation("create", "o-1", "ok", {}, 200, opened),
        Operation("place", "o-1", "fail", {**wish("o-1"), "amount": PRICE + 1}, 409),
        Operation("verify", "o-1", "ok", {}, 200, {"status": "paid"}),
    )


# --- the same run with one thing otherwise ----------------------------------------------------------------


def with_ledger(**changes: Any) -> Evidence:
    run = clean_run()
    return replace(run, ledger=replace(run.ledger, **changes))


def with_books(**changes: Any) -> Evidence:
    run = clean_run()
    return replace(run, books=replace(run.books, **changes))


def with_payment(**changes: Any) -> Evidence:
    """The paid order's row otherwise."""
    paid, unpaid = clean_run().books.payments
    return with_books(payments=(replace(paid, **changes), unpaid))


def with_topics(*topics: Record) -> Evidence:
    return replace(clean_run(), topics=topics)


def with_operations(*more: Operation) -> Evidence:
    run = clean_run()
    return replace(run, history=(*run.history, *more))
