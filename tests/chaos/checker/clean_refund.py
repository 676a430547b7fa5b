"""The clean run, gone on: `o-1` was captured by hand, and 10.00 of it went back at the second try."""

from dataclasses import replace
from typing import Any

from tests.chaos.checker.clean_run import PRICE, clean_run, record
from tests.chaos.checker.evidence import Evidence, Intent, Mail, Notice, Operation, OutboxRow, Record, Refund
from tests.chaos.checker.ledger import Call, GivenBack

BACK = 1_000
REFUND = Refund("rf-1", "o-1", "pay_1", "order_1", "rfnd_1", "succeeded", BACK, "INR", "api")
GIVEN_BACK = GivenBack("rfnd_1", "rf-1", "pay_1", BACK, "INR", "succeeded")
CAPTURE = Call(
    13.0, "POST", "/v1/payments/pay_1/capture", "cd", acted=True, answered=True, result="pay_1",
    operation="capture:razorpay:pay_1", about=("pay_1",),
)  # fmt: skip
FIRST = Call(
    21.0, "POST", "/v1/payments/pay_1/refund", "ef", acted=True, answered=False, result="rfnd_1",
    operation="refund:rf-1",
)  # fmt: skip
LOOK = Call(
    22.0, "GET", "/v1/payments/pay_1/refunds", None, acted=True, answered=True, result=None,
    about=("refunds of pay_1",),
)  # fmt: skip
SECOND = replace(FIRST, at=23.0, answered=True)
ASKED = Operation("refund", "o-1", "ok", {"key": "k-1", "amount": BACK}, 201, {"refundId": "rf-1"})
NOTICE = Notice("o-1", "credit_note", "rf-1", "C-2026-000001", "<note.1@shop>", "o-1@x.example", "sent")


def _said(version: int, kind: str, status: str, **data: Any) -> Record:
    view = {"order_id": "o-1", "version": version, "status": status, "detail": "",
            "amount": PRICE, "currency": "INR"}  # fmt: skip
    message = {"id": f"o-1-{version}", "type": f"payments.{kind}.v1", "source": "payments",
               "subject": "o-1", "version": version, "causationid": f"cause-{version}",
               "data": {"payment": view, **data}}  # fmt: skip
    return record("payments.events", version, "o-1", message)


_OURS = {"refund": {"refund_id": "rf-1"}}
SAID = (
    _said(4, "refund_requested", "paid", **_OURS),
    _said(5, "refund_succeeded", "partially_refunded", **_OURS),
    _said(6, "payment_partially_refunded", "partially_refunded"),
)


def refunded_run() -> Evidence:
    """No invariant finds anything in it."""
    run = clean_run()
    paid, unpaid = run.books.payments
    outbox = tuple(OutboxRow("payments", 10 + n, r.topic, r.key, r.id, r.value) for n, r in enumerate(SAID))
    intents = (Intent("payments", "capture", "capture:razorpay:pay_1", 12.5),
               Intent("payments", "refund", "refund:rf-1", 20.0))  # fmt: skip
    return replace(
        run,
        ledger=replace(
            run.ledger, given_back=(GIVEN_BACK,), calls=(*run.ledger.calls, CAPTURE, FIRST, LOOK, SECOND)
        ),
        books=replace(
            run.books,
            payments=(replace(paid, status="partially_refunded", version=6), unpaid),
            refunds=(REFUND,),
            notices=(NOTICE,),
            intents=(*run.books.intents, *intents),
            outbox=(*run.books.outbox, *outbox),
        ),
        topics=(*run.topics, *SAID),
        mails=(*run.mails, Mail("<note.1@shop>", ("o-1@x.example",), "Credit note", "Total: ₹10.00\n")),
        history=(*run.history, ASKED),
    )


# --- the same run with one thing otherwise ----------------------------------------------------------------


def at_the_provider(**changes: Any) -> Evidence:
    run = refunded_run()
    return replace(run, ledger=replace(run.ledger, **changes))


def with_us(**changes: Any) -> Evidence:
    run = refunded_run()
    return replace(run, books=replace(run.books, **changes))
