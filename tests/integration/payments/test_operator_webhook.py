"""`paystream webhook`: what came, judged again, applied again, erased in time."""

import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from services.payments.erasure import Erasure
from services.payments.heard import AGE, Heard
from services.payments.webhooks import Webhooks
from shared.database import new_engine
from shared.envelope import encode, new_id, now_utc
from shared.inbox import Incoming
from shared.kafka import PAYMENTS_WEBHOOKS
from shared.messages.base import wrap
from shared.messages.payments import ProviderEventReceived
from shared.providers.razorpay.adapter import RazorpayAdapter
from shared.settings import DatabaseSettings, RazorpaySettings
from tests.contract.simulator.running import ACCOUNT_ID
from tests.integration.payments.operator import Operator
from tests.integration.payments.system import Payments, captured, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def kept(payments: Payments, body: bytes) -> str:
    """The id under which this body is kept, once it is."""

    async def there() -> list[dict[str, object]]:
        return await payments.fetch("SELECT message_id FROM provider_events WHERE body = $1", body)

    (row,) = await eventually(there, what="the webhook in the archive")
    return str(row["message_id"])


async def test_exact_bytes_verdict_and_effect_are_told(
    payments: Payments, paystream: Operator, tmp_path: Path
) -> None:
    order_id, provider_order_id = await payments.opened()
    body = captured(provider_order_id, f"pay_{order_id}", note="odd   spacing \u00e9")
    await payments.webhook(body)
    await payments.becomes(order_id, "paid")
    webhook_id = await kept(payments, body)
    (row,) = (await paystream("webhook", "list", "--order", order_id, "--json")).json
    assert (row["message_id"], row["times"], row["outcome"]) == (webhook_id, 1, "changed")
    assert order_id in (await paystream("webhook", "list", "--provider", "razorpay")).flat
    shown = await paystream("webhook", "show", webhook_id)
    assert "verdict understood" in shown.out
    assert "said v3 payment_paid" in shown.out
    assert body.decode() in shown.out
    written = tmp_path / "body"
    assert (await paystream("webhook", "show", webhook_id, "--out", str(written))).code == 0
    assert written.read_bytes() == body


async def test_what_is_not_ours_is_listed_by_its_verdict(payments: Payments, paystream: Operator) -> None:
    event = msgspec.json.decode(captured("order_Somebody", "pay_Somebody"))
    foreign = msgspec.json.encode(event | {"account_id": "acc_Somebody00000"})
    unknown = msgspec.json.encode(event | {"event": "payment.downtime.started"})
    for body in (foreign, unknown):
        await payments.webhook(body)
    for body, verdict in ((foreign, "other_account"), (unknown, "unknown_type")):
        webhook_id = await kept(payments, body)
        rows = (await paystream("webhook", "list", "--verdict", verdict, "--json")).json
        assert [(r["order_id"], r["outcome"]) for r in rows if r["message_id"] == webhook_id] == [
            (None, "not_ours")
        ]


async def test_a_dry_run_agrees_with_what_was_done_and_writes_nothing(
    payments: Payments, paystream: Operator
) -> None:
    order_id, provider_order_id = await payments.opened()
    body = captured(provider_order_id, f"pay_{order_id}")
    await payments.webhook(body)
    before = await payments.becomes(order_id, "paid")
    said = await paystream("webhook", "replay", await kept(payments, body), "--dry-run")
    assert (said.code, said.out.splitlines()[-2:]) == (
        0,
        ["no difference: today's code agrees with what was done", "nothing was written"],
    )
    assert "said then:        payment_paid" in said.out
    assert "would say now:    nothing" in said.out
    assert await payments.row(order_id) == before


async def lost(payments: Payments, body: bytes) -> str:
    """A webhook that an earlier release kept without understanding it."""
    webhook_id = new_id()
    await payments.execute(
        """INSERT INTO provider_events (received_at, message_id, provider, account, event_type, verdict,
                                        outcome, headers, body)
           VALUES (now(), $1, 'razorpay', $2, '', 'unreadable', 'not_ours', '{}', $3)""",
        webhook_id, ACCOUNT_ID, body,
    )  # fmt: skip
    await payments.execute(
        """INSERT INTO inbox (consumer, message_id, outcome, fingerprint)
           VALUES ('payments.payments.webhooks', $1, 'ignored', '')""",
        webhook_id,
    )
    return webhook_id


async def test_a_dry_run_says_how_todays_code_differs_and_a_replay_does_it_once(
    payments: Payments, paystream: Operator
) -> None:
    order_id, provider_order_id = await payments.opened()
    webhook_id = await lost(payments, captured(provider_order_id, f"pay_{order_id}"))
    said = await paystream("webhook", "replay", webhook_id, "--dry-run")
    assert [line for line in said.out.splitlines() if line.startswith("differs: ")] == [
        "differs: it was unreadable, today it is understood",
        f"differs: it was matched to no order, today to {order_id}",
        "differs: today it would add what the books do not have yet: payment_paid",
    ]
    assert (await payments.row(order_id))["status"] == "pending_payment", "nothing was written"
    assert (await paystream("webhook", "replay", webhook_id)).code == 2, "a reason is needed"
    first = await paystream("webhook", "replay", webhook_id, "--reason", "release 12 reads it")
    assert (first.code, ": v2 → v3;" in first.out) == (0, True), first.out + first.err
    await payments.becomes(order_id, "paid")
    second = await paystream("webhook", "replay", webhook_id, "--reason", "to be sure")
    assert "nothing new: v3 has all of it" in second.out
    story = await paystream("payment", "show", order_id)
    assert "asha replay_webhook release 12 reads it" in story.flat
    assert "said v3 payment_paid because of asha's replay_webhook" in story.flat, story.out


async def test_a_replay_needs_an_order_and_an_id_that_is_kept(
    payments: Payments, paystream: Operator
) -> None:
    webhook_id = await lost(payments, captured("order_Nobodys", "pay_Nobodys"))
    said = await paystream("webhook", "replay", webhook_id, "--reason", "x")
    assert (said.code, said.err.partition(":")[0]) == (1, "no-order")
    said = await paystream("webhook", "show", "no-such-id")
    assert (said.code, said.err.partition(":")[0]) == (1, "webhook-not-found")


async def test_a_repetition_by_kafka_is_not_counted_as_one_of_the_provider(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    body = captured(provider_order_id, f"pay_{order_id}")
    event = ProviderEventReceived(
        provider="razorpay", account=ACCOUNT_ID, body=body, headers={}, received_at=now_utc()
    )
    identity = hashlib.sha256(body).hexdigest()

    def delivery(seconds: int) -> bytes:
        received_at = event.received_at + timedelta(seconds=seconds)
        again = msgspec.structs.replace(event, received_at=received_at)
        return encode(wrap(again, source="gateway", subject="razorpay", time=received_at, id=identity))

    for value in (delivery(0), delivery(0), delivery(5), delivery(5), delivery(9)):
        await payments.produce(PAYMENTS_WEBHOOKS, b"k", value)

    async def counted() -> bool:
        rows = await payments.fetch(
            "SELECT times FROM provider_event_repeats WHERE message_id = $1", identity
        )
        return [r["times"] for r in rows] == [2]

    await eventually(counted, what="two repetitions, at 5 s and 9 s")


# --- retention ----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def engine(payments: Payments) -> AsyncIterator[AsyncEngine]:
    made = new_engine(DatabaseSettings(url=payments.urls.app("payments")), "payments")
    yield made
    await made.dispose()


@pytest_asyncio.fixture(loop_scope="module")
async def eraser(payments: Payments) -> AsyncIterator[AsyncEngine]:
    made = new_engine(DatabaseSettings(url=payments.urls.eraser("payments")), "payments")
    yield made
    await made.dispose()


async def test_bytes_past_their_time_leave_their_hash_and_the_facts(
    payments: Payments, paystream: Operator, eraser: AsyncEngine
) -> None:
    order_id, provider_order_id = await payments.opened()
    old = captured(provider_order_id, f"pay_{order_id}", email="asha@shop.test")
    young = captured(provider_order_id, f"pay_{order_id}", email="asha@shop.test", nonce=1)
    await payments.webhook(old)
    await payments.webhook(young)
    old_id, young_id = await kept(payments, old), await kept(payments, young)
    await payments.execute(
        "UPDATE provider_events SET received_at = now() - interval '91 days' WHERE message_id = $1", old_id
    )
    await payments.execute(
        "UPDATE inbox SET received_at = now() - interval '91 days' WHERE message_id = $1", old_id
    )
    settings = RazorpaySettings(key_id="rzp_test_x", key_secret="k" * 20, account=ACCOUNT_ID)
    erasure = Erasure(eraser, Webhooks({"razorpay": RazorpayAdapter(settings)}), days=90)
    assert await erasure.run_once() == 1
    assert await erasure.run_once() == 0, "it goes on from where it stopped"
    rows = await payments.fetch(
        "SELECT * FROM provider_events WHERE order_id = $1 ORDER BY received_at", order_id
    )
    assert [(r["message_id"], r["body"], r["erased_at"] is not None) for r in rows] == [
        (old_id, b"", True),
        (young_id, young, False),
    ]
    assert rows[0]["body_sha256"] == hashlib.sha256(old).digest()
    facts = msgspec.json.decode(rows[0]["facts"])
    assert facts["charges"][0]["charge_id"] == f"pay_{order_id}"
    assert "asha@shop.test" not in str(rows[0])
    shown = await paystream("webhook", "show", old_id)
    assert f"SHA-256 {hashlib.sha256(old).hexdigest()}" in shown.out
    said = await paystream("webhook", "replay", old_id, "--dry-run")
    assert (said.code, said.err.partition(":")[0]) == (1, "bytes-erased")


async def test_deliveries_are_told_apart_by_when_they_came_however_batches_fall(
    payments: Payments, engine: AsyncEngine
) -> None:
    webhook_id, at = new_id(), now_utc()

    def again(seconds: int) -> Incoming:
        event = ProviderEventReceived(
            provider="razorpay",
            account=ACCOUNT_ID,
            body=b"{}",
            headers={},
            received_at=at + timedelta(seconds=seconds),
        )
        envelope = wrap(event, source="gateway", subject="razorpay", time=at, id=webhook_id)
        return Incoming(webhook_id, envelope, event, b"")

    counts = []
    for batch in ([5, 5, 9], [5, 9], [9, 12]):
        async with engine.begin() as connection:
            await Webhooks({}).repeated(connection, [again(seconds) for seconds in batch])
        query = "SELECT times FROM provider_event_repeats WHERE message_id = $1"
        counts += [row["times"] for row in await payments.fetch(query, webhook_id)]
    assert counts == [2, 2, 3]


async def test_every_instance_knows_when_an_account_was_last_heard(engine: AsyncEngine) -> None:
    account = new_id()

    def heard_ago(seconds: float) -> Heard:
        heard, at = Heard(), now_utc() - timedelta(seconds=seconds)
        heard.note(
            ProviderEventReceived(
                provider="razorpay", account=account, body=b"{}", headers={}, received_at=at
            )
        )
        return heard

    ages = []
    for heard in (heard_ago(500), heard_ago(100), heard_ago(900), Heard()):
        async with engine.begin() as connection:
            await heard.share(connection)
        ages.append(AGE.labels("razorpay", account)._value.get())
    assert [round(age, -2) for age in ages] == [500, 100, 100, 100]
