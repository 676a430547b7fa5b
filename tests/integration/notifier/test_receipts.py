"""One document and one mail per paid order: through real Kafka, PostgreSQL and SMTP."""

import asyncio
import random
import signal
from datetime import timedelta
from hashlib import sha256

import aiohttp

from services.notifier.links import Links
from shared.envelope import now_utc
from shared.messages.notifier import ReceiptIssued, ReceiptSent
from shared.messages.orders import Customer, OrderPlaced
from shared.messages.payments import PaymentPaid
from tests.integration.notifier.messages import envelope, kinds, paid, placed
from tests.integration.notifier.system import SIGNING_KEY, System, eventually


async def test_a_paid_order_gets_its_document_mail_link_and_events(system: System) -> None:
    await system.start()
    await system.publish(placed("o-1"), paid("o-1"))
    await system.mails(1)
    (mail,) = system.sink.taken
    assert mail.recipient == "o-1@buyer.test"
    assert mail.pdf.startswith(b"%PDF-")
    assert "Teapot of o-1" in str(mail.message.get_body(("plain",)))

    events = (await system.events())["o-1"]
    assert kinds(events) == ["ReceiptIssued", "ReceiptSent"]
    issued, sent = events
    assert isinstance(issued, ReceiptIssued)
    assert isinstance(sent, ReceiptSent)
    assert issued.number == sent.number == f"R-{now_utc().year}-000001"
    assert issued.number in mail.message["Subject"]
    assert issued.sha256 == sha256(mail.pdf).hexdigest()
    assert sent.message_id == mail.message_id
    await _link_opens(system, mail.pdf)


async def _link_opens(system: System, pdf: bytes) -> None:
    (row,) = await system.rows("SELECT document_id, issued_at FROM documents")
    base = f"http://127.0.0.1:{system.http_port}"
    links = Links(base, [SIGNING_KEY], timedelta(days=1))
    good = links.url(str(row["document_id"]), row["issued_at"])
    old = links.url(str(row["document_id"]), row["issued_at"] - timedelta(days=2))
    of_nothing = links.url("00000000-0000-0000-0000-000000000000", row["issued_at"])
    body = system.sink.taken[0].message.get_body(("plain",))
    assert body is not None
    assert f"{base}/api/documents/" in body.get_content()
    async with aiohttp.ClientSession() as session:
        async with session.get(good) as answer:
            assert (answer.status, answer.content_type) == (200, "application/pdf")
            assert await answer.read() == pdf
            assert answer.headers["Cache-Control"] == "private, no-store"
        for url, status in [(old, 410), (of_nothing, 404), (good + "x", 404), (base + "/", 404)]:
            async with session.get(url) as answer:
                assert (answer.status, answer.content_type) == (status, "application/problem+json")
        async with session.post(good) as answer:
            assert answer.status == 405
        async with session.head(good) as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_repeated_reordered_and_concurrent_events_change_nothing(system: System) -> None:
    """Two instances; every event in three copies, two of them under ids of their own, all shuffled."""
    orders = [f"o-{n}" for n in range(60)]
    events: list[OrderPlaced | PaymentPaid] = []
    for order in orders:
        events += [placed(order), placed(order, revision=2, amount=52_000), paid(order)]
    envelopes = [envelope(event) for event in events]
    everything = [*envelopes, *envelopes, *(envelope(event) for event in events)]
    random.Random(7).shuffle(everything)

    await asyncio.gather(system.start("1"), system.start("2"))
    await asyncio.gather(*(system.send(message) for message in everything))
    await system.mails(len(orders), timeout_s=60)

    by_recipient = system.sink.by_recipient()
    assert {len(mails) for mails in by_recipient.values()} == {1}
    assert set(by_recipient) == {f"{order}@buyer.test" for order in orders}
    rows = await system.rows("SELECT order_id, number FROM documents ORDER BY number")
    assert [row["number"] for row in rows] == list(range(1, len(orders) + 1))
    found = await system.events()
    assert {tuple(kinds(found[order])) for order in orders} == {("ReceiptIssued", "ReceiptSent")}
    applied = await system.rows("SELECT count(*) AS n FROM inbox WHERE outcome IN ('applied', 'ignored')")
    assert applied[0]["n"] == 2 * len(events)


async def test_a_payment_waits_for_its_order_and_then_prints_the_revision_it_names(system: System) -> None:
    await system.start()
    await system.publish(paid("o-1", revision=2), placed("o-1", customer=Customer(email="old@buyer.test")))

    async def waits() -> bool:
        return bool(
            await system.rows("SELECT 1 FROM orders JOIN order_contents USING (order_id) WHERE waits")
        )

    await eventually(waits)
    assert await system.rows("SELECT 1 FROM documents") == []
    await system.publish(placed("o-1", revision=2))
    await system.mails(1)
    assert [mail.recipient for mail in system.sink.taken] == ["o-1@buyer.test"]


async def test_an_order_without_e_mail_gets_its_document_and_no_mail(system: System) -> None:
    await system.start()
    await system.publish(placed("o-1", customer=Customer(name="Asha")), paid("o-1"))

    async def issued() -> bool:
        return bool(await system.rows("SELECT 1 FROM documents WHERE state = 'rendered'"))

    await eventually(issued)
    await system.publish(placed("o-2"), paid("o-2"))
    await system.mails(1)
    found = await system.events()
    assert kinds(found["o-1"]) == ["ReceiptIssued"]
    assert [mail.recipient for mail in system.sink.taken] == ["o-2@buyer.test"]


async def test_a_stop_in_order_loses_and_repeats_nothing(system: System) -> None:
    orders = [f"o-{n}" for n in range(30)]
    first = await system.start()
    for order in orders:
        await system.publish(placed(order), paid(order))

    async def some_sent() -> bool:
        return len(system.sink.taken) >= 3

    await eventually(some_sent)
    first.send_signal(signal.SIGTERM)

    async def gone() -> bool:
        return first.poll() is not None

    await eventually(gone)
    assert first.returncode == 0
    await system.start()
    await system.mails(len(orders))
    assert len(system.sink.taken) == len(orders)
    numbers = await system.rows("SELECT number FROM documents ORDER BY number")
    assert [row["number"] for row in numbers] == list(range(1, len(orders) + 1))
