"""The live status: every change to everyone who listens, on any instance, until the service stops."""

import json
import threading
from typing import Any, Self

import httpx

from tests.integration.gateway.events import created, paid, pending
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.orders import new_order_id, token
from tests.integration.gateway.system import System


class Stream:
    """Reads `…/events` in a thread of its own."""

    def __init__(self, system: System, order_id: str) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self._client = system.http()
        self._order_id = order_id
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._thread.join(5)

    def _read(self) -> None:
        path = f"/api/payments/{self._order_id}/events"
        try:
            with self._client.stream("GET", path, headers=token(self._order_id), timeout=40) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        self.statuses.append(json.loads(line.removeprefix("data: ")))
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()


def test_stream_tells_the_status_at_once_and_then_each_change(system: System) -> None:
    order_id = new_order_id()
    with Stream(system, order_id) as stream:
        eventually(lambda: len(stream.statuses) == 1)
        for n, event in enumerate((created(order_id), pending(order_id), paid(order_id, 3)), start=2):
            system.publish(order_id, event)
            eventually(lambda n=n: len(stream.statuses) == n)  # type: ignore[misc]
    assert [s["status"] for s in stream.statuses] == ["created", "created", "pending_payment", "paid"]
    assert [s["version"] for s in stream.statuses] == [0, 1, 2, 3]


def test_stream_on_another_instance_hears_it_too(system: System) -> None:
    second = system.another("live")
    second.start()
    try:
        order_id = new_order_id()
        client = httpx.Client(base_url=second.url, timeout=20, verify=False)
        with (
            client,
            client.stream("GET", f"/api/payments/{order_id}/events", headers=token(order_id)) as answer,
        ):
            lines = answer.iter_lines()
            while not next(lines).startswith("data: "):
                pass
            system.publish(order_id, created(order_id))
            while not (line := next(lines)).startswith("data: "):
                pass
            assert json.loads(line.removeprefix("data: "))["version"] == 1
    finally:
        assert second.stop() == 0


def test_streams_end_when_the_service_stops(system: System) -> None:
    third = system.another("stops")
    third.start()
    client = httpx.Client(base_url=third.url, timeout=20, verify=False)
    with client, client.stream("GET", "/api/payments/order-1/events", headers=token("order-1")) as answer:
        lines = answer.iter_lines()
        while not next(lines).startswith("data: "):
            pass
        assert third.stop(timeout_s=8) == 0
        assert [line for line in lines if line.startswith("data: ")] == []


def test_streams_are_counted_and_their_place_is_free_again_when_the_reader_goes(system: System) -> None:
    small = system.another("small", GATEWAY_STREAMS_MAX="2")
    small.start()
    path = "/api/payments/order-1/events"
    try:
        with httpx.Client(base_url=small.url, timeout=20, verify=False) as client:

            def opened() -> int:
                with client.stream("GET", path, headers=token("order-1")) as answer:
                    return answer.status_code

            with (
                client.stream("GET", path, headers=token("order-1")) as one,
                client.stream("GET", path, headers=token("order-1")) as two,
            ):
                reading = [one.iter_lines(), two.iter_lines()]  # kept: a reader that is dropped hangs up
                assert [next(lines) for lines in reading] == ["retry: 1000"] * 2
                assert opened() == 503
            eventually(lambda: opened() == 200)
    finally:
        assert small.stop() == 0
