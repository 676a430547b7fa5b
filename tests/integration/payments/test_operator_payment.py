"""`paystream payment`: the story, and the commands of a person, as a process beside the running service."""

import asyncio

import msgspec
import pytest

from shared.envelope import new_id
from shared.messages.payments import CreatePayment, RegisterOrder
from tests.integration.payments.operator import Operator
from tests.integration.payments.system import AMOUNT, Payments, captured, eventually, order

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def paid(payments: Payments) -> tuple[str, str]:
    """(order id, charge id) of an order that the simulator has the money of."""
    order_id, provider_order_id = await payments.opened()
    payment = payments.simulator.pay(provider_order_id, method="card", outcome="success")
    await payments.verify(order_id, provider_order_id)
    await payments.becomes(order_id, "paid")
    return order_id, str(payment["razorpay_payment_id"])


async def test_the_story_goes_from_raw_bytes_to_events(payments: Payments, paystream: Operator) -> None:
    order_id, provider_order_id = await payments.opened()
    body = captured(provider_order_id, f"pay_{order_id}")
    await payments.webhook(body, times=3)
    await payments.becomes(order_id, "paid")

    async def counted() -> bool:
        rows = await payments.fetch("SELECT times FROM provider_event_repeats")
        return any(row["times"] == 2 for row in rows)

    await eventually(counted, what="both repetitions")
    story = (await paystream("payment", "show", order_id, "--json")).json
    (webhook,) = story["webhooks"]
    assert (webhook["verdict"], webhook["outcome"], webhook["times"]) == ("understood", "changed", 3)
    assert webhook["bytes"] == len(body)
    said = [s for s in story["said"] if s["topic"] == "payments.events"]
    assert [s["version"] for s in said] == list(range(1, len(said) + 1))
    by_webhook = [s for s in said if s["cause"] == webhook["message_id"]]
    assert [s["type"] for s in by_webhook] == ["payments.payment_paid.v1"]
    assert by_webhook[-1]["version"] == webhook["version_after"] > webhook["version_before"]
    assert "asha@shop.test" not in str(story), "no personal data"

    shown = await paystream("payment", "show", order_id)
    assert shown.code == 0
    for words in ("₹499.00 paid", "why this one", "preferred", "· stands", "came 3 times",
                  "said v3 payment_paid because of webhook payment.captured"):  # fmt: skip
        assert words in shown.flat, shown.out
    lines = [line for line in shown.out.splitlines() if " webhook " in line or " said v" in line]
    assert "payment_created" in lines[0]
    assert [("webhook payment.captured" in line) for line in lines[-2:]] == [True, True]


async def test_an_unknown_order_is_one_clear_line(paystream: Operator) -> None:
    for command in ("show", "look"):
        said = await paystream("payment", command, "nobodys-order")
        assert said.code == 1
        assert said.refusal == "order-not-found: no order nobodys-order is held here: check the id"


async def test_a_look_reads_the_provider_and_the_rules_do_the_rest(
    payments: Payments, paystream: Operator
) -> None:
    order_id, provider_order_id = await payments.opened()
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    said = await paystream("payment", "look", order_id, "--reason", "the buyer called")
    assert (said.code, said.out.splitlines()[0].split(";")[0]) == (
        0,
        f"every attempt of {order_id} is being read",
    )
    await payments.becomes(order_id, "paid", timeout_s=10)
    (action,) = await payments.fetch("SELECT * FROM operator_actions WHERE order_id = $1", order_id)
    assert (action["person"], action["reason"], action["code"]) == ("asha", "the buyer called", "ok")


async def test_a_refund_asked_for_twice_with_one_nonce_happens_once(
    payments: Payments, paystream: Operator
) -> None:
    order_id, charge_id = await paid(payments)
    wish = (
        "payment",
        "refund",
        order_id,
        "--amount",
        "100",
        "--reason",
        "broken lid",
        "--nonce",
        "n-1-refund",
    )
    first, second = await asyncio.gather(paystream(*wish), paystream(*wish))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert all("of ₹100.00 is" in said.out and "₹399.00 can still be" in said.out for said in (first, second))
    assert [("used before" in said.out) for said in (first, second)].count(True) == 1

    await payments.becomes(order_id, "partially_refunded")
    refunds = [r for r in payments.simulator.ledger()["razorpay"]["refunds"] if r["payment_id"] == charge_id]
    assert [r["amount"] for r in refunds] == [10_000]
    (row,) = await payments.fetch("SELECT * FROM refunds WHERE order_id = $1", order_id)
    assert (row["asked_by"], row["reason"], row["origin"]) == ("asha", "broken lid", "api")
    assert len(await payments.fetch("SELECT 1 FROM operator_actions WHERE order_id = $1", order_id)) == 1
    other = await paystream(
        "payment", "refund", order_id, "--amount", "5", "--reason", "x", "--nonce", "n-1-refund"
    )
    assert other.code == 1
    assert "idempotency-key-reused" in other.err
    story = await paystream("payment", "show", order_id)
    assert "asha refund_payment broken lid → ok" in story.flat
    assert "refund_requested because of asha's refund_payment" in story.flat
    assert "refund_succeeded because of the task refund" in story.flat, story.out


async def test_a_refund_above_the_rest_is_refused_with_what_is_left(
    payments: Payments, paystream: Operator
) -> None:
    order_id, _ = await paid(payments)
    said = await paystream("payment", "refund", order_id, "--amount", "499.01", "--reason", "all")
    assert (said.code, said.out) == (1, "")
    assert said.refusal.startswith("refund-exceeds-remaining: ")
    assert "49900" in said.refusal
    (action,) = await payments.fetch("SELECT code FROM operator_actions WHERE order_id = $1", order_id)
    assert action["code"] == "refund-exceeds-remaining", "a refusal is on record too"
    for amount in ("1.234", "-5", "much"):
        said = await paystream("payment", "refund", order_id, "--amount", amount, "--reason", "x")
        assert (said.code, said.refusal.partition(":")[0]) == (1, "invalid-amount")


async def test_a_write_without_a_reason_is_not_even_tried(paystream: Operator) -> None:
    for command in ("refund", "capture", "mark", "resolve"):
        assert (await paystream("payment", command, "order-1")).code == 2


async def test_money_is_taken_by_hand(payments: Payments, paystream: Operator) -> None:
    order_id = f"o-{new_id()[-12:]}"
    placed = msgspec.structs.replace(order(order_id), capture="manual")
    assert (await payments.ask(RegisterOrder(order=placed), order_id)).code == "ok"
    reply = await payments.ask(CreatePayment(order_id=order_id), order_id)
    provider_order_id = msgspec.json.decode(reply.answer)["provider_order_id"]
    early = await paystream("payment", "capture", order_id, "--reason", "shipped")
    assert (early.code, early.refusal.partition(":")[0]) == (1, "nothing-to-capture")
    payments.simulator.pay(provider_order_id, method="card", outcome="success")
    await payments.verify(order_id, provider_order_id)

    async def authorized() -> bool:
        return bool((await payments.row(order_id))["detail"] == "authorized")

    await eventually(authorized, what="the authorisation")
    said = await paystream("payment", "capture", order_id, "--reason", "shipped")
    assert (said.code, said.out.splitlines()[0]) == (0, f"₹499.00 of {order_id} is being captured"), said.err
    await payments.becomes(order_id, "paid")


async def test_an_order_paid_elsewhere_is_marked_under_a_name(
    payments: Payments, paystream: Operator
) -> None:
    order_id = await payments.placed()
    said = await paystream(
        "payment", "mark", order_id, "--source", "HDFC account", "--reason", "cheque 17", "--person", "ravi"
    )
    assert (said.code, said.out.splitlines()[0]) == (0, f"{order_id} is paid, marked by hand")
    (charge,) = await payments.fetch("SELECT * FROM charges WHERE order_id = $1", order_id)
    assert (charge["provider"], charge["account"]) == ("hand", "HDFC account")
    assert charge["marked_by"] == "ravi: cheque 17"
    again = await paystream("payment", "mark", order_id, "--source", "HDFC", "--reason", "again")
    assert (again.code, again.refusal.partition(":")[0]) == (1, "already-paid")


async def test_a_flag_is_money_at_risk_until_a_person_resolves_it(
    payments: Payments, paystream: Operator
) -> None:
    order_id, provider_order_id = await payments.opened()
    await payments.webhook(captured(provider_order_id, f"pay_{order_id}", AMOUNT - 100))

    async def flagged() -> bool:
        return "payment_flagged" in payments.said(order_id)

    await eventually(flagged, what="PaymentFlagged")
    case = next(c for c in (await paystream("risk", "--json")).json if c["order_id"] == order_id)
    assert (case["kind"], case["amount"], case["subject"]) == ("flag", AMOUNT, f"pay_{order_id}")
    assert f"flags that wait for a person {order_id} ₹499.00" in (await paystream("risk", "--all")).flat
    reason = case["note"].partition(":")[0]
    assert reason in (await paystream("payment", "show", order_id)).flat
    wrong = await paystream("payment", "resolve", order_id, "no_such_flag", "--reason", "seen")
    assert (wrong.code, wrong.refusal.partition(":")[0]) == (1, "flag-not-found")
    said = await paystream("payment", "resolve", order_id, reason, "--reason", "called the buyer")
    assert said.code == 0, said.err
    assert order_id not in [c["order_id"] for c in (await paystream("risk", "--json")).json]
    story = await paystream("payment", "show", order_id)
    assert f"flag {reason} resolved called the buyer" in story.flat


async def test_an_unanswered_refund_is_at_risk_until_it_is_known(
    payments: Payments, paystream: Operator
) -> None:
    order_id, _ = await paid(payments)
    payments.simulator.faults(
        seed=1,
        api=[
            {"path": "POST /v1/payments/*/refund", "next": [{"do": "act_then_drop", "times": 1}]},
            {"path": "GET /v1/payments/*/refunds", "next": [{"do": "drop_before", "times": 500}]},
        ],
    )
    said = await paystream("payment", "refund", order_id, "--reason", "wrong size")
    assert said.code == 0, said.err
    case = next(c for c in (await paystream("risk", "--json")).json if c["order_id"] == order_id)
    assert (case["kind"], case["provider"], case["amount"]) == ("refund", "razorpay", AMOUNT)
    payments.simulator.control("DELETE", "/faults")
    await payments.becomes(order_id, "refunded", timeout_s=60)
    assert order_id not in [c["order_id"] for c in (await paystream("risk", "--json")).json]


async def test_a_database_that_is_away_is_one_clear_line(paystream: Operator) -> None:
    url = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    said = await paystream("payment", "show", "order-1", PAYMENTS_DATABASE__URL=url)
    assert said.code == 3
    assert said.err.startswith("the database does not answer")
    assert said.err.count("\n") == 1
    wish = ("payment", "refund", "order-1", "--reason", "x", "--nonce", "n-1-away")
    said = await paystream(*wish, PAYMENTS_DATABASE__URL=url)
    assert said.code == 3
    assert "ask again with --nonce n-1-away" in said.err, "an answer that got lost is asked for again"


async def test_wrong_settings_and_commands_say_what_is_wrong(paystream: Operator) -> None:
    said = await paystream("risk", PAYMENTS_RAW_DAYS="soon")
    assert (said.code, said.err.count("PAYMENTS_RAW_DAYS")) == (2, 1)
    said = await paystream("pay")
    assert said.code == 2
    assert "there is no command 'pay'" in said.err
    said = await paystream("--help")
    assert said.code == 0
    assert all(name in said.out for name in ("payment", "webhook", "parked", "risk", "doctor"))
