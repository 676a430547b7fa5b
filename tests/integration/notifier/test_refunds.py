"""Credit notes, their cancellations, and money that was not needed: through Kafka, PostgreSQL and SMTP."""

import asyncio
import random
import re
from collections import Counter
from hashlib import sha256

import pytest

from shared.envelope import now_utc
from shared.messages.notifier import ReceiptIssued
from shared.messages.orders import Customer
from shared.messages.payments import ChargeView
from tests.integration.notifier.messages import (
    Sent,
    envelope,
    kinds,
    paid,
    placed,
    refund_failed,
    refund_succeeded,
)
from tests.integration.notifier.sink import Delivered
from tests.integration.notifier.system import System, eventually


def number_in(mail: Delivered) -> str:
    found = re.search(r"[RCX]-\d{4}-\d{6}", mail.subject)
    assert found
    return found[0]


async def test_a_refund_brings_a_credit_note_and_its_failure_a_cancellation(system: System) -> None:
    await system.start()
    await system.publish(placed("o-1"), paid("o-1"), refund_succeeded("o-1"), refund_failed("o-1"))
    await system.mails(3)
    year = now_utc().year
    mails = {number_in(mail): mail for mail in system.sink.taken}
    assert set(mails) == {f"{letter}-{year}-000001" for letter in "RCX"}
    assert {mail.recipient for mail in mails.values()} == {"o-1@buyer.test"}

    events = (await system.events())["o-1"]
    issued = {event.kind: event for event in events if isinstance(event, ReceiptIssued)}
    assert Counter(kinds(events)) == {"ReceiptIssued": 3, "ReceiptSent": 3}
    assert {kind: event.subject for kind, event in issued.items()} == {
        "receipt": "payment-o-1", "credit_note": "rf-o-1", "cancellation": "rf-o-1"
    }  # fmt: skip
    for event in issued.values():
        assert sha256(mails[event.number].pdf).hexdigest() == event.sha256
    text = mails[issued["credit_note"].number].message.get_body(("plain",))
    assert text is not None
    assert all(part in text.get_content() for part in (issued["receipt"].number, "₹99.00", "lid broken"))


async def test_any_order_repetition_and_concurrency_ends_in_the_same_documents_and_mails(
    system: System,
) -> None:
    """Two instances; every event in three copies, two of them under ids of their own, all shuffled."""
    orders = [f"o-{n}" for n in range(40)]
    events: list[Sent] = []
    for order in orders:
        events += [placed(order), paid(order), refund_succeeded(order), refund_failed(order)]
        surplus = {"refund_id": f"rf-s-{order}", "charge_id": "pay_other"}
        events += [refund_succeeded(order, **surplus), refund_failed(order, refund_id=f"rf-f-{order}")]
    envelopes = [envelope(event) for event in events]
    everything = [*envelopes, *envelopes, *(envelope(event) for event in events)]
    random.Random(11).shuffle(everything)

    await asyncio.gather(system.start("1"), system.start("2"))
    await asyncio.gather(*(system.send(message) for message in everything))
    await system.mails(4 * len(orders), timeout_s=90)

    async def all_read() -> bool:
        (row,) = await system.rows("SELECT count(*) AS n FROM inbox WHERE outcome <> 'parked'")
        return bool(row["n"] == 2 * len(events))

    await eventually(all_read)
    await system.events()
    assert len(system.sink.taken) == len({mail.message_id for mail in system.sink.taken})
    assert {len(mails) for mails in system.sink.by_recipient().values()} == {4}
    rows = await system.rows("SELECT kind, count(*) AS n, max(number) AS last FROM documents GROUP BY kind")
    assert {row["kind"]: (row["n"], row["last"]) for row in rows} == {
        kind: (len(orders), len(orders)) for kind in ("receipt", "credit_note", "cancellation")
    }
    (row,) = await system.rows("SELECT count(*) AS n FROM mails WHERE kind = 'surplus_refund'")
    assert row["n"] == len(orders)


@pytest.mark.parametrize("where", ["notifier.before_db_commit", "notifier.after_db_commit"])
async def test_killed_around_the_claim_of_a_credit_note_leaves_no_gap(system: System, where: str) -> None:
    doomed = await system.start(failpoint=f"{where}:exit@3")
    await system.publish(placed("o-1"))

    async def seen() -> bool:
        return bool(await system.rows("SELECT 1 FROM order_contents"))

    await eventually(seen)
    await system.publish(paid("o-1"))
    await system.mails(1)
    await system.publish(refund_succeeded("o-1"))
    await system.died(doomed)
    await system.start()
    await system.publish(placed("o-2"), paid("o-2"), refund_succeeded("o-2"))
    await system.mails(4, timeout_s=60)
    rows = await system.rows("SELECT kind, number FROM documents ORDER BY kind, number")
    assert [tuple(row) for row in rows] == [
        ("credit_note", 1), ("credit_note", 2), ("receipt", 1), ("receipt", 2)
    ]  # fmt: skip


async def test_a_buyer_without_e_mail_gets_documents_and_no_mail(system: System) -> None:
    await system.start()
    nobody = Customer(name="Asha")
    await system.publish(placed("o-1", customer=nobody), paid("o-1"), refund_succeeded("o-1"))

    async def made() -> bool:
        return len(await system.rows("SELECT 1 FROM documents WHERE state = 'rendered'")) == 2

    await eventually(made)
    await system.publish(refund_succeeded("o-1", refund_id="rf-2", charge_id="pay_other"))
    await system.publish(placed("o-2"), paid("o-2"))
    await system.mails(1)
    assert [mail.recipient for mail in system.sink.taken] == ["o-2@buyer.test"]


async def test_the_invoice_of_a_partial_capture_says_what_was_captured(system: System) -> None:
    await system.start(documents__issue="invoice", documents__series="INV", documents__year_starts="04-01")
    charge = ChargeView(
        charge_id="pay_o-1", provider="razorpay", account="acc_1", provider_order_id="order_o-1",
        state="captured", amount=30_000, currency="INR",
    )  # fmt: skip
    await system.publish(placed("o-1"), paid("o-1", charges=(charge,)))
    await system.mails(1)
    (mail,) = system.sink.taken
    assert re.search(r"invoice .* ₹300\.00 \(INV-\d{4}-\d\d-000001\)", mail.subject)
    text = mail.message.get_body(("plain",))
    assert text is not None
    assert "Released, not charged: -₹199.00" in text.get_content()


async def test_a_shop_that_invoices_itself_gets_no_documents(system: System) -> None:
    await system.start(documents__issue="off")
    await system.publish(placed("o-1"), paid("o-1"), refund_succeeded("o-1"))
    await system.publish(refund_succeeded("o-1", refund_id="rf-2", charge_id="pay_other"))
    await system.mails(1)
    assert ["goes back" in mail.subject for mail in system.sink.taken] == [True]
    assert await system.rows("SELECT 1 FROM documents") == []
