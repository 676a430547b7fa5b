"""A PostgreSQL and a Kafka that a test may kill: nobody else uses them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.kafka import Kafka
from devstack.ports import free_ports
from devstack.postgres import Postgres


@dataclass(frozen=True)
class Engines:
    """Both servers of one test module."""

    postgres: Postgres
    kafka: Kafka


@contextmanager
def own_engines(folder: Path) -> Iterator[Engines]:
    """Both in service, on ports of their own; nothing of them is left afterwards."""
    database_port, broker_port, controller_port = free_ports(3)
    database = Postgres(folder / "postgres", database_port, folder / "postgres.log")
    broker = Kafka(folder / "kafka", [(broker_port, controller_port)], folder)
    try:
        with ThreadPoolExecutor() as starting:  # beside each other: each waits for its disk and its clock
            for started in [starting.submit(engine.start) for engine in (database, broker)]:
                started.result()
        yield Engines(database, broker)
    finally:
        broker.kill()
        database.kill()
