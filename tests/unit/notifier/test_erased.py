"""What the notifier still makes for an order whose customer was erased, and what it no longer keeps."""

from dataclasses import replace

from services.notifier.domain.mailing import on_document_rendered
from services.notifier.domain.results import DocumentRendered
from services.notifier.domain.state import Order
from shared.privacy.customers import blanked
from tests.unit.notifier.examples import (
    EMPTY,
    NOW,
    PAID,
    PLACED,
    SHA256,
    issued,
    play,
    refund_succeeded,
    rendered,
    sheet,
    the_document,
)


def result(order: Order, *, erased: bool) -> DocumentRendered:
    document = the_document(order)
    return DocumentRendered(
        order_id="order-1", document_id=document.id, pdf=b"%PDF-", sha256=SHA256, erased=erased
    )


def test_a_pdf_that_was_being_set_while_its_customer_was_erased_is_set_again() -> None:
    order = replace(issued(), erased=True)
    decision = on_document_rendered(order, result(order, erased=False), NOW)
    assert the_document(decision.state).state == "numbered"
    assert the_document(decision.state).pdf is None
    assert ([task.kind for task in decision.tasks], decision.events) == (["typeset"], ())


def test_a_pdf_made_of_a_blank_content_is_kept_and_mailed_to_nobody() -> None:
    order, _ = play(blanked(PLACED), PAID, order=replace(EMPTY, erased=True))
    assert order.mails == ()
    decision = on_document_rendered(order, result(order, erased=True), NOW)
    assert the_document(decision.state).state == "rendered"
    assert decision.tasks == ()


def test_what_is_due_while_the_content_is_being_blanked_names_nobody() -> None:
    """Who blanks may be past the mails already: nothing new may be written with the address."""
    surplus = refund_succeeded(charge_id="pay_2", refund_id="rf-2")
    order, decisions = play(PLACED, PAID, refund_succeeded(), surplus, order=replace(EMPTY, erased=True))
    assert order.mails == ()
    assert {task.kind for decision in decisions for task in decision.tasks} == {"typeset"}


def test_an_erased_document_is_never_made_again() -> None:
    before = rendered()
    document = replace(the_document(before), state="erased")
    order = replace(before.with_document(document), erased=True)
    for erased in (False, True):
        decision = on_document_rendered(order, result(order, erased=erased), NOW)
        assert (decision.state, decision.outcome) == (order, "ignored")


def test_a_later_refund_still_gets_its_credit_note_without_a_name() -> None:
    order, _ = play(blanked(PLACED), PAID, refund_succeeded(), order=replace(EMPTY, erased=True))
    note = sheet(order, "credit_note")
    assert the_document(order, "credit_note").number == 7
    assert note.total == "₹99.00"
    assert "Asha" not in str(note)
    assert "asha" not in str(note)
