"""The merchant hears of a dispute, and again before its deadline; people send mails again; mails bounce."""

from datetime import timedelta

from services.notifier.domain.disputes import REMINDED_BEFORE
from shared.envelope import now_utc
from shared.messages.notifier import NoticeSent, ReceiptFailed, RecordBounce, ResendDocument, ResendRefused
from tests.integration.notifier.messages import dispute_closed, dispute_opened, kinds, paid, placed
from tests.integration.notifier.sink import Delivered
from tests.integration.notifier.system import MERCHANT, System, eventually

LEAD = REMINDED_BEFORE / 20  # the time scale of these notifiers


def to_merchant(system: System) -> list[Delivered]:
    return system.sink.by_recipient()[MERCHANT]


async def test_a_dispute_reaches_the_merchant_and_again_before_its_deadline(system: System) -> None:
    # The first mail goes, the reminder dies.
    doomed = await system.start(failpoint="tasks.performed:exit@2", lease_s="10")
    deadline = now_utc() + LEAD + timedelta(seconds=3)
    await system.publish(dispute_opened("o-1", respond_by=deadline))
    await system.died(doomed)
    await system.start()
    await system.mails(2, timeout_s=60)
    first, second = to_merchant(system)
    assert first.subject.startswith("Dispute of ₹499.00 for order o-1, answer by")
    assert second.subject.startswith("Reminder: dispute")
    assert first.message_id != second.message_id
    events = (await system.events())["o-1"]
    assert [event.kind for event in events if isinstance(event, NoticeSent)] == [
        "dispute",
        "dispute_reminder",
    ]


async def test_a_dispute_that_is_closed_is_not_reminded_of(system: System) -> None:
    await system.start()
    soon = now_utc() + LEAD + timedelta(seconds=2)
    await system.publish(dispute_opened("o-1", respond_by=soon), dispute_closed("o-1", respond_by=soon))
    later = soon + timedelta(seconds=1)
    await system.publish(dispute_opened("o-2", respond_by=later), dispute_opened("o-2", respond_by=later))
    await system.mails(3)
    subjects = sorted(mail.subject.partition(",")[0] for mail in to_merchant(system))
    assert subjects == [
        "Dispute of ₹499.00 for order o-1",
        "Dispute of ₹499.00 for order o-2",
        "Reminder: dispute of ₹499.00 for order o-2",
    ]
    tasks = await system.rows("SELECT key, outcome FROM tasks WHERE kind = 'remind' ORDER BY key")
    assert [tuple(row) for row in tasks] == [
        ("remind:razorpay/disp_o-1", "dropped"), ("remind:razorpay/disp_o-2", "done")
    ]  # fmt: skip


def resend(nonce: str, **changes: str) -> ResendDocument:
    asked = {"order_id": "o-1", "kind": "receipt", "subject": "payment-o-1", "person": "kiran"} | changes
    return ResendDocument(nonce=nonce, **asked)


async def test_a_receipt_is_sent_again_once_per_nonce(system: System) -> None:
    await system.start()
    await system.publish(placed("o-1"), paid("o-1"))
    await system.mails(1)
    await system.publish(resend("n-1"), resend("n-1"), resend("n-1", kind="credit_note"))

    async def sent_again() -> bool:
        return len(system.sink.taken) == 2 and bool(await system.mails(1))

    await eventually(sent_again)
    await system.publish(resend("n-1"), resend("n-2"))

    async def sent_thrice() -> bool:
        return len(system.sink.taken) == 3 and bool(await system.mails(1))

    await eventually(sent_thrice)
    assert len({mail.message_id for mail in system.sink.taken}) == 3
    assert len({mail.pdf for mail in system.sink.taken}) == 1
    rows = await system.rows("SELECT nonce, person FROM resends ORDER BY nonce")
    assert [tuple(row) for row in rows] == [("n-1", "kiran"), ("n-2", "kiran")]
    (document,) = await system.rows("SELECT number FROM documents")
    assert document["number"] == 1
    events = (await system.events())["o-1"]
    assert sorted(kinds(events)) == ["ReceiptIssued", *["ReceiptSent"] * 3, "ResendRefused"]
    assert [event.kind for event in events if isinstance(event, ResendRefused)] == ["credit_note"]


async def test_a_mail_that_bounced_is_known_and_can_be_sent_again(system: System) -> None:
    await system.start()
    await system.publish(placed("o-1"), paid("o-1"))
    await system.mails(1)
    (mail,) = system.sink.taken
    assert mail.message["X-Order-Id"] == "o-1"
    await system.publish(RecordBounce(order_id="o-1", message_id=mail.message_id, reason="550 no such user"))

    async def bounced() -> bool:
        return bool(await system.rows("SELECT 1 FROM mails WHERE state = 'bounced'"))

    await eventually(bounced)
    failed = (await system.events())["o-1"][-1]
    assert isinstance(failed, ReceiptFailed)
    assert failed.reason == "bounced: 550 no such user"
    await system.publish(resend("n-1"))
    await system.mails(1)
    assert len(system.sink.taken) == 2
