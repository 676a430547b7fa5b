"""Without Kafka or PostgreSQL: a clear no within a second, and recovery without a hand."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from devstack.kafka import Kafka
from devstack.postgres import Postgres
from tests.integration.gateway.events import created
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.orders import captured, new_order_id, order, token, webhook
from tests.integration.gateway.process import server
from tests.integration.gateway.system import System, new_system

Engines = tuple[Postgres, Kafka]


@pytest.fixture(scope="module")
def breakable(own_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    database, broker = own_engines
    folder = tmp_path_factory.mktemp("breakable")
    limits = {"GATEWAY_LIMITS__CLIENT_PER_MINUTE": "100000"}
    with new_system(database.server, broker.bootstrap, folder, **limits) as made:
        yield made


def post_webhook(http: httpx.Client) -> httpx.Response:
    body = captured()
    return http.post("/api/payments/webhook/razorpay", content=body, headers=webhook(body))


def timed(work: httpx.Client) -> tuple[int, float]:
    began = time.monotonic()
    status = post_webhook(work).status_code
    return status, time.monotonic() - began


@contextmanager
def frozen(broker: Kafka) -> Iterator[None]:
    """The broker keeps its connections and says nothing."""
    (node,) = broker.nodes
    node.freeze()
    try:
        yield
    finally:
        node.thaw()


def works_again(system: System) -> None:
    with system.http() as http:
        eventually(lambda: post_webhook(http).status_code == 200, 60)
        order_id = new_order_id()
        body = {"orderId": order_id}
        path = "/api/payments/create-order"
        eventually(lambda: http.post(path, json=body, headers=token(order_id)).status_code == 200, 60)
        eventually(lambda: system.gateway.ready() == 200, 60)


def test_silent_kafka_is_a_503_within_a_second_and_then_at_once(
    breakable: System, own_engines: Engines
) -> None:
    works_again(breakable)
    with breakable.http() as http:
        with frozen(own_engines[1]):
            first = [timed(http)]
            eventually(lambda: timed(http)[1] < 0.1, 10)
            later = [timed(http) for _ in range(20)]
            order_id = new_order_id()
            body = {"orderId": order_id}
            command = http.post("/api/payments/create-order", json=body, headers=token(order_id))
            eventually(lambda: breakable.gateway.ready() == 503)
        assert all(status == 503 for status, _ in first + later)
        assert first[0][1] < 1.0
        assert sorted(seconds for _, seconds in later)[10] < 0.1
        assert (command.status_code, command.json()["code"]) == (503, "kafka-unavailable")
        assert command.headers["retry-after"] == "1"
        works_again(breakable)


def test_many_callers_at_once_all_get_their_503_in_time(breakable: System, own_engines: Engines) -> None:
    works_again(breakable)
    with (
        breakable.http(limits=httpx.Limits(max_connections=64)) as http,
        frozen(own_engines[1]),
        ThreadPoolExecutor(32) as pool,
    ):
        answers = list(pool.map(lambda _: timed(http), range(200)))
        assert {status for status, _ in answers} == {503}
        assert sorted(seconds for _, seconds in answers)[150] < 1.2
    works_again(breakable)


def test_dead_kafka_is_a_503_and_every_200_is_kept_through_its_restart(
    breakable: System, own_engines: Engines
) -> None:
    works_again(breakable)
    broker = own_engines[1]
    accepted: list[bytes] = []

    def post() -> int:
        body = captured()
        answer = http.post("/api/payments/webhook/razorpay", content=body, headers=webhook(body))
        if answer.status_code == 200:
            accepted.append(body)
        return answer.status_code

    with breakable.http() as http:
        for _ in range(30):
            post()
        broker.kill()
        assert {post() for _ in range(5)} == {503}
        broker.restart()
        eventually(lambda: post() == 200, 60)
    assert len(accepted) > 20
    kept = {base64.b64decode(json.loads(bytes(e.data))["body"]) for e in breakable.payments.webhooks()}
    assert kept.issuperset(accepted)


def test_commands_and_webhooks_need_no_database(breakable: System, own_engines: Engines) -> None:
    works_again(breakable)
    database = own_engines[0]
    order_id = new_order_id()
    with breakable.http() as http:
        database.process.freeze()
        try:
            assert post_webhook(http).status_code == 200
            placed = http.post("/api/orders", json=order(order_id), headers=server("shop"))
            assert placed.status_code == 201
            body = {"orderId": order_id}
            opened = http.post("/api/payments/create-order", json=body, headers=token(order_id))
            assert opened.status_code == 200
            status = http.get(f"/api/payments/{order_id}", headers=token(order_id))
            assert (status.status_code, status.json()["code"]) == (503, "database-unavailable")
            assert "gateway_limiter_open_total" in breakable.gateway.metrics()
        finally:
            database.process.thaw()
        breakable.payments.publish(created(order_id), order_id, 1)
        path = f"/api/payments/{order_id}"

        def there() -> bool:
            answer = http.get(path, headers=token(order_id))
            return answer.status_code == 200 and answer.json()["version"] == 1

        eventually(there, 60)
