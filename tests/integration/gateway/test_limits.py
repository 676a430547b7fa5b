"""Rate limits: in force across instances, per client, order and key; spoofed addresses change nothing."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from devstack.database_server import DatabaseServer
from services.gateway import limits
from services.gateway.limits import Limits
from services.gateway.settings import LimitSettings
from shared.database import new_engine
from shared.settings import DatabaseSettings
from tests.integration.gateway.orders import new_order_id, order, token
from tests.integration.gateway.process import Gateway, server
from tests.integration.gateway.system import System, new_system

CLIENT, ORDER, KEY = 60, 20, 30  # a minute's worth each; one a second, one in 3 s, one in 2 s


@pytest.fixture(scope="module")
def two(
    postgres: DatabaseServer, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, Gateway]]:
    settings = {
        "GATEWAY_LIMITS__CLIENT_PER_MINUTE": str(CLIENT),
        "GATEWAY_LIMITS__ORDER_PER_MINUTE": str(ORDER),
        "GATEWAY_LIMITS__KEY_PER_MINUTE": str(KEY),
        "GATEWAY_LIMITS__TIMEOUT_S": "10",  # a busy machine must not open the limit under test
        "GATEWAY_TRUSTED_PROXIES": '["192.0.2.0/24"]',
    }
    with new_system(postgres, kafka, tmp_path_factory.mktemp("limits"), **settings) as first:
        second = first.another("2")
        second.start()
        yield first, second
        second.stop()


@pytest.fixture(autouse=True)
def empty_buckets(two: tuple[System, Gateway]) -> None:
    two[0].query("DELETE FROM rate_limits")


def many(two: tuple[System, Gateway], count: int, headers: list[dict[str, str]]) -> Counter[int]:
    """Statuses of reads sent at once to both instances, with each of the headers in turn."""
    urls = [two[0].gateway.url, two[1].url]

    def ask(n: int) -> int:
        given = headers[n % len(headers)]
        order_id = given.get("x-order", "order-1")
        return client.get(f"{urls[n % 2]}/api/payments/{order_id}", headers=given).status_code

    with httpx.Client(verify=False, timeout=30) as client, ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(ask, range(count)))


def within(counted: int, limit: int, seconds_allowed: float) -> bool:
    """The limit at once, and what dripped in while the test ran; none missing."""
    return limit <= counted <= limit * (1 + seconds_allowed / 60) + 1


def test_limit_per_order_holds_across_instances(two: tuple[System, Gateway]) -> None:
    statuses = many(two, 50, [token("order-1")])
    assert statuses[429] > 0
    assert within(statuses[200], ORDER, 15), statuses


def test_limit_per_client_holds_across_orders_and_instances(two: tuple[System, Gateway]) -> None:
    buyers = [{**token(o), "x-order": o} for o in (new_order_id() for _ in range(100))]
    statuses = many(two, 100, buyers)
    assert within(statuses[200], CLIENT, 15), statuses


def test_strangers_are_limited_too(two: tuple[System, Gateway]) -> None:
    statuses = many(two, 100, [{"authorization": "Bearer guess"}])
    assert within(statuses[401], CLIENT, 15), statuses
    assert set(statuses) == {401, 429}


def test_spoofed_addresses_share_one_bucket(two: tuple[System, Gateway]) -> None:
    spoofed = [
        {"authorization": "Bearer guess", name: f"198.51.100.{n}"}
        for n in range(50)
        for name in ("x-forwarded-for", "forwarded", "x-real-ip")
    ]
    statuses = many(two, 100, spoofed)
    assert within(statuses[401], CLIENT, 15), statuses


def test_limit_per_key_does_not_touch_buyers(two: tuple[System, Gateway]) -> None:
    with httpx.Client(base_url=two[0].gateway.url, verify=False, timeout=30) as client:
        placed = Counter(
            client.post("/api/orders", json=order(), headers=server("shop")).status_code for _ in range(60)
        )
        assert within(placed[201], KEY, 30), placed
        order_id = new_order_id()
        assert client.get(f"/api/payments/{order_id}", headers=token(order_id)).status_code == 200
        assert client.get("/api/payments", headers=server("reader")).status_code == 200


async def test_every_empty_bucket_is_forgotten_however_many_there_are(
    two: tuple[System, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With less forgotten in a minute than buyers come, the table would grow for ever."""
    monkeypatch.setattr(limits, "FORGOTTEN_AT_ONCE", 10)
    two[0].query("""INSERT INTO rate_limits SELECT 'client:' || n, now() - interval '1 second'
                    FROM generate_series(1, 25) n UNION SELECT 'client:full', now() + interval '1 minute'""")
    engine = new_engine(DatabaseSettings.model_validate({"url": two[0].urls.app("gateway")}), "gateway")
    await Limits(engine, LimitSettings()).forget()
    await engine.dispose()
    assert [row["bucket"] for row in two[0].query("SELECT bucket FROM rate_limits")] == ["client:full"]


def test_refusal_says_when_to_come_back(two: tuple[System, Gateway]) -> None:
    with httpx.Client(base_url=two[0].gateway.url, verify=False, timeout=30) as client:
        answers = [client.get("/api/payments/order-1", headers=token("order-1")) for _ in range(40)]
    limited = next(a for a in answers if a.status_code == 429)
    assert limited.json()["code"] == "rate-limited"
    assert limited.json()["retryable"] is True
    assert int(limited.headers["retry-after"]) == 60 // ORDER
