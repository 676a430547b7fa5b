from dataclasses import replace

import msgspec
import pytest

from services.notifier.domain.mailing import (
    on_document_failed,
    on_document_rendered,
    on_mail_deferred,
    on_mail_taken,
)
from services.notifier.domain.results import DocumentFailed, DocumentRendered, MailDeferred, MailTaken
from services.notifier.domain.state import Mail, Order
from shared.messages.base import Event
from shared.messages.notifier import NoticeFailed, ReceiptFailed, RecordBounce, ResendDocument, ResendRefused
from shared.messages.orders import Customer
from tests.unit.notifier.examples import (
    NOW,
    PLACED,
    dispute_opened,
    issued,
    placed,
    play,
    rendered,
    the_document,
    the_mail,
)

RESEND = ResendDocument(
    order_id="order-1", kind="receipt", subject="payment-1", nonce="nonce-1", person="kiran"
)


def taken(mail: Mail) -> MailTaken:
    return MailTaken(order_id="order-1", mail_id=mail.id, message_id=mail.message_id, answer="250 ok")


def sent(order: Order) -> Order:
    return on_mail_taken(order, taken(the_mail(order)), NOW).state


def announced(decision: object) -> list[Event]:
    return [out.message for out in decision.events]  # type: ignore[attr-defined]


def test_a_mail_goes_again_under_a_message_id_of_its_own_on_record_with_the_person() -> None:
    before = sent(rendered())
    order, (decision,) = play(RESEND, order=before)
    mail = the_mail(order)
    assert [task.kind for task in decision.tasks] == ["mail"]
    assert (mail.state, [r.person for r in mail.resends]) == ("waiting", ["kiran"])
    assert mail.message_id == the_mail(before).message_id.replace("@", ".1@")
    order, _ = play(msgspec.structs.replace(RESEND, nonce="nonce-2"), order=order)
    assert the_mail(order).message_id == the_mail(before).message_id.replace("@", ".2@")
    assert the_mail(order).id == the_mail(before).id


def test_a_nonce_counts_once() -> None:
    order, (_, again) = play(RESEND, RESEND, order=sent(rendered()))
    assert (again.outcome, again.tasks) == ("ignored", ())
    assert len(the_mail(order).resends) == 1


def test_an_answer_to_the_mail_before_does_not_settle_the_one_asked_for() -> None:
    before = rendered()
    order, _ = play(RESEND, order=before)
    old = the_mail(before)
    assert on_mail_taken(order, taken(old), NOW).state is order
    later = MailDeferred(
        order_id="order-1", mail_id=old.id, message_id=old.message_id, why="later", answer="450"
    )
    assert on_mail_deferred(order, later, 1.0, NOW).state is order
    assert on_mail_taken(order, taken(the_mail(order)), NOW).outcome == "applied"


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        (rendered(), {"subject": "payment-2"}),
        (rendered(), {"kind": "credit_note"}),
        (issued(), {}),
        (issued(placed(customer=Customer(name="Asha"))), {}),
    ],
)
def test_what_cannot_be_sent_again_is_refused_aloud(order: Order, changes: dict[str, str]) -> None:
    after, (decision,) = play(msgspec.structs.replace(RESEND, **changes), order=order)
    (refused,) = announced(decision)
    assert isinstance(refused, ResendRefused)
    assert refused.nonce == "nonce-1"
    assert (after, decision.tasks) == (order, ())


@pytest.mark.parametrize("email", ["asha@buyer.test", "", "no address"])
def test_a_document_that_could_not_be_made_is_made_again_and_its_mail_follows(email: str) -> None:
    """There is no other way out: its number is given, and no refund or resend makes it."""
    before = issued(placed(customer=Customer(name="Asha", email=email)))
    failed = DocumentFailed(order_id="order-1", document_id=the_document(before).id, reason="a bad template")
    broken = on_document_failed(before, failed, NOW).state
    order, (decision, again) = play(RESEND, RESEND, order=broken)
    assert [task.kind for task in decision.tasks] == ["typeset"]
    assert again.tasks == ()
    assert (the_document(order).state, the_document(order).number) == ("numbered", 7)
    made = DocumentRendered(
        order_id="order-1", document_id=the_document(order).id, pdf=b"%PDF-", sha256="ab" * 32
    )
    rendered_at_last = on_document_rendered(order, made, NOW)
    assert the_document(rendered_at_last.state).state == "rendered"
    assert [task.kind for task in rendered_at_last.tasks] == (["mail"] if "@" in email else [])


def test_a_mail_without_a_document_can_be_sent_again() -> None:
    order, _ = play(PLACED, dispute_opened())
    again = msgspec.structs.replace(RESEND, kind="dispute", subject="razorpay/disp_1")
    _, (decision,) = play(again, order=order)
    assert [task.kind for task in decision.tasks] == ["mail"]


def test_a_bounce_is_final_until_a_person_asks_again() -> None:
    order = sent(rendered())
    bounce = RecordBounce(order_id="order-1", message_id=the_mail(order).message_id, reason="550 unknown")
    bounced, (decision, again) = play(bounce, bounce, order=order)
    (failed,) = announced(decision)
    assert isinstance(failed, ReceiptFailed)
    assert failed.reason == "bounced: 550 unknown"
    assert (the_mail(bounced).state, again.outcome) == ("bounced", "ignored")
    assert on_mail_taken(bounced, taken(the_mail(bounced)), NOW).outcome == "ignored"
    order, _ = play(RESEND, order=bounced)
    assert the_mail(order).state == "waiting"


def test_a_bounce_of_the_merchants_mail_is_a_notice_that_failed() -> None:
    order, _ = play(dispute_opened())
    bounce = RecordBounce(order_id="order-1", message_id=the_mail(order, "dispute").message_id, reason="full")
    _, (decision,) = play(bounce, order=order)
    (failed,) = announced(decision)
    assert isinstance(failed, NoticeFailed)


def test_a_bounce_of_an_unknown_mail_changes_nothing() -> None:
    order = sent(rendered())
    _, (decision,) = play(RecordBounce(order_id="order-1", message_id="<x@y>", reason=""), order=order)
    assert decision.outcome == "ignored"
    assert replace(order) == order


def test_a_mail_of_an_erased_customer_is_not_sent_again() -> None:
    before = sent(rendered())
    blank = before.with_mail(replace(the_mail(before), recipient=""))
    order, (decision,) = play(RESEND, order=replace(blank, erased=True))
    (said,) = announced(decision)
    assert isinstance(said, ResendRefused)
    assert said.reason == "its customer was erased: there is no address any more"
    assert decision.tasks == ()
    assert the_mail(order).state == "sent"


def test_what_is_told_of_a_bounce_does_not_repeat_the_address() -> None:
    """In whatever spelling, also one it was forwarded to, and when its customer is erased already."""
    before = sent(rendered())
    blank = replace(before.with_mail(replace(the_mail(before), recipient="")), erased=True)
    reason = "550 5.1.1 <Asha@Buyer.TEST>, forwarded to:asha.rao@home.test, unknown"
    bounce = RecordBounce(order_id="order-1", message_id=the_mail(before).message_id, reason=reason)
    for known in (before, blank):
        order, (decision,) = play(bounce, order=known)
        (said,) = announced(decision)
        assert isinstance(said, ReceiptFailed)
        assert said.reason == "bounced: 550 5.1.1 <<address>>, forwarded to:<address>, unknown"
        assert the_mail(order).last_answer in said.reason


def test_a_mail_to_no_address_is_not_tried_again() -> None:
    order = issued(placed(customer=Customer(name="Asha", email="asha at buyer.test")))
    (decision,) = play(RESEND, order=order)[1]
    (said,) = announced(decision)
    assert isinstance(said, ResendRefused)
    assert said.reason == "the address it was ordered with is none that mails go to"
    assert decision.tasks == ()
