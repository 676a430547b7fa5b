"""The notifier killed at every commit, publish and send, with all kinds of documents and mails under way."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from services.notifier.domain.disputes import REMINDED_BEFORE
from shared.envelope import Envelope, encode, now_utc
from shared.kafka import NOTIFIER_COMMANDS, PAYMENTS_EVENTS
from shared.messages.notifier import ReceiptIssued, ResendDocument
from tests.integration.notifier.messages import (
    dispute_opened,
    envelope,
    kinds,
    paid,
    placed,
    refund_failed,
    refund_succeeded,
)
from tests.integration.notifier.system import System, eventually

# Where it dies while one order's receipt, credit note, cancellation, dispute and reminder are under way.
POINTS = (
    "tasks.claimed/typeset@2",
    "notifier.before_result_commit/DocumentRendered@1",
    "notifier.after_smtp@1",
    "notifier.before_result_commit/MailTaken@2",
    "notifier.after_result_commit/MailTaken@1",
    "tasks.claimed/remind@1",
    "relay.before_publish@2",
    "relay.after_publish@1",
)  # the commit of the claim: test_faults and test_refunds
ONE_AT_A_TIME = {"smtp__connections": "1"}  # so that a death can interrupt one mail, and repeat one
ALIVE_AFTER = 2  # deaths in a row: after the third the message is parked, as one that kills
MAILS = 4  # receipt, credit note, cancellation, dispute; and the reminder of one that is heard of in time


def happenings(order_id: str) -> list[Envelope]:
    """A payment that went wrong in every way: refunded, not refunded after all, disputed with little time."""
    soon = now_utc() + REMINDED_BEFORE / 20 + timedelta(seconds=8)  # their time scale; time to start anew
    messages = (
        placed(order_id), paid(order_id), refund_succeeded(order_id), refund_failed(order_id),
        dispute_opened(order_id, respond_by=soon),
    )  # fmt: skip
    return [envelope(message) for message in messages]


async def time_passes(system: System) -> None:
    """The leases of the dead end, as they would in half a minute."""
    await system.execute("UPDATE tasks SET lease_until = now() WHERE lease_until IS NOT NULL")
    await system.execute("UPDATE leases SET until = now()")


async def all_sent(system: System, orders: Sequence[str]) -> Counter[str]:
    """How many mails each order has in the end, once they are sent."""

    async def sent() -> Counter[str]:
        mails = await system.rows("SELECT order_id FROM mails WHERE state = 'sent'")
        reminders = await system.rows("SELECT subject FROM tasks WHERE kind = 'remind'")
        due = Counter(row["subject"] for row in reminders) + Counter(dict.fromkeys(orders, MAILS))
        return due if Counter(row["order_id"] for row in mails) == due else Counter()

    return await eventually(sent, 60)


async def test_killed_anywhere_it_makes_each_document_and_mail_once(system: System) -> None:
    told: list[Envelope] = []
    orders = [f"o-{n}" for n in range(len(POINTS))]
    for order_id, point in zip(orders, POINTS, strict=True):
        name, _, count = point.partition("@")
        doomed = await system.start(failpoint=f"{name}:exit@{count}", **ONE_AT_A_TIME)
        for message in happenings(order_id):
            told.append(message)
            await system.send(message)
        await system.died(doomed)
        await time_passes(system)
        if order_id in orders[ALIVE_AFTER - 1 :: ALIVE_AFTER]:
            await lives_for_a_while(system, 3 * (orders.index(order_id) + 1))
    await system.start()
    due = await all_sent(system, orders)
    assert due[orders[POINTS.index("tasks.claimed/remind@1")]] == MAILS + 1

    documents = await system.rows("SELECT series, number, order_id, kind FROM documents ORDER BY 1, 2")
    for series in {row["series"] for row in documents}:
        numbers = [row["number"] for row in documents if row["series"] == series]
        assert numbers == list(range(1, len(orders) + 1)), series
    made = Counter((row["order_id"], row["kind"]) for row in documents)
    assert made == Counter((o, k) for o in orders for k in ("receipt", "credit_note", "cancellation"))
    copies = Counter(mail.message_id for mail in system.sink.taken)
    assert len(copies) == due.total()
    assert sum(copies.values()) - len(copies) <= len(POINTS), "at most one repeat for each death"
    for message_id in copies:
        same = [mail for mail in system.sink.taken if mail.message_id == message_id]
        assert len({(m.subject, m.recipient, m.message.get_content_type()) for m in same}) == 1
    await each_event_once(system, due)
    await resent_once(system, orders)
    await told_again(system, told)


async def lives_for_a_while(system: System, documents: int) -> None:
    """Until all that was told has its documents; then it is stopped in order."""
    healthy = await system.start()

    async def made() -> bool:
        return len(await system.rows("SELECT 1 FROM documents WHERE state = 'rendered'")) == documents

    await eventually(made)
    healthy.terminate()
    await asyncio.to_thread(healthy.wait, 30)


async def each_event_once(system: System, due: Counter[str]) -> None:
    found = await system.events()
    for order_id, mails in due.items():
        wanted = {"ReceiptIssued": 3, "ReceiptSent": 3, "NoticeSent": mails - 3}
        assert Counter(kinds(found[order_id])) == wanted
    issued = [e.number for events in found.values() for e in events if isinstance(e, ReceiptIssued)]
    assert len(issued) == len(set(issued)) == 3 * len(due)


async def resent_once(system: System, orders: Sequence[str]) -> None:
    """A person asks for two documents again, each asked for twice; it dies when the first has left."""
    before = Counter(mail.message_id for mail in system.sink.taken)
    for process in system.running:
        process.kill()
        process.wait()
    await time_passes(system)
    doomed = await system.start(failpoint="notifier.after_smtp:exit@1", **ONE_AT_A_TIME)
    subjects = {"credit_note": f"rf-{orders[0]}", "cancellation": f"rf-{orders[0]}"}
    for kind, subject in subjects.items():
        asked = ResendDocument(order_id=orders[0], kind=kind, subject=subject, nonce="n-1", person="kiran")
        await system.publish(asked, asked)
    await system.died(doomed)
    await time_passes(system)
    await system.start()

    async def sent_again() -> bool:
        new = Counter(mail.message_id for mail in system.sink.taken) - before
        sent = await system.rows("SELECT 1 FROM mails WHERE message_id LIKE '%.1@%' AND state = 'sent'")
        return len(sent) == len(subjects) == len(new)

    await eventually(sent_again, 60)
    new = Counter(mail.message_id for mail in system.sink.taken) - before
    assert sum(new.values()) <= len(subjects) + 1
    assert len(await system.rows("SELECT 1 FROM resends")) == len(subjects)


async def told_again(system: System, told: Sequence[Envelope]) -> None:
    """Everything redelivered, and messages of a later release: nobody gets a mail, all of it is counted."""
    mails, numbers = len(system.sink.taken), await system.rows("SELECT * FROM document_series ORDER BY 1")
    for message in told:
        await system.send(message)
    later = encode(told[1]).replace(b"payments.payment_paid.v1", b"payments.payment_paid.v2")
    await system.send_raw(
        PAYMENTS_EVENTS, told[1].subject.encode(), later.replace(told[1].id.encode(), b"v-2")
    )
    command = b"notifier.resend_document.v2"
    later = later.replace(b"payments.payment_paid.v2", command).replace(told[1].id.encode(), b"c-2")
    await system.send_raw(NOTIFIER_COMMANDS, told[1].subject.encode(), later)
    await system.publish(placed("last"), paid("last"))
    await all_sent_to(system, "last@buyer.test")

    async def parked() -> bool:
        rows = await system.rows("SELECT error FROM inbox WHERE outcome = 'parked' ORDER BY error")
        return [row["error"].partition(":")[0] for row in rows] == ["unknown-command", "unknown-version"]

    await eventually(parked)
    assert len(system.sink.taken) == mails + 1
    after = await system.rows("SELECT * FROM document_series ORDER BY 1")
    assert [r["last_number"] - b["last_number"] for r, b in zip(after, numbers, strict=True)] == [0, 1, 0]


async def all_sent_to(system: System, recipient: str) -> None:
    async def sent() -> bool:
        return len(system.sink.by_recipient()[recipient]) == 1

    await eventually(sent, 60)
