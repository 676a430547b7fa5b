"""Words that occur nowhere by chance, and every place where a running system could have kept them."""

import base64
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from devstack.stack import Stack
from shared.kafka import Topic
from tests.chaos.checker.read_topics import read_topics
from tests.reading import text_of

SCHEMAS = ("gateway", "payments", "notifier", "reconciler")
NESTED = 4  # bytes in JSON in bytes in JSON: how deep base64 is looked into
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")


def plain(value: Any) -> bytes:
    """A value with everything that is packed into it unpacked beside it, in lower case."""
    raw = value if isinstance(value, bytes) else str(value).encode()
    if raw.startswith(b"%PDF"):
        return text_of(raw).encode().lower()
    found, layer = [raw], [raw]
    for _ in range(NESTED):
        layer = [_unpacked(text) for one in layer for text in _BASE64.findall(one)]
        found += layer
    return b"\n".join(found).lower()


def _unpacked(text: bytes) -> bytes:
    text = text.rstrip(b"=")
    return base64.b64decode(text[: len(text) - len(text) % 4])


def holds(values: Iterable[Any], canaries: Iterable[str]) -> set[str]:
    """The canaries that occur anywhere in these values."""
    everything = b"\n".join(plain(value) for value in values)
    return {canary for canary in canaries if canary.lower().encode() in everything}


async def in_databases(stack: Stack, canaries: Iterable[str]) -> dict[str, set[str]]:
    """Every table of every schema that holds a canary, with those it holds."""
    connection = await asyncpg.connect(stack.wiring.database.url("postgres", driver="postgresql"))
    try:
        tables = await connection.fetch(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1)", list(SCHEMAS)
        )
        found = {}
        for schema, table in tables:
            rows = await connection.fetch(f'SELECT * FROM "{schema}"."{table}"')
            if held := holds((value for row in rows for value in row), canaries):
                found[f"{schema}.{table}"] = held
        return found
    finally:
        await connection.close()


async def in_topics(stack: Stack, canaries: Iterable[str]) -> dict[str, set[str]]:
    """Every topic that holds a canary in a record that can still be read."""
    async with _admin(stack) as admin:
        topics = sorted(name for name in await admin.list_topics() if not name.startswith("_"))
    found: dict[str, list[bytes]] = {}
    for record in await read_topics(stack.wiring.bootstrap, topics):
        found.setdefault(record.topic, []).append(record.value or b"")
    return {topic: held for topic, values in found.items() if (held := holds(values, canaries))}


@asynccontextmanager
async def kept_for(stack: Stack, topics: Iterable[Topic], **config: str) -> AsyncIterator[None]:
    """These topics with other settings for a while, as an operator gives them."""
    topics = list(topics)
    async with _admin(stack) as admin:
        await admin.alter_configs([_resource(topic, topic.config | config) for topic in topics])
        try:
            yield
        finally:
            await admin.alter_configs([_resource(topic, topic.config) for topic in topics])


def _resource(topic: Topic, config: dict[str, str]) -> ConfigResource:
    return ConfigResource(ConfigResourceType.TOPIC, topic.name, config)


@asynccontextmanager
async def _admin(stack: Stack) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.wiring.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
