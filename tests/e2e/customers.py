"""What a customer with unmistakable words does, through the gateway, the provider, Kafka and the shop."""

import asyncio
import hmac
import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import asyncpg

from devstack.demo.shopper import Order, Shopper
from devstack.services import ROOT
from devstack.stack import Stack
from shared.envelope import encode
from shared.kafka import ORDERS_EVENTS
from shared.messages.base import wrap
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced
from shared.publish import Publisher
from shared.settings import KafkaSettings
from tests.contract.providers.contract.driver import until

EMAIL = "quetzal.canary@zwitscher.example"
NAME = "Quetzalina Kanarienvogel"
STREET = "Zwitscherweg 4711"
PHONE = "+919000047110"
ITEM = "Mug engraved Quetzi-Ki"
CANARIES = (EMAIL, NAME, STREET, PHONE, ITEM)
OTHER = "neighbour.canary@zwitscher.example"  # who is not erased
AMOUNT, PART = 49_900, 9_900


def order_body(order_id: str, email: str = EMAIL) -> dict[str, Any]:
    return {
        "orderId": order_id,
        "amount": AMOUNT,
        "currency": "INR",
        "customer": {"name": NAME, "email": email},
        "billing": {"name": NAME, "lines": [STREET, "560001 Bengaluru"], "country": "IN"},
        "lines": [{"name": ITEM, "quantity": 1, "unitAmount": AMOUNT}],
    }


async def placed(shopper: Shopper, email: str = EMAIL) -> Order:
    body = order_body(f"privacy-{uuid.uuid4().hex[:12]}", email)
    answer = await shopper._gateway("POST", "/api/orders", body, shopper._key())
    return Order(
        body["orderId"], answer["checkoutToken"], AMOUNT, "INR", email, "privacy", provider="razorpay"
    )


async def paid(shopper: Shopper, email: str = EMAIL) -> Order:
    order = await placed(shopper, email)
    await shopper.open(order)
    contact = PHONE if email == EMAIL else "+919000000000"
    proof = await shopper.pay(order, name=NAME, email=email, contact=contact)
    await shopper.verify(order, proof)
    await shopper.until(order, "paid")
    return order


async def strange_webhook(stack: Stack, shopper: Shopper) -> None:
    """The provider tells of a payment of this customer that fits no order of ours."""
    entity = {
        "id": "pay_Canary4711", "entity": "payment", "order_id": "order_Canary4711", "status": "captured",
        "amount": AMOUNT, "currency": "INR", "captured": True, "email": EMAIL, "contact": PHONE, "notes": [],
        "created_at": 1_770_000_000, "method": "card",
    }  # fmt: skip
    event = {
        "entity": "event", "account_id": stack.wiring.secrets["razorpay_account"],
        "event": "payment.captured", "contains": ["payment"], "payload": {"payment": {"entity": entity}},
        "created_at": 1_770_000_000,
    }  # fmt: skip
    body = json.dumps(event).encode()
    secret = stack.wiring.secrets["razorpay_webhook_secret"].encode()
    signed = {"x-razorpay-signature": hmac.new(secret, body, sha256).hexdigest()}
    assert await shopper.forge("razorpay", body, signed) == 200

    async def kept() -> bool:
        rows = await fetched(
            stack, "SELECT outcome FROM payments.provider_events WHERE charge_id = 'pay_Canary4711'"
        )
        return [row["outcome"] for row in rows] == ["unmatched"]

    await until(kept, "the strange webhook")


async def fetched(stack: Stack, statement: str, *arguments: object) -> list[Any]:
    connection = await asyncpg.connect(stack.wiring.database.url("postgres", driver="postgresql"))
    try:
        return list(await connection.fetch(statement, *arguments))
    finally:
        await connection.close()


@asynccontextmanager
async def no_mail_server(stack: Stack) -> AsyncIterator[None]:
    await asyncio.to_thread(stack.stop_part, "mailbox")
    try:
        yield
    finally:
        await asyncio.to_thread(stack.restart, "mailbox")


async def deferred(stack: Stack, order: Order) -> None:
    async def queued() -> bool:
        statement = "SELECT 1 FROM notifier.mails WHERE order_id = $1 AND state = 'deferred'"
        return bool(await fetched(stack, statement, order.order_id))

    await until(queued, f"a queued mail of {order.order_id}")


async def mailed(stack: Stack, order: Order, count: int) -> None:
    async def all_sent() -> bool:
        statement = "SELECT 1 FROM notifier.mails WHERE order_id = $1 AND state = 'sent'"
        return len(await fetched(stack, statement, order.order_id)) == count

    await until(all_sent, f"{count} mails of {order.order_id}")


async def paystream(stack: Stack, *arguments: str) -> Any:
    """The operators' command, with the settings of the running services; its JSON."""
    settings = stack.wiring.service_env("payments")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "paystream", *arguments, "--json", cwd=ROOT, env=settings,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def erase(stack: Stack, email: str = EMAIL) -> Any:
    reason = "asked for by mail, ticket 311"
    return await paystream(stack, "privacy", "erase", email, "--reason", reason, "--person", "kiran", "--yes")


async def tell(stack: Stack, order_id: str, time: Any, source: str, revision: int | None) -> None:
    """The order's content with all its words, as it comes over Kafka."""
    placed = OrderPlaced(
        order_id=order_id,
        amount=AMOUNT,
        currency="INR",
        lines=(OrderLine(name=ITEM, quantity=1, unit_amount=AMOUNT),),
        customer=Customer(name=NAME, email=EMAIL),
        billing=BillingAddress(name=NAME, lines=(STREET,), country="IN"),
        revision=revision,
    )
    envelope = wrap(placed, source=source, subject=order_id, time=time)
    await send(stack, order_id, encode(envelope))


async def send(stack: Stack, key: str, value: bytes) -> None:
    publisher = Publisher(KafkaSettings(bootstrap_servers=stack.wiring.bootstrap))
    await publisher.start()
    try:
        await publisher.send(ORDERS_EVENTS, key.encode(), value)
    finally:
        await publisher.stop()
