"""Fixtures: a gateway process, real Kafka and PostgreSQL, and a stand-in for payments."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from devstack.database_server import DatabaseServer
from devstack.kafka import Kafka
from devstack.ports import free_ports
from devstack.postgres import Postgres
from shared.kafka import PAYMENTS_EVENTS
from shared.messages.payments import PaymentEvent
from shared.settings import KafkaSettings
from tests.integration.gateway.background import Background
from tests.integration.gateway.events import created
from tests.integration.gateway.eventually import eventually
from tests.integration.gateway.orders import new_order_id
from tests.integration.gateway.others import STRIPE_SETTINGS, PayPal, paypal_in
from tests.integration.gateway.payments import StandIn, as_the_contract_says
from tests.integration.gateway.process import Gateway, server
from tests.servers import DatabaseUrls, new_database

NO_LIMITS = {
    "GATEWAY_LIMITS__CLIENT_PER_MINUTE": "0",
    "GATEWAY_LIMITS__ORDER_PER_MINUTE": "0",
    "GATEWAY_LIMITS__KEY_PER_MINUTE": "0",
}


@dataclass
class System:
    """What a test sees: the gateway over HTTP, payments' side of the topics, the gateway's schema."""

    gateway: Gateway
    payments: StandIn
    urls: DatabaseUrls
    background: Background
    folder: Path
    paypal: PayPal
    joined: bool = False  # another instance was in the consumer group since all was settled
    _connection: asyncpg.Connection | None = None

    def http(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.gateway.url, timeout=15, verify=False, **options)

    def query(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a statement, run by the administrator in the gateway's schema."""
        return self.background.call(self._query(statement, arguments))

    def another(self, instance: str, **settings: str) -> Gateway:
        """A further instance beside the first; the test stops it."""
        first, self.joined = self.gateway, True
        log = self.folder / f"gateway-{instance}.log"
        port, ops_port = free_ports(2)
        overrides = {**first.settings, **settings}
        return Gateway(
            port, ops_port, first.bootstrap, first.topic_prefix, first.database_url, first.owner_url,
            instance, overrides, log,
        )  # fmt: skip

    def settle(self) -> None:
        """Returns once the first instance reads every partition again.

        An instance that stopped is a member of the group until its session ends, 5 s later.
        """
        waiting: dict[int, str] = {}
        while len(waiting) < PAYMENTS_EVENTS.partitions:
            order_id = new_order_id()
            waiting.setdefault(PAYMENTS_EVENTS.partition_of(order_id.encode()), order_id)
        for order_id in waiting.values():
            self.publish(order_id, created(order_id))
        ids = [*waiting.values()]
        seen = "SELECT count(*) AS n FROM payments WHERE order_id = ANY($1::text[])"
        eventually(lambda: self.query(seen, ids)[0]["n"] == len(ids), timeout_s=60)
        self.joined = False

    def publish(self, order_id: str, *messages: PaymentEvent) -> None:
        """Events of one order, as payments sends them."""
        for message in messages:
            self.payments.publish(message, order_id, message.payment.version)

    def stored(self) -> tuple[int, int]:
        """(messages produced by the gateway, rows that HTTP could have caused). Counters are not rows."""
        rows = self.query("SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM payments) AS n")
        return self.payments.produced(), rows[0]["n"]

    def close(self) -> None:
        if self._connection is not None:
            self.background.call(self._connection.close())

    async def _query(self, statement: str, arguments: Any) -> list[asyncpg.Record]:
        if self._connection is None:
            self._connection = await asyncpg.connect(self.urls.admin.replace("+asyncpg", ""))
            await self._connection.execute("SET search_path = gateway")
        return list(await self._connection.fetch(statement, *arguments))


@contextmanager
def new_system(postgres: DatabaseServer, bootstrap: str, folder: Path, **settings: str) -> Iterator[System]:
    """A gateway with a database and topics of its own. Limits are off unless `settings` say otherwise."""
    urls = new_database(postgres)
    prefix = f"g{secrets.token_hex(5)}."
    background = Background()
    payments = StandIn(KafkaSettings(bootstrap_servers=bootstrap, topic_prefix=prefix), background)
    port, ops_port = free_ports(2)
    with paypal_in(folder) as paypal:
        others = {**STRIPE_SETTINGS, **paypal.settings()}
        gateway = Gateway(
            port, ops_port, bootstrap, prefix, urls.app("gateway"), urls.owner("gateway"),
            settings={**NO_LIMITS, **others, "GATEWAY_COMMAND_LIMIT_S": "3", **settings},
            log=folder / "gateway.log",
        )  # fmt: skip
        made = System(gateway, payments, urls, background, folder, paypal)
        try:
            payments.start()
            gateway.start()
            yield made
        finally:
            made.close()
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.stop()
            payments.stop()
            background.close()
            postgres.drop_database(urls.name)


@pytest.fixture(scope="session")
def running(
    postgres: DatabaseServer, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """One gateway for all tests of this worker."""
    with new_system(postgres, kafka, tmp_path_factory.mktemp("gateway")) as made:
        yield made


@pytest.fixture(scope="module")
def own_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Postgres, Kafka]]:
    """Servers that a test may freeze or kill: nobody else uses them."""
    folder = tmp_path_factory.mktemp("engines")
    database_port, broker_port, controller_port = free_ports(3)
    database = Postgres(folder / "postgres", database_port, folder / "postgres.log")
    broker = Kafka(folder / "kafka", [(broker_port, controller_port)], folder)
    try:
        database.start()
        broker.start()
        yield database, broker
    finally:
        broker.kill()
        database.kill()


@pytest.fixture
def system(running: System) -> Iterator[System]:
    """The running system, with payments answering as the contract says again after each test."""
    running.payments.answer = as_the_contract_says
    running.payments.commands.clear()
    if running.joined:
        running.settle()
    yield running
    running.payments.answer = as_the_contract_says


@pytest.fixture
def http(system: System) -> Iterator[httpx.Client]:
    with system.http() as client:
        yield client


@pytest.fixture
def shop(system: System) -> Iterator[httpx.Client]:
    """The shop's own server, which may write orders and read payments."""
    with system.http(headers=server("shop")) as client:
        yield client
