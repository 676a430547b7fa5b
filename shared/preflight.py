"""What must be true of PostgreSQL and Kafka before money moves; looked at once, at each start.

In production a service refuses to start where something is not; in development it says so and goes on.
"""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import AWAY
from shared.kafka import REPLICAS_SAFE, START_TIMEOUT_S, Topic, configs_of, connection_options
from shared.settings import KafkaSettings

log = structlog.get_logger()

POSTGRES_MIN = 180000  # identity columns on partitioned tables, transaction_timeout, skip scans
_TIME_OUTS = (
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "transaction_timeout",
)


class Unfit(Exception):
    """The servers are set up so that acknowledged work could be lost. The text says what to change."""


async def check(engine: AsyncEngine, kafka: KafkaSettings, topics: Sequence[Topic], *, strict: bool) -> None:
    """Raises Unfit with every problem when `strict`; else logs them. Waits for servers that are away."""
    problems: list[str] | None = None
    while problems is None:
        try:
            async with asyncio.timeout(2 * START_TIMEOUT_S):
                problems = [*await database_problems(engine), *await kafka_problems(kafka, topics)]
        except (KafkaError, *AWAY) as error:
            log.warning("waiting for the servers", error=repr(error)[:200])
            await asyncio.sleep(0.5)
    if problems and strict:
        raise Unfit("; ".join(problems))
    if problems:
        log.info("fit for development only", problems=len(problems), first=problems[0])


async def database_problems(engine: AsyncEngine) -> list[str]:
    """What the database's settings would lose or let hang."""
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT name, setting FROM pg_settings"))
        have = {r.name: r.setting for r in rows}
        isolation = (await connection.execute(text("SHOW transaction_isolation"))).scalar_one()
    problems = [
        f"PostgreSQL: {name} must be on: acknowledged work would be lost or spoilt in a crash"
        for name in ("fsync", "full_page_writes", "data_checksums")
        if have[name] != "on"
    ]
    if have["synchronous_commit"] not in ("on", "remote_write", "remote_apply"):
        problems.append("PostgreSQL: synchronous_commit must be on: commits would be lost in a crash")
    if isolation != "read committed":
        problems.append(f"PostgreSQL: transactions run at {isolation}, not read committed")
    if int(have["server_version_num"]) < POSTGRES_MIN:
        problems.append(f"PostgreSQL {have['server_version']} is too old: 18 is needed")
    problems += [f"PostgreSQL: {name} is not set" for name in _TIME_OUTS if have.get(name, "0") == "0"]
    return problems


async def kafka_problems(settings: KafkaSettings, topics: Sequence[Topic]) -> list[str]:
    """What the topics' settings would lose."""
    names = {settings.topic_prefix + t.name: t for t in topics}
    if not names:
        return []
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    try:
        described = await admin.describe_topics(sorted(names))
    finally:
        await admin.close()
    problems = []
    for topic in described:
        replicas = min((len(p["replicas"]) for p in topic["partitions"]), default=0)
        if replicas < REPLICAS_SAFE:
            problems.append(f"Kafka: {topic['topic']} has {replicas} replicas, not {REPLICAS_SAFE}")
    configs = await configs_of(settings, topics)
    for name, topic in names.items():
        entries = configs[topic.name]
        problems += [
            f"Kafka: {name}: {setting} is {entries.get(setting)}, not {wanted}"
            for setting, wanted in _expected(topic).items()
            if entries.get(setting) != wanted
        ]
    return problems


def _expected(topic: Topic) -> dict[str, str]:
    return {"min.insync.replicas": "2", "unclean.leader.election.enable": "false", **topic.config}
