from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.domain.issuing import on_order_placed, on_payment_paid
from services.notifier.domain.state import Order, document_id, number_text
from shared.messages.orders import Customer, OrderPlaced
from shared.messages.payments import PaymentPaid
from tests.unit.notifier.examples import EMPTY, NOW, PAID, PLACED, RULES, paid, placed, the_document


def play(*messages: OrderPlaced | PaymentPaid) -> tuple[Order, list[str]]:
    """The end state and the keys of all tasks that were asked for."""
    order, tasks = EMPTY, list[str]()
    for message in messages:
        if isinstance(message, PaymentPaid):
            decision = on_payment_paid(order, message, RULES, NOW)
        else:
            decision = on_order_placed(order, message, RULES, NOW)
        order = decision.state
        tasks += [task.key for task in decision.tasks]
    return order, tasks


def test_a_paid_order_gets_a_document_and_the_task_that_makes_it() -> None:
    order, tasks = play(PLACED, PAID)
    document = the_document(order)
    assert (document.kind, document.subject, document.revision) == ("receipt", "payment-1", 1)
    assert tasks == [f"typeset:{document.id}"]
    assert not order.waits


def test_a_payment_whose_order_was_not_seen_waits_for_it() -> None:
    waiting, nothing = play(PAID)
    assert waiting.waits
    assert nothing == []
    order, tasks = play(PAID, PLACED)
    assert len(order.documents) == len(tasks) == 1
    assert not order.waits


@given(
    st.lists(st.sampled_from([PLACED, placed(revision=2, amount=52_000), paid(revision=2, amount=52_000)]))
)
def test_any_order_and_repetition_ends_in_at_most_one_document(
    events: list[OrderPlaced | PaymentPaid],
) -> None:
    second, payment = placed(revision=2, amount=52_000), paid(revision=2, amount=52_000)
    _, tasks = play(*events)
    assert len(tasks) == int(second in events and payment in events)
    order, all_tasks = play(*events, PLACED, second, payment)
    assert len(all_tasks) == 1
    assert the_document(order).revision == 2


def test_the_revision_that_the_payment_names_is_printed_not_the_newest() -> None:
    order, _ = play(PLACED, placed(revision=2, customer=Customer(email="other@buyer.test")), PAID)
    document = the_document(order)
    assert document.revision == 1
    assert document.mail is not None
    assert document.mail.recipient == "asha@buyer.test"


def test_content_without_a_number_is_not_printed() -> None:
    order, tasks = play(placed(revision=None), PAID)
    assert order.waits
    assert tasks == []


@pytest.mark.parametrize("other", [{"amount": 50_000}, {"currency": "USD"}])
def test_content_of_another_amount_is_never_printed(other: dict[str, object]) -> None:
    order, tasks = play(placed(**other), PAID)
    assert order.waits
    assert tasks == []


def test_an_order_without_e_mail_gets_its_document_and_no_mail() -> None:
    order, tasks = play(placed(customer=Customer(name="Asha")), PAID)
    assert the_document(order).mail is None
    assert len(tasks) == 1


def test_the_year_in_the_number_is_the_shops_own() -> None:
    new_year_in_kolkata = datetime(2025, 12, 31, 19, 0, tzinfo=UTC)
    order, _ = play(PLACED, paid(paid_at=new_year_in_kolkata))
    assert the_document(order).series == "R-2026"
    assert number_text("R-2026", 42) == "R-2026-000042"


def test_the_document_id_depends_on_payment_kind_and_subject_alone() -> None:
    order, _ = play(PLACED, PAID)
    assert the_document(order).id == document_id("payment-1", "receipt", "payment-1")
    assert document_id("payment-2", "receipt", "payment-2") != the_document(order).id
