"""Kafka of a stack: what it acknowledged survives SIGKILL, and it is back within seconds."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from devstack.kafka import Kafka
from devstack.kafka_jars import Jar, locked_jars
from devstack.ports import free_ports
from devstack.process import StackError


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    folder = tmp_path_factory.mktemp("broker")
    first, second = free_ports(2)
    kafka = Kafka(folder / "kafka", [(first, second)], folder)
    kafka.start()
    yield kafka
    kafka.kill()


def test_a_cluster_id_is_never_taken_for_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = UUID(int=0xF8 << 120)  # in base64 it begins with `-`
    monkeypatch.setattr("devstack.kafka.uuid.uuid4", lambda: drawn)
    (tmp_path / "kafka").mkdir()
    kafka = Kafka(tmp_path / "kafka", [(1, 2)], tmp_path)
    assert kafka._cluster_id()[0].isalnum()


async def create_topic(bootstrap: str, topic: str, copies: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=copies)])
    finally:
        await admin.close()


async def send_until(stop: asyncio.Event, bootstrap: str, topic: str, acknowledged: list[int]) -> None:
    """Sends numbers one after another, and keeps those that were acknowledged."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        number = 0
        while not stop.is_set():
            await producer.send_and_wait(topic, str(number).encode())
            acknowledged.append(number)
            number += 1


async def read_all(bootstrap: str, topic: str) -> list[int]:
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found: list[int] = []
        while await consumer.position(partition) < end:
            found += [
                int(m.value) for batch in (await consumer.getmany(timeout_ms=500)).values() for m in batch
            ]
        return found


async def until(count: int, acknowledged: list[int], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while len(acknowledged) < count:
            await asyncio.sleep(0.02)


async def test_acknowledged_messages_survive_sigkill(broker: Kafka, topic_prefix: str) -> None:
    topic = f"{topic_prefix}acknowledged"
    await create_topic(broker.bootstrap, topic)
    stop, acknowledged = asyncio.Event(), list[int]()
    sending = asyncio.create_task(send_until(stop, broker.bootstrap, topic, acknowledged))
    await until(200, acknowledged, 30)
    broker.kill()
    at_kill = len(acknowledged)
    began = time.monotonic()
    await asyncio.to_thread(broker.restart)
    away_s = time.monotonic() - began
    await until(at_kill + 100, acknowledged, 60)  # the same producer carries on
    stop.set()
    await sending
    found = await read_all(broker.bootstrap, topic)
    print(f"killed at {at_kill} acknowledged, back after {away_s:.1f} s, {len(acknowledged)} in the end")
    assert found == acknowledged


async def test_an_orderly_restart_keeps_topics(broker: Kafka, topic_prefix: str) -> None:
    topic = f"{topic_prefix}kept"
    await create_topic(broker.bootstrap, topic)
    await asyncio.to_thread(broker.restart)
    assert await read_all(broker.bootstrap, topic) == []


def test_storage_of_one_node_is_not_taken_for_three(broker: Kafka) -> None:
    numbers = free_ports(6)
    three = Kafka(broker.folder, list(zip(numbers[::2], numbers[1::2], strict=True)), broker.logs)
    with pytest.raises(StackError, match="cluster of 1 Kafka node"):
        three.start()
    assert broker.nodes[0].alive


@pytest.mark.timeout(400)  # three brokers on a machine that does other things too
async def test_three_nodes_go_on_when_one_is_killed(tmp_path: Path) -> None:
    numbers = free_ports(6)
    kafka = Kafka(tmp_path / "kafka", list(zip(numbers[::2], numbers[1::2], strict=True)), tmp_path)
    try:
        await asyncio.to_thread(kafka.start)
        await create_topic(kafka.bootstrap, "acknowledged", copies=3)
        stop, acknowledged = asyncio.Event(), list[int]()
        sending = asyncio.create_task(send_until(stop, kafka.bootstrap, "acknowledged", acknowledged))
        await until(50, acknowledged, 60)
        kafka.kill(1)
        await until(len(acknowledged) + 100, acknowledged, 60)
        await asyncio.to_thread(kafka.restart, 1)
        stop.set()
        await sending
        assert await read_all(kafka.bootstrap, "acknowledged") == acknowledged
    finally:
        kafka.kill()


def test_a_jar_that_is_not_the_locked_one_is_noticed(tmp_path: Path) -> None:
    jars = locked_jars()
    assert {"kafka_2.13", "kafka-clients"} <= {jar.artifact for jar in jars if jar.version == "4.3.1"}
    forged = tmp_path / jars[0].filename
    forged.write_bytes(b"not this one")
    assert not jars[0].is_intact(forged)
    digest = "3ebe0d7dd4ba5b1b4b0d5dd2c1cf3ae4fa0bfd2c2c29d4e3ca1e4a1fd1b5b0a0"
    assert not Jar("g", "a", "1", digest).is_intact(forged)
