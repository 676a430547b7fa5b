"""The mail server away, slow or refusing; the process killed; messages that cannot be read."""

import re

import pytest

from shared.envelope import encode
from shared.kafka import ORDERS_EVENTS, PAYMENTS_EVENTS
from shared.messages.notifier import ReceiptFailed
from shared.messages.orders import Customer
from tests.integration.notifier.messages import envelope, kinds, paid, placed
from tests.integration.notifier.sink import Delivered
from tests.integration.notifier.system import System, eventually


def number_in(mail: Delivered) -> str:
    found = re.search(r"R-\d{4}-\d{6}", mail.message["Subject"])
    assert found
    return found[0]


async def test_killed_after_the_mail_left_sends_the_same_mail_again(system: System) -> None:
    """The one point where a mail can go out twice: same number, same Message-ID, same PDF, one event."""
    doomed = await system.start(failpoint="notifier.after_smtp:exit@1", lease_s="10")
    await system.publish(placed("o-1"), paid("o-1"))
    await system.died(doomed)
    assert len(system.sink.taken) == 1
    await system.start()
    await system.mails(1, timeout_s=60)  # the lease of the dead process has to end first
    first, second = system.sink.taken
    assert first.message_id == second.message_id
    assert number_in(first) == number_in(second)
    assert first.pdf == second.pdf
    assert kinds((await system.events())["o-1"]) == ["ReceiptIssued", "ReceiptSent"]


@pytest.mark.parametrize("where", ["notifier.before_db_commit", "notifier.after_db_commit"])
async def test_killed_around_the_claim_leaves_no_gap_and_no_second_number(system: System, where: str) -> None:
    doomed = await system.start(failpoint=f"{where}:exit@2")
    await system.publish(placed("o-1"), paid("o-1"))
    await system.died(doomed)
    await system.start()
    await system.publish(placed("o-2"), paid("o-2"))
    await system.mails(2, timeout_s=60)
    assert {number_in(mail)[-6:] for mail in system.sink.taken} == {"000001", "000002"}
    assert len(system.sink.taken) == 2


async def test_a_connection_cut_after_the_text_sends_the_same_mail_again(system: System) -> None:
    system.sink.cut_after_data = 1
    await system.start()
    await system.publish(placed("o-1"), paid("o-1"))
    await system.mails(1)
    first, second = system.sink.taken
    assert (first.message_id, number_in(first)) == (second.message_id, number_in(second))
    assert kinds((await system.events())["o-1"]) == ["ReceiptIssued", "ReceiptSent"]


async def test_mails_wait_for_a_server_that_is_away(system: System) -> None:
    await system.sink.close()
    await system.start()
    orders = [f"o-{n}" for n in range(10)]
    for order in orders:
        await system.publish(placed(order), paid(order))

    async def all_tried() -> bool:
        rows = await system.rows("SELECT last_answer FROM mails WHERE state = 'deferred' AND attempts >= 2")
        return len(rows) == len(orders)

    await eventually(all_tried)
    await system.sink.open()
    await system.mails(len(orders))
    assert {len(mails) for mails in system.sink.by_recipient().values()} == {1}
    found = await system.events()
    assert {tuple(kinds(found[order])) for order in orders} == {("ReceiptIssued", "ReceiptSent")}


async def test_one_refused_recipient_is_parked_and_a_greylisted_one_waits_while_others_flow(
    system: System,
) -> None:
    system.sink.rcpt_answers["gone@buyer.test"] = ["550 5.1.1 <gone@buyer.test> unknown"] * 9
    system.sink.rcpt_answers["grey@buyer.test"] = ["450 4.2.0 greylisted"] * 2
    await system.start()
    await system.publish(
        placed("gone", customer=Customer(email="gone@buyer.test")), paid("gone"),
        placed("grey", customer=Customer(email="grey@buyer.test")), paid("grey"),
        placed("odd", customer=Customer(email="a@b.test\r\nBcc: thief@x.test")), paid("odd"),
        placed("fine"), paid("fine"),
    )  # fmt: skip
    await system.mails(2)
    assert [mail.recipient for mail in system.sink.taken] == ["fine@buyer.test", "grey@buyer.test"]
    assert len(system.sink.rcpt_answers["gone@buyer.test"]) == 8
    mails = {row["message_id"]: row for row in await system.rows("SELECT * FROM mails")}
    assert sorted(row["state"] for row in mails.values()) == ["parked", "parked", "sent", "sent"]
    found = await system.events()
    assert kinds(found["gone"]) == kinds(found["odd"]) == ["ReceiptIssued", "ReceiptFailed"]
    failed = found["gone"][1]
    assert isinstance(failed, ReceiptFailed)
    assert failed.reason == "550 5.1.1 <<address>> unknown"


async def test_messages_that_cannot_be_read_are_parked_and_others_go_on(system: System) -> None:
    await system.start()
    good = encode(envelope(placed("o-1")))
    bad: list[tuple[bytes, bytes]] = [
        (b"o-1", b""), (b"o-1", b"\xff\xfe"), (b"o-1", b"not json"), (b"o-1", b"[" * 100_000),
        (b"o-1", good.replace(b"Asha", b"A\\u0000")), (b"other", good),
        (b"o-1", good.replace(b"49900", b'"49900"')),
    ]  # fmt: skip
    for key, value in bad:
        await system.send_raw(ORDERS_EVENTS, key, value)
    negative = envelope(placed("o-2", revision=-1))
    await system.send(negative)
    await system.send_raw(PAYMENTS_EVENTS, b"o-1", b'{"type": 7}')
    await system.publish(placed("o-1"), paid("o-1"))
    await system.mails(1)

    async def all_parked() -> bool:
        return len(await system.rows("SELECT 1 FROM inbox WHERE outcome = 'parked'")) == len(bad) + 2

    await eventually(all_parked)
    assert await system.rows("SELECT 1 FROM inbox WHERE outcome = 'parked' AND error = ''") == []
    assert len(system.sink.taken) == 1
