from datetime import timedelta
from itertools import pairwise

import pytest

from services.notifier.domain.addresses import PAUSES, is_address, pause_s
from services.notifier.domain.mailing import (
    GIVE_UP,
    on_document_failed,
    on_document_rendered,
    on_mail_deferred,
    on_mail_refused,
    on_mail_taken,
)
from services.notifier.domain.results import (
    DocumentFailed,
    DocumentRendered,
    MailDeferred,
    MailRefused,
    MailTaken,
)
from services.notifier.domain.state import Order
from shared.messages.notifier import ReceiptFailed, ReceiptIssued, ReceiptSent
from shared.messages.orders import Customer
from tests.unit.notifier.examples import NOW, SHA256, issued, placed, rendered, the_document, the_mail


def the_pdf(order: Order) -> DocumentRendered:
    return DocumentRendered(
        order_id="order-1", document_id=the_document(order).id, pdf=b"%PDF-", sha256=SHA256
    )


def taken(order: Order) -> MailTaken:
    mail = the_mail(order)
    return MailTaken(order_id="order-1", mail_id=mail.id, message_id=mail.message_id, answer="250 queued")


def deferred(order: Order) -> MailDeferred:
    mail = the_mail(order)
    return MailDeferred(
        order_id="order-1", mail_id=mail.id, message_id=mail.message_id, why="later", answer="450 greylisted"
    )


def refused(order: Order) -> MailRefused:
    mail = the_mail(order)
    return MailRefused(order_id="order-1", mail_id=mail.id, message_id=mail.message_id, answer="550 unknown")


def test_a_made_document_is_announced_with_its_number_and_its_mail_goes() -> None:
    before = issued()
    decision = on_document_rendered(before, the_pdf(before), NOW)
    event = decision.events[0].message
    assert isinstance(event, ReceiptIssued)
    assert (event.number, event.sha256, event.subject) == ("R-2026-000007", SHA256, "payment-1")
    assert [task.kind for task in decision.tasks] == ["mail"]


def test_a_document_made_twice_is_announced_once() -> None:
    order = rendered()
    decision = on_document_rendered(order, the_pdf(order), NOW)
    assert decision.state is order
    assert decision.events == ()
    assert decision.tasks == ()


def test_an_address_that_cannot_be_used_is_parked_and_announced_with_the_document() -> None:
    before = issued(placed(customer=Customer(email="a@b.test\r\nBcc: x@y.test")))
    assert the_mail(before).state == "parked"
    decision = on_document_rendered(before, the_pdf(before), NOW)
    assert [type(out.message) for out in decision.events] == [ReceiptIssued, ReceiptFailed]
    assert decision.tasks == ()


def test_a_document_that_cannot_be_made_is_for_a_person() -> None:
    before = issued()
    result = DocumentFailed(order_id="order-1", document_id=the_document(before).id, reason="broken")
    decision = on_document_failed(before, result, NOW)
    assert the_document(decision.state).state == "failed"
    assert isinstance(decision.events[0].message, ReceiptFailed)


def test_a_mail_that_was_taken_twice_is_announced_once_under_one_message_id() -> None:
    order = rendered()
    first = on_mail_taken(order, taken(order), NOW)
    event = first.events[0].message
    assert isinstance(event, ReceiptSent)
    assert event.message_id == the_mail(order).message_id
    assert first.dropped == (f"mail:{the_document(order).id}",)
    assert on_mail_taken(first.state, taken(order), NOW).events == ()


def test_a_deferred_mail_is_tried_again_and_says_nothing() -> None:
    order = rendered()
    decision = on_mail_deferred(order, deferred(order), 1.0, NOW)
    mail = the_mail(decision.state)
    assert (mail.state, mail.attempts, mail.last_answer) == ("deferred", 1, "450 greylisted")
    assert decision.tasks[0].delay_s == pause_s(mail.message_id, "later", 1, 1.0)
    assert decision.events == ()


def test_a_mail_that_is_deferred_for_days_is_given_up() -> None:
    order = rendered()
    still = on_mail_deferred(order, deferred(order), 1.0, NOW + GIVE_UP)
    assert the_mail(still.state).state == "deferred"
    decision = on_mail_deferred(order, deferred(order), 1.0, NOW + GIVE_UP + timedelta(seconds=1))
    assert the_mail(decision.state).state == "parked"
    assert decision.tasks == ()
    assert isinstance(decision.events[0].message, ReceiptFailed)


def test_a_refused_mail_is_parked_with_the_servers_answer() -> None:
    order = rendered()
    decision = on_mail_refused(order, refused(order), NOW)
    assert the_mail(decision.state).state == "parked"
    event = decision.events[0].message
    assert isinstance(event, ReceiptFailed)
    assert event.reason == "550 unknown"


def test_sent_stays_sent_whatever_a_late_worker_says() -> None:
    order = rendered()
    sent = on_mail_taken(order, taken(order), NOW).state
    assert on_mail_deferred(sent, deferred(order), 1.0, NOW).state is sent
    assert on_mail_refused(sent, refused(order), NOW).state is sent


def test_a_late_acceptance_overrules_a_refusal() -> None:
    order = rendered()
    parked = on_mail_refused(order, refused(order), NOW).state
    decision = on_mail_taken(parked, taken(order), NOW)
    assert the_mail(decision.state).state == "sent"
    assert isinstance(decision.events[0].message, ReceiptSent)


@pytest.mark.parametrize("why", ["away", "unclear", "later"])
def test_pauses_grow_to_a_cap_differ_between_mails_and_follow_the_time_scale(why: str) -> None:
    cap = PAUSES[why].cap_s
    middles = [pause_s("<m@x>", why, attempt, 1.0) for attempt in range(1, 40)]
    assert all(p <= 1.25 * cap for p in middles)
    assert all(later > earlier / 2 for earlier, later in pairwise(middles))
    assert max(middles) > 0.7 * cap
    assert len({pause_s(f"<{n}@x>", why, 3, 1.0) for n in range(20)}) > 10
    assert pause_s("<m@x>", why, 5, 10.0) == pytest.approx(middles[4] / 10)


@pytest.mark.parametrize(
    "address",
    ["a@b.test", "first.last+tag@sub.domain.test", "o'neil@x.test", "a@münchen.test", "root@localhost"],
)
def test_one_plain_address_is_an_address(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "@b.test", "a@", "a b@c.test", "a@b.test,c@d.test", "a@b.test;c@d.test",
        "a@b.test\r\nBcc: x@y.test",
        "a@b.test\n", '"a b"@c.test', "<a@b.test>", "a@b@c.test", "a..b@c.test", ".a@b.test", "a.@b.test",
        "a@-b.test", "a@b..test", "x" * 65 + "@b.test", "a@" + "b" * 260 + ".test", "a@[127.0.0.1]",
        "ä@b.test", "a@b.test\0",
    ],
)  # fmt: skip
def test_anything_else_is_not(text: str) -> None:
    assert not is_address(text)
