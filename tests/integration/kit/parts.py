"""The example's parts inside the test's own process: a migrated database, nothing running by itself."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from shared.apply import Applier
from shared.consume import Loop
from shared.envelope import decode, fingerprint
from shared.inbox import Incoming, Record
from shared.kafka import Topic
from shared.messages.base import Catalogue
from shared.service import Kit
from shared.settings import DatabaseSettings, HttpSettings, KafkaSettings
from tests.integration.kit.example.app import COMMANDS as CATALOGUE
from tests.integration.kit.example.app import ExampleSettings, build
from tests.integration.kit.example.messages import COMMANDS
from tests.integration.kit.system import System


@asynccontextmanager
async def parts(system: System, instance: str = "1", *, migrate: bool = True) -> AsyncIterator[Kit]:
    """One instance's kit, built as its composition root builds it."""
    settings = ExampleSettings(
        instance=instance,
        kafka=KafkaSettings(bootstrap_servers=system.bootstrap, topic_prefix=system.prefix),
        database=DatabaseSettings(
            url=SecretStr(system.url("example_app")), owner_url=SecretStr(system.url("example_owner"))
        ),
        ops=HttpSettings(port=1),
        book=str(system.book),
    )
    kit = build(settings)
    if migrate:
        await kit.migrate()
    try:
        yield kit
    finally:
        await kit.publisher.stop()
        await kit.engine.dispose()


def loop_of(kit: Kit, topic: Topic = COMMANDS) -> Loop[Any]:
    return next(loop for loop in kit.loops if loop.topic == topic)


def deciding(loop: Loop[Any], decide: Any) -> Loop[Any]:
    """The same loop with other rules."""
    return Loop(loop.topic, replace(loop.applier, decide=decide), loop.catalogue, loop.health, commands=True)


def records(messages: Sequence[tuple[str, bytes]], topic: Topic = COMMANDS, start: int = 0) -> list[Record]:
    """As Kafka would hand them over, all in one partition."""
    return [Record(topic.name, 0, start + n, key.encode(), value) for n, (key, value) in enumerate(messages)]


def incoming(message: tuple[str, bytes], catalogue: Catalogue = CATALOGUE) -> Incoming:
    """Decoded, on its way to a decider."""
    key, value = message
    envelope = decode(value)
    decoded = catalogue.decode(envelope)
    record = Record(COMMANDS.name, 0, 0, key.encode(), value)
    return Incoming(envelope.id, envelope, decoded, fingerprint(bytes(envelope.data)), record)


async def apply(applier: Applier[Any], *messages: tuple[str, bytes]) -> None:
    await applier.apply([incoming(m) for m in messages])
