"""A customer with unmistakable words buys, pays, gets money back, is erased: then nothing has the words."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest

from devstack.demo.shopper import Order, Shopper
from devstack.stack import Stack
from shared.envelope import now_utc
from shared.kafka import PAYMENTS_REPLIES, PERSONAL_TOPICS
from tests.chaos.checker.read_mails import read_mails
from tests.chaos.system import eventually
from tests.contract.providers.contract.driver import until
from tests.e2e.canaries import holds, in_databases, in_topics, kept_for
from tests.e2e.customers import (
    AMOUNT,
    CANARIES,
    EMAIL,
    NAME,
    OTHER,
    PART,
    PHONE,
    STREET,
    deferred,
    erase,
    fetched,
    mailed,
    no_mail_server,
    order_body,
    paid,
    placed,
    send,
    strange_webhook,
    tell,
)

OUTSIDE = {"simulator", "mailbox", "shop"}  # the world: a provider, a mail server, a shop keep what they keep
NUMBERS = "SELECT series, number, sha256 FROM notifier.documents WHERE order_id = $1 ORDER BY series, number"
SERVICES = ("gateway", "payments", "notifier", "reconciler")


@pytest.fixture
async def shopper(stack: Stack) -> AsyncIterator[Shopper]:
    async with aiohttp.ClientSession() as session:
        yield Shopper(stack, session)


async def _parked(stack: Stack) -> None:
    """The unreadable message is parked at both of its readers."""

    async def there() -> bool:
        statement = "SELECT 1 FROM {}.inbox WHERE topic = 'orders.events' AND outcome = 'parked'"
        return all([await fetched(stack, statement.format(s)) for s in ("payments", "notifier")])

    await until(there, "parked messages")


async def _known(stack: Stack, table: str, order_id: str) -> None:
    async def there() -> bool:
        return bool(await fetched(stack, f"SELECT 1 FROM {table} WHERE order_id = $1", order_id))

    await until(there, f"{order_id} in {table}")


@pytest.mark.timeout(300)
async def test_nothing_of_an_erased_customer_is_left_or_comes_back(stack: Stack, shopper: Shopper) -> None:
    order, waiting, _ = await paid(shopper), await placed(shopper), await paid(shopper, OTHER)
    await shopper.refund(order, PART)
    await shopper.until(order, "partially_refunded")
    await mailed(stack, order, 2)
    await send(stack, order.order_id, f'{{"unreadable": "{EMAIL}, {NAME}"'.encode())
    await _parked(stack)
    await strange_webhook(stack, shopper)
    numbers, money = await fetched(stack, NUMBERS, order.order_id), await shopper.read(order)
    await _the_search_finds_what_is_there(stack)

    async with no_mail_server(stack):
        queued = await paid(shopper)
        await deferred(stack, queued)
        told = await erase(stack)
    _every_service_has_told(told)
    assert await in_databases(stack, (EMAIL,)) == {}
    assert (await in_databases(stack, (OTHER,)))["payments.payments"] == {OTHER}, "nobody else is erased"
    assert await fetched(stack, NUMBERS, order.order_id) == numbers
    assert await shopper.read(order) == money
    await _the_document_is_gone(stack)

    await _all_of_it_is_told_again(stack, shopper, order, waiting)
    assert await in_databases(stack, (EMAIL, PHONE)) == {}
    assert len(await fetched(stack, NUMBERS, order.order_id)) == 3, "the second refund has its credit note"

    again = await placed(shopper)
    assert set(await in_databases(stack, (EMAIL,))) >= {"payments.payments", "payments.outbox_0"}
    await erase(stack)
    await erase(stack, OTHER)
    assert await in_databases(stack, (*CANARIES, OTHER)) == {}
    assert (await shopper.read(again))["amount"] == AMOUNT

    mails = [m for m in read_mails(stack.folder.path / "mailbox") if EMAIL in m.recipients]
    assert len(mails) == 2, "what was queued is not sent, and nobody writes to who was erased"
    for name in set(stack.all_processes()) - OUTSIDE:
        assert holds([stack.log(name).read_bytes()], (*CANARIES, OTHER)) == set(), name
    await _topics_forget(stack)


async def _the_search_finds_what_is_there(stack: Stack) -> None:
    held = await in_databases(stack, CANARIES)
    assert {"payments.payments", "payments.outbox_0", "notifier.order_contents", "notifier.mails"} <= set(
        held
    )
    assert held["notifier.documents"] >= {NAME, STREET}
    assert any(
        PHONE in words for table, words in held.items() if table.startswith("payments.provider_events")
    )
    assert all(EMAIL in held[f"{service}.inbox"] for service in ("payments", "notifier"))

    assert PHONE in held["payments.tasks"], "the strange webhook waits for its order"


def _every_service_has_told(told: Any) -> None:
    assert set(told["services"]) == set(SERVICES)
    counts = {(s, p["place"]): p["count"] for s, said in told["services"].items() for p in said["places"]}
    assert counts["payments", "payments"] == counts["notifier", "order_contents"] == 3
    assert counts["notifier", "documents"] == counts["notifier", "mails"] == 3
    assert counts["notifier", "tasks"] == 1, "the mail that was queued"
    assert counts["payments", "inbox"] == counts["notifier", "inbox"] == 1
    assert counts["payments", "provider_events"] >= 2
    assert {left["topic"] for left in told["left"]} == {topic.name for topic in PERSONAL_TOPICS}


async def _the_document_is_gone(stack: Stack) -> None:
    mails = [m for m in read_mails(stack.folder.path / "mailbox") if EMAIL in m.recipients]
    link = next(word for mail in mails for word in mail.text.split() if "/api/documents/" in word)
    async with aiohttp.ClientSession() as session, session.get(link) as answer:
        assert (answer.status, (await answer.json())["code"]) == (410, "document-erased")


async def _all_of_it_is_told_again(stack: Stack, shopper: Shopper, order: Order, waiting: Order) -> None:
    """By the provider, by the shop, by a message that nobody had read, and by one that nobody can read."""
    await shopper.refund(order, PART)

    async def refunded() -> bool:
        refunds = (await shopper.read(order))["refunds"]
        return [refund["status"] for refund in refunds] == ["succeeded", "succeeded"]

    await until(refunded, "a second refund")
    await shopper._gateway("POST", "/api/orders", order_body(waiting.order_id), shopper._key())
    asked_at = (await fetched(stack, "SELECT max(asked_at) AS at FROM payments.erasures"))[0]["at"]
    unseen = f"privacy-{uuid.uuid4().hex[:12]}"
    await tell(stack, unseen, asked_at, "shop", None)
    await tell(stack, order.order_id, now_utc(), "payments", 7)
    await _known(stack, "payments.payments", unseen)
    await _known(stack, "notifier.order_contents", unseen)
    await _known(stack, "payments.provider_events", order.order_id)
    raw = "SELECT 1 FROM payments.provider_events WHERE order_id = $1 AND (body <> '' OR headers <> '{}')"
    assert await fetched(stack, raw, order.order_id) == [], (
        "webhooks after the erasure are kept without bytes"
    )

    async def credited() -> bool:
        return len(await fetched(stack, NUMBERS, order.order_id)) == 3

    await until(credited, "a credit note of the second refund")


async def _topics_forget(stack: Stack) -> None:
    assert set(await in_topics(stack, CANARIES)) <= {topic.name for topic in PERSONAL_TOPICS}
    short = {"retention.ms": "1000", "segment.ms": "1000"}
    topics = [topic for topic in PERSONAL_TOPICS if topic is not PAYMENTS_REPLIES]

    async def left() -> str:
        held = await in_topics(stack, (*CANARIES, OTHER))
        return ", ".join(sorted(set(held) - {PAYMENTS_REPLIES.name}))

    async with kept_for(stack, topics, **short):
        await eventually(left, within_s=60, what="the end of the topics' retention")


def test_only_the_erasers_role_may_blank_what_is_kept_raw(stack: Stack) -> None:
    """The service's own role cannot, not even by the name of a partition; the eraser can do nothing else."""
    server = stack.wiring.database

    def denied(role: str, statement: str) -> bool:
        try:
            _as(server, role, statement)
        except RuntimeError as error:
            return "permission denied" in str(error)
        return False

    partitions = server.sql(
        "SELECT inhrelid::regclass FROM pg_inherits"
        " WHERE inhparent IN ('payments.provider_events'::regclass, 'payments.outbox'::regclass)",
        "paystream",
    ).split()
    assert len(partitions) > 4
    for table in ("payments.provider_events", "payments.outbox", *partitions):
        column = "payload" if "outbox" in table else "body"
        assert denied("payments_app", f"UPDATE {table} SET {column} = ''"), table
        assert denied("payments_app", f"DELETE FROM {table}"), table
    for statement in (
        "DELETE FROM payments.payments", "UPDATE payments.payments SET status = 'paid'",
        "UPDATE payments.charges SET amount = 1", "INSERT INTO payments.outbox_pending VALUES (1)",
        "SELECT 1 FROM notifier.mails",
    ):  # fmt: skip
        assert denied("payments_eraser", statement), statement
    assert not denied("payments_eraser", "UPDATE payments.provider_events SET body = body WHERE false")


def _as(server: Any, role: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(server.url(role, driver="postgresql"))
        try:
            await connection.execute(statement)
        except asyncpg.PostgresError as error:
            raise RuntimeError(str(error)) from error
        finally:
            await connection.close()

    asyncio.run(run())
