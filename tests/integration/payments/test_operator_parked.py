"""`paystream parked`: what could not be processed is shown whole, and replayed when it can be."""

import msgspec
import pytest

from shared.envelope import encode, fingerprint, new_id, now_utc
from shared.kafka import PAYMENTS_COMMANDS
from shared.messages.base import wrap
from shared.messages.payments import LookAgain
from tests.integration.payments.operator import Operator
from tests.integration.payments.system import Payments, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMANDS = "payments.payments.commands"


async def parked(payments: Payments, value: bytes, key: str) -> None:
    await payments.execute(
        """INSERT INTO inbox (consumer, message_id, outcome, fingerprint, topic, partition, record_offset,
                              record_key, headers, body, error)
           VALUES ($1, $2, 'parked', $3, 'payments.commands', 0, 0, $4, '[]', $5, 'an old bug')""",
        COMMANDS, msgspec.json.decode(value)["id"], fingerprint(value), key.encode(), value,
    )  # fmt: skip


async def test_a_parked_message_is_shown_whole_and_replayed_once(
    payments: Payments, paystream: Operator
) -> None:
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    envelope = wrap(LookAgain(order_id=order_id), source="gateway", subject=order_id, time=now_utc())
    await parked(payments, encode(envelope), order_id)
    rows = (await paystream("parked", "list", "--json")).json
    assert (envelope.id, COMMANDS) in [(r["message_id"], r["consumer"]) for r in rows]
    assert "an old bug" in (await paystream("parked", "list", "--service", "payments")).flat
    shown = await paystream("parked", "show", COMMANDS, envelope.id)
    assert encode(envelope).decode() in shown.out
    again = ("parked", "replay", COMMANDS, envelope.id, "--reason", "mended in release 12")
    said = await paystream(*again)
    assert said.code == 0, said.err
    await payments.becomes(order_id, "paid", timeout_s=10)
    said = await paystream(*again)
    assert (said.code, said.err.partition(":")[0]) == (1, "not-parked")
    shown = await paystream("parked", "show", COMMANDS, envelope.id)
    assert "by asha: mended in release 12" in shown.out


async def test_what_still_cannot_be_processed_stays_parked(payments: Payments, paystream: Operator) -> None:
    order_id = f"o-{new_id()[-12:]}"
    envelope = wrap(LookAgain(order_id=order_id), source="gateway", subject=order_id, time=now_utc())
    await payments.produce(PAYMENTS_COMMANDS, b"another-key", encode(envelope))

    async def listed() -> list[str]:
        rows = await payments.fetch("SELECT message_id FROM inbox WHERE outcome = 'parked' AND body = $1",
                                    encode(envelope))  # fmt: skip
        return [row["message_id"] for row in rows]

    (place,) = await eventually(listed, what="the parked record")
    said = await paystream("parked", "replay", COMMANDS, place, "--reason", "try")
    assert (said.code, said.err.partition(":")[0]) == (1, "wrong-key")
    assert await listed() == [place]


async def test_a_list_that_is_not_whole_says_so(payments: Payments, paystream: Operator) -> None:
    for number in range(2):
        envelope = wrap(LookAgain(order_id="o-1"), source="gateway", subject="o-1", time=now_utc())
        await parked(payments, encode(envelope), f"o-{number}")
    said = await paystream("parked", "list", "--limit", "1", "--json")
    assert len(said.json) == 1
    assert "more is parked at payments" in said.err
    assert "more is parked" not in (await paystream("parked", "list", "--limit", "1000")).err


async def test_a_service_that_is_not_set_up_here_is_said(paystream: Operator) -> None:
    said = await paystream("parked", "list", "--service", "notifier")
    assert (said.code, said.err.strip()) == (
        2,
        "notifier is not set up in this environment: run it where its settings are",
    )
