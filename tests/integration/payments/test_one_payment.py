"""One payment, all the way, on real Kafka and PostgreSQL, through the official SDK."""

from hashlib import sha256

import msgspec
import pytest
from msgspec.structs import replace

from shared.envelope import encode, now_utc
from shared.kafka import ORDERS_EVENTS
from shared.messages.base import wrap
from shared.messages.orders import Customer, OrderPlaced
from shared.messages.payments import CreatePayment, LookAgain, RegisterOrder
from tests.integration.payments.system import AMOUNT, Payments, captured, eventually, order

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_payment_goes_from_order_to_paid(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    paid = payments.simulator.pay(provider_order_id, method="card", outcome="success")
    reply = await payments.verify(order_id, provider_order_id)
    assert msgspec.json.decode(reply.answer)["status"] in ("paid", "processing")

    async def announced() -> bool:
        return len(payments.arrivals(provider_order_id)) >= 3

    await eventually(announced, what="the simulator's webhooks")
    for arrival in payments.arrivals(provider_order_id):
        await payments.webhook(arrival.raw, key=provider_order_id.encode(), times=3)
    row = await payments.becomes(order_id, "paid")
    assert (row["amount"], row["payment_id"]) == (AMOUNT, paid["razorpay_payment_id"])
    assert row["previous_status"] in ("processing", "pending_payment")

    async def told() -> bool:
        return "payment_paid" in payments.said(order_id)

    await eventually(told, what="PaymentPaid")
    assert payments.said(order_id).count("payment_paid") == 1
    assert payments.said(order_id)[:2] == ["payment_created", "payment_pending"]
    sent = {arrival.raw for arrival in payments.arrivals(provider_order_id)}

    async def kept() -> bool:
        query = "SELECT verdict, body FROM provider_events WHERE provider_order_id = $1"
        rows = await payments.fetch(query, provider_order_id)
        return sorted((r["body"], r["verdict"]) for r in rows) == sorted((b, "understood") for b in sent)

    await eventually(kept, what="each webhook once, byte for byte")
    open_tasks = await payments.fetch(
        "SELECT key FROM tasks WHERE subject = $1 AND closed_at IS NULL AND kind <> 'look'", order_id
    )
    assert open_tasks == []


async def test_a_payment_that_hears_nothing_is_found_by_looking(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    await payments.becomes(order_id, "paid")  # the first scheduled look: 5 minutes, here 5 seconds


async def test_look_again_reads_the_provider_now(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    assert (await payments.ask(LookAgain(order_id=order_id), order_id)).code == "ok"
    await payments.becomes(order_id, "paid", timeout_s=10)


async def test_a_lost_answer_is_looked_up_and_the_order_created_once(payments: Payments) -> None:
    payments.simulator.faults(
        seed=1, api=[{"path": "POST /v1/orders", "next": [{"do": "act_then_drop", "times": 1}]}]
    )
    order_id = await payments.placed()
    reply = await payments.ask(CreatePayment(order_id=order_id), order_id)
    assert reply.code == "ok"
    (attempt,) = await payments.fetch("SELECT * FROM payment_attempts WHERE order_id = $1", order_id)
    ledger = payments.simulator.ledger()
    receipts = [o["receipt"] for o in ledger["razorpay"]["orders"]]
    assert receipts.count(attempt["idempotency_key"]) == 1
    assert "act_then_drop" in str(payments.simulator.bites()), "the fault bit"
    looked_up = [c for c in ledger["calls"] if c["path"] == "/v1/orders" and "receipt" in (c["query"] or "")]
    assert any(attempt["idempotency_key"] in str(c["query"]) for c in looked_up)
    assert "payment_processing" in payments.said(order_id), "unknown is shown as processing"


async def test_a_webhook_before_the_answer_of_create_is_matched_later(payments: Payments) -> None:
    payments.simulator.faults(
        seed=1,
        api=[
            {
                "path": "POST /v1/orders",
                "next": [{"do": "hold", "delay_s": 1.5, "pay": {"method": "card"}}],
            }
        ],
    )
    order_id = await payments.placed()
    correlation = "held"
    await payments.send(CreatePayment(order_id=order_id), order_id, correlation)

    async def early() -> list[bytes]:
        return [a.raw for a in payments.receiver.arrivals if order_id.encode() in a.raw]

    for body in await eventually(early, what="webhooks before the answer"):
        await payments.webhook(body)
    assert (await payments.row(order_id))["status"] in ("created", "pending_payment", "paid")
    await payments.becomes(order_id, "paid")


async def test_an_order_from_the_topic_of_a_shop_is_held_and_numbered(payments: Payments) -> None:
    placed: OrderPlaced = order("shop-order-1")
    envelope = wrap(placed, source="shop", subject="shop-order-1", time=now_utc())
    await payments.produce(ORDERS_EVENTS, b"shop-order-1", encode(envelope))
    row = await payments.becomes("shop-order-1", "created")
    assert row["revision"] == 1
    reply = await payments.ask(RegisterOrder(order=placed), "shop-order-1")
    assert msgspec.json.decode(reply.answer)["change"] == "unchanged"


async def parked(payments: Payments, words: str) -> list[dict[str, object]]:
    async def there() -> list[dict[str, object]]:
        query = "SELECT error FROM inbox WHERE outcome = 'parked' AND error LIKE $1"
        return await payments.fetch(query, f"%{words}%")

    return await eventually(there, what=f"parked: {words}")


async def test_wrong_orders_of_a_shop_are_parked_and_keep_nobody_elses_back(payments: Payments) -> None:
    address = "".join(sha256(bytes([n])).hexdigest() for n in range(80)) + "@shop.test"
    too_long = replace(order("shop-order-2"), customer=Customer(name="Asha", email=address))
    for key, placed in (("shop-order-2", too_long), ("shop-order-3", order("shop-order-4"))):
        envelope = wrap(placed, source="shop", subject=key, time=now_utc())
        await payments.produce(ORDERS_EVENTS, key.encode(), encode(envelope))
    await parked(payments, "more than 254 characters")
    await parked(payments, "shop-order-4")
    assert await payments.row("shop-order-3") == await payments.row("shop-order-4") == {}


async def test_a_charge_pays_one_order_alone(payments: Payments) -> None:
    """Whatever a provider says: the same money does not count twice."""
    first, provider_order_id = await payments.opened()
    await payments.webhook(captured(provider_order_id, f"pay_{first}"))
    await payments.becomes(first, "paid")
    second, provider_order_id = await payments.opened()
    await payments.webhook(captured(provider_order_id, f"pay_{first}"))
    await parked(payments, "belongs-elsewhere")
    assert (await payments.row(second))["status"] == "pending_payment"


async def test_an_expired_command_is_refused_and_does_nothing(payments: Payments) -> None:
    order_id = await payments.placed()
    reply = await payments.ask(CreatePayment(order_id=order_id), order_id, expired=True)
    assert reply.code == "expired"
    assert await payments.fetch("SELECT 1 FROM payment_attempts WHERE order_id = $1", order_id) == []


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ({"account_id": "acc_Somebody00000"}, "other_account"),
        ({"event": "payment.downtime.started"}, "unknown_type"),
        (
            {"payload": {"payment": {"entity": {"id": "pay_x", "order_id": "o", "amount": "499"}}}},
            "unreadable",
        ),
    ],
)
async def test_what_is_not_ours_is_kept_and_changes_nothing(
    payments: Payments, other: dict[str, object], verdict: str
) -> None:
    order_id, provider_order_id = await payments.opened()
    body = msgspec.json.encode(
        msgspec.json.decode(captured(provider_order_id, f"pay_{order_id}")) | other | {"nonce": order_id}
    )
    await payments.webhook(body)

    async def kept() -> list[dict[str, object]]:
        return await payments.fetch("SELECT verdict FROM provider_events WHERE body = $1", body)

    assert [k["verdict"] for k in await eventually(kept, what="the archive")] == [verdict]
    assert (await payments.row(order_id))["status"] == "pending_payment"


async def test_another_amount_is_flagged_within_a_minute_and_pays_nothing(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    await payments.webhook(captured(provider_order_id, f"pay_{order_id}", AMOUNT - 100))

    async def flagged() -> bool:
        return "payment_flagged" in payments.said(order_id)

    await eventually(flagged, what="PaymentFlagged")
    assert (await payments.row(order_id))["status"] == "pending_payment"


async def test_money_after_a_cancel_is_late_and_announced(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    assert (await payments.cancel(order_id)).code == "ok"
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    await payments.becomes(order_id, "paid")  # found by the late look, 15 minutes later

    async def told() -> list[str]:
        return [e for e in payments.said(order_id) if e in ("payment_paid", "payment_flagged")]

    assert sorted(set(await eventually(told, what="late success"))) == ["payment_flagged", "payment_paid"]


async def test_a_decline_is_told_and_a_second_try_pays(payments: Payments) -> None:
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="declined", reason="card_declined")
    await payments.verify(order_id, provider_order_id)
    row = await payments.becomes(order_id, "failed")
    assert row["detail"] == "declined"
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    await payments.verify(order_id, provider_order_id)
    await payments.becomes(order_id, "paid")
