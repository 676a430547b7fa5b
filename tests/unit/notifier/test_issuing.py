from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.state import Order, natural_id, number_text, series_of
from shared.decision import Decision
from shared.messages.base import Message
from shared.messages.orders import Customer, OrderPlaced
from shared.messages.payments import ChargeView, PaymentPaid
from tests.unit.notifier.examples import (
    PAID,
    PLACED,
    RULES,
    dispute_closed,
    dispute_opened,
    dispute_updated,
    paid,
    placed,
    play,
    printed,
    refund_failed,
    refund_succeeded,
    the_document,
    the_mail,
)


def tasks_of(decisions: list[Decision[Order]]) -> list[str]:
    return [task.key for decision in decisions for task in decision.tasks]


def test_a_paid_order_gets_a_document_and_the_task_that_makes_it() -> None:
    order, decisions = play(PLACED, PAID)
    document = the_document(order)
    assert (document.kind, document.subject, document.revision) == ("receipt", "payment-1", 1)
    assert tasks_of(decisions) == [f"typeset:{document.id}"]
    assert not order.waits


def test_a_payment_whose_order_was_not_seen_waits_for_it() -> None:
    waiting, nothing = play(PAID)
    assert waiting.waits
    assert tasks_of(nothing) == []
    order, decisions = play(PAID, PLACED)
    assert len(order.documents) == len(tasks_of(decisions)) == 1
    assert not order.waits


@given(
    st.lists(st.sampled_from([PLACED, placed(revision=2, amount=52_000), paid(revision=2, amount=52_000)]))
)
def test_any_order_and_repetition_ends_in_at_most_one_document(
    events: list[OrderPlaced | PaymentPaid],
) -> None:
    second, payment = placed(revision=2, amount=52_000), paid(revision=2, amount=52_000)
    _, decisions = play(*events)
    assert len(tasks_of(decisions)) == int(second in events and payment in events)
    order, decisions = play(*events, PLACED, second, payment)
    assert len(tasks_of(decisions)) == 1
    assert the_document(order).revision == 2


def test_the_revision_that_the_payment_names_is_printed_not_the_newest() -> None:
    order, _ = play(PLACED, placed(revision=2, customer=Customer(email="other@buyer.test")), PAID)
    assert the_document(order).revision == 1
    assert the_mail(order).recipient == "asha@buyer.test"


def test_content_without_a_number_is_not_printed() -> None:
    order, decisions = play(placed(revision=None), PAID)
    assert order.waits
    assert tasks_of(decisions) == []


@pytest.mark.parametrize("other", [{"amount": 50_000}, {"currency": "USD"}])
def test_content_of_another_amount_is_never_printed(other: dict[str, object]) -> None:
    order, decisions = play(placed(**other), PAID)
    assert order.waits
    assert tasks_of(decisions) == []


def test_an_order_without_e_mail_gets_its_document_and_no_mail() -> None:
    order, decisions = play(placed(customer=Customer(name="Asha")), PAID)
    assert order.mails == ()
    assert len(tasks_of(decisions)) == 1


def test_the_year_in_the_number_is_the_shops_own() -> None:
    new_year_in_kolkata = datetime(2025, 12, 31, 19, 0, tzinfo=UTC)
    order, _ = play(PLACED, paid(paid_at=new_year_in_kolkata))
    assert the_document(order).series == "R-2026"
    assert number_text("R-2026", 42) == "R-2026-000042"


@pytest.mark.parametrize(
    ("day", "starts", "series"),
    [
        ("2026-03-31", (4, 1), "R-2025-26"), ("2026-04-01", (4, 1), "R-2026-27"),
        ("2099-12-31", (7, 1), "R-2099-00"), ("2026-12-31", (1, 1), "R-2026"),
    ],
)  # fmt: skip
def test_a_fiscal_year_has_a_series_of_its_own(day: str, starts: tuple[int, int], series: str) -> None:
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    assert series_of("R", at, UTC, starts) == series


def test_the_natural_id_depends_on_payment_kind_and_subject_alone() -> None:
    order, _ = play(PLACED, PAID)
    assert the_document(order).id == natural_id("payment-1", "receipt", "payment-1")
    assert natural_id("payment-2", "receipt", "payment-2") != the_document(order).id


def test_what_the_setting_said_when_it_was_paid_is_issued() -> None:
    invoiced, _ = play(PLACED, PAID, rules=replace(RULES, issues="invoice"))
    assert [d.kind for d in invoiced.documents] == ["invoice"]
    later, _ = play(refund_succeeded(), order=invoiced, rules=replace(RULES, issues="off"))
    assert [d.kind for d in later.documents] == ["invoice", "credit_note"]


def test_a_shop_that_invoices_itself_gets_no_document_even_after_it_changes_its_mind() -> None:
    order, decisions = play(PLACED, PAID, refund_succeeded(), rules=replace(RULES, issues="off"))
    order, more = play(refund_failed(), order=order)
    assert (order.documents, order.mails, tasks_of(decisions + more)) == ((), (), [])
    assert not order.waits


# --- refunds ------------------------------------------------------------------------------------------------


def test_a_refund_gets_a_credit_note_and_its_failure_a_cancellation() -> None:
    order, _ = play(PLACED, PAID, refund_succeeded(), refund_failed())
    assert [(d.kind, d.subject, d.series) for d in order.documents] == [
        ("receipt", "payment-1", "R-2026"), ("credit_note", "rf-1", "C-2026"),
        ("cancellation", "rf-1", "X-2026"),
    ]  # fmt: skip
    assert [m.kind for m in order.mails] == ["receipt", "credit_note", "cancellation"]


def test_success_told_after_failure_brings_both_documents() -> None:
    order, _ = play(PLACED, PAID, refund_succeeded(state="failed"))
    assert [d.kind for d in order.documents] == ["receipt", "credit_note", "cancellation"]


def test_a_refund_that_never_succeeded_is_no_document() -> None:
    order, _ = play(PLACED, PAID, refund_failed())
    assert [d.kind for d in order.documents] == ["receipt"]


def test_a_capture_that_never_stood_is_not_credited_but_its_buyer_is_told() -> None:
    surplus = refund_succeeded(charge_id="pay_2", amount=49_900)
    order, _ = play(PLACED, PAID, surplus)
    assert [d.kind for d in order.documents] == ["receipt"]
    assert the_mail(order, "surplus_refund").recipient == "asha@buyer.test"
    order, _ = play(refund_failed(charge_id="pay_2"), order=order)
    assert [m.kind for m in order.mails] == ["receipt", "surplus_refund", "surplus_refund_failed"]


def test_money_returned_for_a_content_not_seen_waits_for_it() -> None:
    order, decisions = play(refund_succeeded(charge_id="pay_2"))
    assert order.waits
    assert tasks_of(decisions) == []
    order, decisions = play(PLACED, order=order)
    assert not order.waits
    assert tasks_of(decisions) == [f"mail:{the_mail(order, 'surplus_refund').id}"]


def test_the_invoice_is_about_what_was_captured() -> None:
    charge = ChargeView(
        charge_id="pay_1", provider="razorpay", account="acc_1", provider_order_id="order_P1",
        state="captured", amount=30_000, currency="INR",
    )  # fmt: skip
    order, _ = play(PLACED, paid(charges=(charge,)))
    assert order.paid is not None
    assert order.paid.captured == 30_000


FACTS: tuple[Message, ...] = (
    PLACED,
    PAID,
    refund_succeeded(),
    refund_failed(),
    refund_succeeded(refund_id="rf-2", amount=10_000),
    refund_succeeded(refund_id="rf-3", charge_id="pay_2"),
    refund_failed(refund_id="rf-3", charge_id="pay_2"),
    refund_failed(refund_id="rf-4"),
    dispute_opened(),
    dispute_updated(state="under_review"),
    dispute_closed(),
    dispute_opened(dispute_id="disp_2", state="lost"),
)


def end_of(order: Order, decisions: list[Decision[Order]]) -> dict[str, object]:
    """What a reader of the end can tell: documents, mails, and what was asked for, each once or more."""
    sheets = {(d.kind, d.subject): printed(order, d).total for d in order.documents}
    asked = Counter(task for task in tasks_of(decisions) if not task.startswith("remind:"))
    return {
        "documents": {(d.id, d.kind, d.subject, d.series, d.revision) for d in order.documents},
        "totals": sheets,
        "mails": {(m.id, m.kind, m.subject, m.recipient, m.message_id, m.state) for m in order.mails},
        "facts": (order.paid, order.refunds, order.disputes, order.waits),
        "asked": asked,
    }


@given(st.permutations(FACTS), st.lists(st.sampled_from(FACTS)))
def test_any_order_and_repetition_of_events_ends_in_the_same_documents_and_mails(
    facts: list[Message], again: list[Message]
) -> None:
    expected = end_of(*play(*FACTS))
    assert Counter(d.kind for d in play(*FACTS)[0].documents) == {
        "receipt": 1, "credit_note": 2, "cancellation": 1
    }  # fmt: skip
    assert end_of(*play(*facts, *again)) == expected
