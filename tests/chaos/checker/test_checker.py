"""The checker against histories that went wrong: a check that never failed would prove nothing."""

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.checker.bad_refunds import BAD_REFUNDS
from tests.chaos.checker.check import INVARIANTS, check
from tests.chaos.checker.clean_refund import refunded_run
from tests.chaos.checker.clean_run import (
    CAPTURED,
    COMMAND,
    EVENTS,
    PRICE,
    RECEIPT_SENT,
    clean_run,
    event,
    record,
    with_books,
    with_ledger,
    with_operations,
    with_payment,
    with_topics,
)
from tests.chaos.checker.evidence import Evidence, Intent, Mail, Operation, Position
from tests.chaos.checker.ledger import Call, Capture, ProviderOrder, SentWebhook

RUN = clean_run()
LEDGER, BOOKS = RUN.ledger, RUN.books
MAIL, RECEIPT, OUTBOX = RUN.mails[0], BOOKS.receipts[0], BOOKS.outbox
SECOND = Capture("pay_2", "order_1", PRICE, "INR")
WISH = RUN.history[0].asked
CREATE = Call(
    11.5, "POST", "/v1/orders", "ab", acted=True, answered=True, result="order_2", operation="open:ref-1",
    about=("ref-1",),
)  # fmt: skip
ANOTHER_ORDER = ProviderOrder("order_2", "ref-1", "o-1", PRICE, "INR")


def again(original: object, **changes: object) -> Evidence:
    """The run with a second, changed row of the same kind."""
    for name in ("outbox", "receipts", "inbox", "intents", "attempts"):
        rows = getattr(BOOKS, name)
        if original in rows:
            return with_books(**{name: (*rows, replace(original, **changes))})  # type: ignore[type-var]  # a row of that tuple
    raise AssertionError(original)


BAD_HISTORIES: dict[str, tuple[str, str, Evidence]] = {
    "two captures of one order": ("S1", "doubled", with_ledger(captures=(*LEDGER.captures, SECOND))),
    "more taken than asked": (
        "S1",
        "doubled",
        with_ledger(captures=(Capture("pay_1", "order_1", PRICE + 1, "INR"),)),
    ),
    "paid without a capture": ("S2", "wrong", with_ledger(captures=())),
    "paid by the money of another order": ("S2", "wrong", with_payment(provider_order_id="order_9")),
    "captured, and still pending": (
        "S3",
        "lost",
        with_payment(status="pending_payment", charge_id=None),
    ),
    "captured for an order that is not held": ("S3", "lost", with_books(payments=BOOKS.payments[1:])),
    "another currency at the provider": (
        "S4",
        "wrong",
        with_ledger(orders=(replace(LEDGER.orders[0], currency="USD"),)),
    ),
    "a fraction of a cent": ("S4", "wrong", with_payment(amount=PRICE + 0.5)),
    "a receipt over another amount": (
        "S4",
        "wrong",
        with_books(receipts=(replace(RECEIPT, amount=PRICE - 1),)),
    ),
    "a mail that prints another amount": (
        "S4",
        "wrong",
        replace(RUN, mails=(replace(MAIL, text="Total: ₹123,450\n"),)),
    ),
    "a version that was never said": ("S6", "lost", with_topics(EVENTS[0], *EVENTS[2:])),
    "a version said with two contents": (
        "S6",
        "doubled",
        with_topics(*EVENTS, replace(EVENTS[1], message={**EVENTS[1].message, "id": "other"})),
    ),
    "from paid back to failed": (
        "S6",
        "wrong",
        with_topics(*EVENTS, event("o-1", 4, "failed", "failed", 4)),
    ),
    "a row that moved without a word": ("S6", "wrong", with_payment(status="failed", detail="expired")),
    "announced as paid twice": (
        "S6",
        "doubled",
        with_topics(*EVENTS, event("o-1", 4, "paid", "paid", 4)),
    ),
    "an archived event that is not in the topic": ("S7", "lost", with_topics(*EVENTS[:3])),
    "an event that nobody decided": (
        "S7",
        "wrong",
        with_topics(*RUN.topics, event("o-2", 2, "closed", "failed", 9)),
    ),
    "an event with other bytes": (
        "S7",
        "wrong",
        with_books(outbox=(replace(OUTBOX[0], payload=b"{}"), *OUTBOX[1:])),
    ),
    "the outbox holds a message twice": ("S7", "doubled", again(OUTBOX[0], position=99)),
    "version 3 before version 2": (
        "S8",
        "wrong",
        with_topics(EVENTS[0], replace(EVENTS[3], offset=1), replace(EVENTS[1], offset=3), EVENTS[2]),
    ),
    "a key in two partitions": ("S8", "wrong", with_topics(*EVENTS[:3], replace(EVENTS[3], partition=1))),
    "a message taken twice": ("S9", "doubled", again(BOOKS.inbox[0])),
    "one cause, two captures announced": (
        "S9",
        "doubled",
        with_topics(
            *RUN.topics,
            record("payments.events", 9, "o-1", {**EVENTS[3].message, "id": "other", "version": 4}),
        ),
    ),
    "two documents for one order": ("S9", "doubled", again(RECEIPT, number="R-2026-000002")),
    "an accepted order that is gone": ("S10", "lost", with_books(payments=BOOKS.payments[:1])),
    "an attempt given out and forgotten": ("S10", "lost", with_books(attempts=())),
    "told paid, held as failed": ("S10", "lost", with_payment(status="failed")),
    "cancelled, and open all the same": (
        "S10",
        "lost",
        with_operations(Operation("cancel", "o-2", "ok", {}, 200, {"status": "failed"})),
    ),
    "refused, and held all the same": (
        "S10",
        "wrong",
        replace(RUN, history=(Operation("place", "o-1", "fail", WISH, 422), *RUN.history[2:5])),
    ),
    "an order that nobody placed": ("S10", "wrong", replace(RUN, history=())),
    "held twice after an unknown end": (
        "S10",
        "doubled",
        with_topics(*EVENTS, event("o-1", 4, "created", "created", 4)),
    ),
    "the same question, another answer": (
        "S11",
        "wrong",
        with_operations(
            Operation("create", "o-1", "ok", {}, 200, {"providerOrderId": "order_1", "amount": 1})
        ),
    ),
    "two contents under one order id": (
        "S11",
        "wrong",
        with_operations(Operation("place", "o-1", "ok", {**WISH, "amount": 1}, 200)),
    ),
    "two provider orders given out, one held": (
        "S11",
        "doubled",
        with_operations(Operation("create", "o-1", "ok", {}, 200, {"providerOrderId": "order_2"})),
    ),
    "a webhook answered 200 and not kept": ("S12", "lost", with_books(raw_webhooks=())),
    "a webhook kept twice": ("S12", "doubled", with_books(raw_webhooks=BOOKS.raw_webhooks * 2)),
    "a refused webhook that is kept": (
        "S12",
        "wrong",
        with_ledger(webhooks=(SentWebhook("evt_1", "payment.captured", CAPTURED, "given_up", (400,)),)),
    ),
    "a webhook that the provider never sent": ("S12", "wrong", with_ledger(webhooks=())),
    "a webhook that fits no order": (
        "S12",
        "lost",
        with_books(intents=(*BOOKS.intents, Intent("payments", "match", "match:w-1", 9.0, open=True))),
    ),
    "paid and no mail": ("S13", "lost", replace(RUN, mails=())),
    "paid and no document": ("S13", "lost", with_books(receipts=())),
    "two Message-IDs": (
        "S13",
        "doubled",
        replace(RUN, mails=(MAIL, replace(MAIL, message_id="<other@shop>")), mails_repeated_max=1),
    ),
    "the same mail twice, and no kill to excuse it": ("S13", "doubled", replace(RUN, mails=(MAIL, MAIL))),
    "a receipt for an order that is not paid": (
        "S13",
        "wrong",
        replace(RUN, mails=(MAIL, replace(MAIL, recipients=("o-2@x.example",)))),
    ),
    "a receipt for a stranger": (
        "S13",
        "wrong",
        replace(RUN, mails=(MAIL, Mail("<x@shop>", ("eve@x.example",), "", ""))),
    ),
    "a number given twice": ("S13", "doubled", again(RECEIPT, order_id="o-2")),
    "a gap in the numbers": ("S13", "lost", with_books(receipts=(replace(RECEIPT, number="R-2026-000002"),))),
    "an offset committed before its message": ("S16", "lost", with_books(inbox=BOOKS.inbox[1:])),
    "an event that waits in the outbox": (
        "S23",
        "lost",
        with_books(outbox=(replace(OUTBOX[0], pending=True), *OUTBOX[1:])),
    ),
    "a group that lags": (
        "S23",
        "lost",
        replace(RUN, positions=(Position("notifier.payments.events", "payments.events", 0, 4, 5),)),
    ),
    "a task that nobody does": ("S23", "lost", again(BOOKS.intents[0], due=True)),
    "a parked message": (
        "S23",
        "lost",
        again(BOOKS.inbox[0], message_id="m-9", outcome="parked", place="payments.events/0/9"),
    ),
    "a key without an answer": ("S23", "lost", with_books(unanswered_keys=1)),
    "a transaction that hangs": ("S23", "wrong", with_books(hanging_transactions=1)),
    "created twice at the provider": (
        "S24",
        "doubled",
        with_ledger(calls=(*LEDGER.calls, CREATE), orders=(*LEDGER.orders, ANOTHER_ORDER)),
    ),
    "created again without a look": (
        "S24",
        "wrong",
        with_ledger(calls=(*LEDGER.calls, replace(CREATE, acted=False, result=None))),
    ),
    "called before the intent was written": (
        "S24",
        "wrong",
        with_books(intents=(replace(BOOKS.intents[0], created_at=11.1),)),
    ),
    "an order at the provider that we do not know": (
        "S24",
        "lost",
        with_ledger(orders=(*LEDGER.orders, ANOTHER_ORDER)),
    ),
    "a write that none of our tasks makes": (
        "S24",
        "wrong",
        with_ledger(calls=(*LEDGER.calls, replace(CREATE, path="/v1/payments/pay_1", operation=""))),
    ),
} | BAD_REFUNDS


@pytest.mark.parametrize("run", [clean_run, refunded_run])
def test_a_clean_run_is_clean(run: Callable[[], Evidence]) -> None:
    assert [str(finding) for finding in check(run()).broken] == []


@pytest.mark.parametrize("name", BAD_HISTORIES)
def test_a_bad_history_is_found(name: str) -> None:
    invariant, kind, evidence = BAD_HISTORIES[name]
    findings = {finding.invariant: finding for finding in check(evidence).broken}
    assert invariant in findings, f"found only {list(findings)}"
    assert kind in {violation.kind for violation in findings[invariant].violations}, findings[invariant]


def test_every_invariant_was_seen_to_fail() -> None:
    assert {invariant for invariant, _, _ in BAD_HISTORIES.values()} == set(INVARIANTS)


@pytest.mark.parametrize(
    ("name", "evidence"),
    {
        "a surplus capture that is flagged": replace(
            with_payment(flags=(("duplicate_capture", "pay_2"),)),
            ledger=replace(LEDGER, captures=(*LEDGER.captures, SECOND)),
        ),
        "a second mail that a kill explains": replace(RUN, mails=(MAIL, MAIL), mails_repeated_max=1),
        "an event published twice": with_topics(*RUN.topics, replace(EVENTS[3], offset=4)),
        "a checkpoint, which no outbox holds": with_topics(
            *RUN.topics,
            record(
                "payments.events", 5, "0", {"type": "payments.ledger_checkpoint.v1", "source": "payments"}
            ),
        ),
        "a type that the group may skip": with_topics(*EVENTS, COMMAND, RECEIPT_SENT),
    }.items(),
)
def test_what_is_allowed_is_not_reported(name: str, evidence: Evidence) -> None:
    assert [str(finding) for finding in check(evidence).broken] == [], name


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            ours = [n for n in names if n.split(".")[0] in ("services", "shared", "devstack")]
            assert not ours, f"{path.name} imports {ours}"
