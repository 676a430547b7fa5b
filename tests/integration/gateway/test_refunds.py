"""Refunds and captures through real HTTP and Kafka: what is sent, what is answered, what can be read."""

import json
from datetime import datetime
from typing import Any

import httpx
import pytest

from shared.envelope import Envelope
from shared.messages.payments import PaymentProcessing
from tests.integration.gateway.events import BEGAN, CHARGE, disputed, paid, refund, refunding, snapshot
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.orders import key, new_order_id, token
from tests.integration.gateway.payments import Answer, as_the_contract_says
from tests.integration.gateway.process import server
from tests.integration.gateway.system import System

REFUND = "/api/payments/refund"
CAPTURE = "/api/payments/capture"
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def ask(http: httpx.Client, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    return http.post(path, json=body, headers={**server("till"), **key(), **headers})


def sent(command: Envelope) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(bytes(command.data))
    return data


def test_refund_is_answered_once_it_is_reserved(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    body = {"orderId": order_id, "amount": 19900, "reason": "Cracked lid", "chargeId": "pay_29QQoUBi66xm2f"}
    answer = ask(http, REFUND, body, **key(KEY))
    assert answer.status_code == 201, answer.text
    assert answer.json() == {
        "refundId": "3f0e7f0e-6b1c-5b0e-9a51-0d7e4a4b1c11", "orderId": order_id,
        "chargeId": "pay_29QQoUBi66xm2f", "status": "pending", "amount": 19900, "currency": "INR",
        "refundable": 30000,
    }  # fmt: skip
    (command,) = system.payments.commands
    assert (command.type, command.subject) == ("payments.refund_payment.v1", order_id)
    told = sent(command)
    idempotency = told.pop("idempotency")
    assert told == {
        "order_id": order_id, "amount": 19900, "reason": "Cracked lid", "charge_id": "pay_29QQoUBi66xm2f",
        "by": "till",
    }  # fmt: skip
    assert (idempotency["principal"], idempotency["key"]) == ("till", KEY)


def test_capture_is_answered_once_it_is_decided(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    answer = ask(http, CAPTURE, {"orderId": order_id, "amount": 30000, "reason": "Two of three in stock"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "orderId": order_id, "status": "processing", "detail": "authorized", "version": 3, "amount": 30000,
    }  # fmt: skip
    (command,) = system.payments.commands
    assert command.type == "payments.capture_payment.v1"
    assert {k: v for k, v in sent(command).items() if k != "idempotency"} == {
        "order_id": order_id, "amount": 30000, "by": "till",
    }  # fmt: skip


@pytest.mark.parametrize("path", [REFUND, CAPTURE])
def test_same_request_under_one_key_has_one_fingerprint(
    system: System, http: httpx.Client, path: str
) -> None:
    """Spaces and the order of fields say nothing; quotes around the key are the draft's own form."""
    order_id = new_order_id()
    headers = {**server("till"), "content-type": "application/json"}
    for body, given in (
        (f'{{"orderId":"{order_id}","amount":500}}', KEY),
        (f'{{ "amount" : 500, "orderId": "{order_id}" }}', f'"{KEY}"'),
        (f'{{"orderId":"{order_id}","amount":501}}', KEY),
    ):
        http.post(path, content=body, headers={**headers, **key(given)})
    first, second, other = (sent(c)["idempotency"] for c in system.payments.commands)
    assert first == second
    assert other["key"] == first["key"]
    assert other["fingerprint"] != first["fingerprint"]


def test_keys_are_each_callers_own_and_each_calls(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    for caller, path in (("till", REFUND), ("other till", REFUND), ("till", CAPTURE)):
        http.post(path, json={"orderId": order_id}, headers={**server(caller), **key(KEY)})
    first, second, third = (sent(c)["idempotency"] for c in system.payments.commands)
    assert (first["principal"], second["principal"]) == ("till", "other-till")
    assert first["fingerprint"] == second["fingerprint"]
    assert first["fingerprint"] != third["fingerprint"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("order-not-found", 404), ("not-paid", 409), ("nothing-to-refund", 422), ("dispute-open", 409),
        ("refund-exceeds-remaining", 422), ("not-supported-by-provider", 422), ("outcome-unknown", 409),
        ("idempotency-key-reused", 422), ("in-progress", 409), ("expired", 503), ("not-a-code", 500),
        ("nothing-to-capture", 409), ("capture-exceeds-authorized", 422), ("capture-in-progress", 409),
        ("attempt-in-flight", 409), ("instrument-declined", 409),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [REFUND, CAPTURE])
def test_refusal_has_its_published_status(
    system: System, http: httpx.Client, path: str, code: str, status: int
) -> None:
    system.payments.answer = lambda _: (code, {}, "in words")
    answer = ask(http, path, {"orderId": new_order_id()})
    assert (answer.status_code, answer.json()["code"]) == (status, code if status != 500 else "internal")
    retryable = code in ("outcome-unknown", "in-progress", "expired")
    assert answer.json()["retryable"] is retryable
    assert ("retry-after" in answer.headers) is retryable


def test_refund_of_too_much_tells_what_is_left(system: System, http: httpx.Client) -> None:
    def refuse(_: Envelope) -> Answer:
        return "refund-exceeds-remaining", {"refundable": 30000}, "300.00 INR are left"

    system.payments.answer = refuse
    told = ask(http, REFUND, {"orderId": new_order_id(), "amount": 40000}).json()
    assert (told["refundable"], told["detail"]) == (30000, "300.00 INR are left")


def test_refund_without_an_answer_is_a_202_and_repeats_under_its_key(
    system: System, http: httpx.Client
) -> None:
    system.payments.answer = lambda _: None
    body = {"orderId": new_order_id()}
    assert ask(http, REFUND, body, **key(KEY)).status_code == 202
    system.payments.answer = as_the_contract_says
    assert ask(http, REFUND, body, **key(KEY)).status_code == 201
    first, second = system.payments.commands
    assert first.id != second.id
    assert first.data == second.data


def read(http: httpx.Client, refund_id: str) -> httpx.Response:
    return http.get(f"/api/payments/refunds/{refund_id}", headers=server("reader"))


def test_refund_has_a_life_of_its_own(system: System, http: httpx.Client) -> None:
    order_id, first, second = new_order_id(), new_order_id(), new_order_id()
    system.payments.publish(refunding(order_id, 5, refund(first)), order_id, 5)
    eventually(lambda: read(http, first).status_code == 200)
    assert read(http, first).json() == {
        "refundId": first, "orderId": order_id, "chargeId": CHARGE.charge_id, "status": "pending",
        "amount": 19900, "currency": "INR", "provider": "razorpay", "providerRefundId": None, "origin": "api",
        "reason": "", "failure": "", "createdAt": "2026-03-01T09:05:00Z",
    }  # fmt: skip
    done = refund(first, state="failed", provider_refund_id="rfnd_1", failure="account_closed")
    lost = refund(second, 100, needs_attention=True)
    system.payments.publish(refunding(order_id, 6, done, lost), order_id, 6)
    system.payments.publish(refunding(order_id, 5, refund(first)), order_id, 5)  # an old one comes again
    eventually(lambda: read(http, second).status_code == 200)
    assert (read(http, first).json()["status"], read(http, first).json()["failure"]) == (
        "failed", "account_closed",
    )  # fmt: skip
    assert read(http, second).json()["status"] == "needs_attention"
    seen = http.get(f"/api/payments/{order_id}", headers=token(order_id)).json()
    assert [(r["refundId"], r["status"], r["amount"]) for r in seen["refunds"]] == [
        (first, "failed", 19900), (second, "pending", 100),
    ]  # fmt: skip
    assert all("reason" not in r and "chargeId" not in r for r in seen["refunds"])


@pytest.mark.parametrize("refund_id", ["unknown", "a" * 101, "' OR 1=1", "a%00b", "%2e%2e", "%F0%9F%8D%B5"])
def test_unknown_refund_is_a_404(http: httpx.Client, refund_id: str) -> None:
    answer = read(http, refund_id)
    assert (answer.status_code, answer.json()["code"]) in ((404, "refund-not-found"), (404, "not-found"))


def test_disputes_are_for_servers_only(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    system.payments.publish(paid(order_id, 4), order_id, 4)
    system.payments.publish(disputed(order_id, 5), order_id, 5)
    path = f"/api/payments/{order_id}"

    def seen(headers: dict[str, str]) -> dict[str, Any]:
        answer: dict[str, Any] = http.get(path, headers=headers).json()
        return answer

    eventually(lambda: seen(token(order_id))["version"] == 5)
    buyers = seen(token(order_id))
    assert "disput" not in json.dumps(buyers | {"amounts": {}}).lower()
    assert (buyers["amounts"]["disputed"], buyers["amounts"]["net"]) == (0, 49900)
    assert seen(server("reader"))["amounts"]["disputed"] == 49900
    (dispute,) = seen(server("reader"))["disputes"]
    assert (dispute["kind"], dispute["state"], dispute["money"]) == ("chargeback", "open", "withdrawn")
    assert datetime.fromisoformat(dispute["respondBy"]) > BEGAN


def test_servers_see_until_when_to_capture(system: System, http: httpx.Client) -> None:
    order_id = new_order_id()
    charge = {**{f: getattr(CHARGE, f) for f in CHARGE.__struct_fields__}, "state": "authorized"}
    held = type(CHARGE)(**{**charge, "capture_before": BEGAN})
    payment = snapshot(
        order_id, 3, status="processing", detail="authorized", charges=(held,), capture="manual"
    )
    system.payments.publish(PaymentProcessing(payment=payment), order_id, 3)
    seen = eventually(
        lambda: (
            a.json()
            if (a := http.get(f"/api/payments/{order_id}", headers=server("reader"))).status_code == 200
            else None
        )
    )
    assert isinstance(seen, dict)
    assert (seen["capture"], seen["captureBefore"]) == ("manual", "2026-03-01T09:00:00Z")
    buyers = http.get(f"/api/payments/{order_id}", headers=token(order_id)).json()
    assert {"capture", "captureBefore", "refundable", "disputes"}.isdisjoint(buyers)
