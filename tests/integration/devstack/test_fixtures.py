"""The fixtures themselves: real servers, alone with one's own names."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.servers import DatabaseUrls


def plain(url: str) -> str:
    return url.replace("postgresql+asyncpg", "postgresql")


async def test_each_role_sees_its_own_schema_only(database_urls: DatabaseUrls) -> None:
    owner = await asyncpg.connect(plain(database_urls.owner("payments")))
    app = await asyncpg.connect(plain(database_urls.app("payments")))
    other = await asyncpg.connect(plain(database_urls.app("gateway")))
    try:
        await owner.execute("CREATE TABLE things (id int PRIMARY KEY)")
        await owner.execute("GRANT SELECT, INSERT ON things TO payments_app")
        await app.execute("INSERT INTO things VALUES (1)")
        assert await app.fetchval("SELECT count(*) FROM payments.things") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE more (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.fetchval("SELECT count(*) FROM payments.things")
    finally:
        for connection in (owner, app, other):
            await connection.close()


async def test_stuck_clients_are_cut_by_role_defaults(database_urls: DatabaseUrls) -> None:
    app = await asyncpg.connect(plain(database_urls.app("payments")))
    try:
        assert await app.fetchval("SHOW lock_timeout") == "2s"
        assert await app.fetchval("SHOW idle_in_transaction_session_timeout") == "5s"
        assert await app.fetchval("SHOW synchronous_commit") == "on"
        assert await app.fetchval("SHOW fsync") == "on"
    finally:
        await app.close()


async def test_a_topic_of_ones_own_carries_a_message(kafka: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}things"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        await producer.send_and_wait(topic, b"hello", key=b"k")
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        message = await consumer.getone()
    assert message.value == b"hello"
