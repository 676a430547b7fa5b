"""Webhooks through real HTTP and real Kafka: the exact bytes, once durable, under a repeatable id."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from shared.envelope import Envelope
from tests.integration.gateway.orders import captured, webhook
from tests.integration.gateway.system import System

RAZORPAY = "/api/payments/webhook/razorpay"


def with_body(system: System, body: bytes) -> list[tuple[Envelope, dict[str, Any]]]:
    """The messages that carry exactly this body."""
    found = [(e, json.loads(bytes(e.data))) for e in system.payments.webhooks()]
    return [(e, data) for e, data in found if base64.b64decode(data["body"]) == body]


@pytest.mark.parametrize("path", [RAZORPAY, "/api/payments/webhook"])
def test_exact_bytes_are_in_kafka_before_the_200(system: System, http: httpx.Client, path: str) -> None:
    payment = "pay_ExactBytes" + path[-3:].replace("/", "x")
    body = captured(payment).replace(b": ", b" :  ")
    headers = webhook(body)
    assert http.post(path, content=body, headers=headers).status_code == 200
    ((envelope, data),) = with_body(system, body)
    assert envelope.type == "payments.provider_event_received.v1"
    assert (data["provider"], data["account"]) == ("razorpay", "acc_BFQ7uQEaa7j2z7")
    assert data["headers"] == {
        "x-razorpay-signature": headers["x-razorpay-signature"],
        "x-razorpay-event-id": headers["x-razorpay-event-id"],
    }
    assert envelope.subject == "order_9A33XWu170gUtm"


def test_repeated_webhook_has_the_same_id_whatever_its_unsigned_header_says(
    system: System, http: httpx.Client
) -> None:
    body = captured()
    for _ in range(3):
        assert http.post(RAZORPAY, content=body, headers=webhook(body)).status_code == 200
    other = captured()
    assert http.post(RAZORPAY, content=other, headers=webhook(other)).status_code == 200
    ids = {envelope.id for envelope, _ in with_body(system, body)}
    assert len(ids) == 1
    assert ids.isdisjoint({envelope.id for envelope, _ in with_body(system, other)})


def test_many_at_once_are_all_kept(system: System) -> None:
    bodies = [captured() for _ in range(200)]

    def post(body: bytes) -> int:
        return client.post(RAZORPAY, content=body, headers=webhook(body)).status_code

    before = system.payments.produced()
    with system.http() as client, ThreadPoolExecutor(32) as pool:
        assert set(pool.map(post, bodies)) == {200}
    assert system.payments.produced() == before + len(bodies)
    kept = {base64.b64decode(json.loads(bytes(e.data))["body"]) for e in system.payments.webhooks()}
    assert kept.issuperset(bodies)


def test_death_after_the_acknowledgement_leaves_one_webhook_under_one_id(
    system: System, http: httpx.Client
) -> None:
    """The provider saw no 200 and sends it again: both messages have the same id."""
    dying = system.another("dies", GATEWAY_FAILPOINT="gateway.after_accept:exit@1")
    dying.start()
    body = captured()
    with httpx.Client(base_url=dying.url, verify=False) as client, pytest.raises(httpx.TransportError):
        client.post(RAZORPAY, content=body, headers=webhook(body))
    assert dying.process is not None
    assert dying.process.wait(10) == -9
    assert len(with_body(system, body)) == 1
    assert http.post(RAZORPAY, content=body, headers=webhook(body)).status_code == 200
    first, second = with_body(system, body)
    assert first[0].id == second[0].id
