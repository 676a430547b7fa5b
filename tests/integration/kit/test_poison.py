"""What cannot be processed is parked, whole and alone; everything else flows (faults F65–F69, F72)."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from devstack.database_server import DatabaseServer
from shared.envelope import MESSAGE_BYTES_MAX, encode, new_id, now_utc
from shared.messages.base import wrap
from tests.integration.kit.books import audit, evidence
from tests.integration.kit.example.messages import (
    COMMANDS,
    EVENTS,
    FACTS,
    Break,
    Changed,
    Deposit,
    FactSeen,
    Link,
)
from tests.integration.kit.system import System, command, eventually, new_example_database

pytestmark = pytest.mark.asyncio(loop_scope="module")
COMMANDS_CONSUMER = "example.example.commands"

GOOD = {
    "id": "fixed", "type": "example.deposit.v1", "source": "test", "subject": "p",
    "time": "2026-01-01T00:00:00Z", "data": {"account": "p", "amount": 1},
}  # fmt: skip


def _json(**changes: Any) -> bytes:
    return json.dumps(GOOD | {"id": new_id()} | changes).encode()


def _data(**changes: Any) -> bytes:
    return _json(data={"account": "p", "amount": 1} | changes)


UNREADABLE: dict[str, tuple[str | bytes | None, bytes]] = {
    "empty value": ("p", b""),
    "null key": (None, _json()),
    "not JSON": ("p", b"{"),
    "JSON that is no object": ("p", b"[]"),
    "JSON null": ("p", b"null"),
    "invalid UTF-8": ("p", _json().replace(b'"test"', b'"\xff\xfe"')),
    "NUL in a string": ("p", _data(account="p\0")),
    "half a surrogate pair": ("p", _json().replace(b'"test"', b'"\\ud800"')),
    "deep nesting": ("p", _json().replace(b'{"account": "p", "amount": 1}', b"[" * 100_000 + b"]" * 100_000)),
    "number as text": ("p", _data(amount="1")),
    "number as float": ("p", _data(amount=1.5)),
    "number beyond 64 bits": ("p", _data(amount=2**70)),
    "field missing": ("p", _json(data={"account": "p"})),
    "id missing": ("p", json.dumps({k: v for k, v in GOOD.items() if k != "id"}).encode()),
    "id empty": ("p", _json(id="")),
    "id as number": ("p", _json(id=7)),
    "id too long": ("p", _json(id="x" * 500)),
    "time without zone": ("p", _json(time="2026-01-01T00:00:00")),
    "time is nonsense": ("p", _json(time="yesterday")),
    "key is not the subject": ("q", _json()),
    "version 0": ("p", _json(type="example.deposit.v0")),
    "version -1": ("p", _json(type="example.deposit.v-1")),
    "version 99": ("p", _json(type="example.deposit.v99")),
    "version abc": ("p", _json(type="example.deposit.vabc")),
    "unknown command": ("p", _json(type="example.steal.v1")),
    "almost a megabyte": ("p", _data(account="p" * MESSAGE_BYTES_MAX)),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    postgres: DatabaseServer, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """One instance that all tests of this file poison in turn; it has to stand it."""
    name = new_example_database(postgres)
    async with System(postgres, name, kafka, tmp_path_factory.mktemp("poison")) as system:
        system.start()
        await system.ready()
        yield system
    postgres.drop_database(name)


async def parked(system: System, consumer: str, bodies: Iterable[bytes]) -> list[asyncpg.Record]:
    """The parked rows with these bodies; all that is parked must be expected by some test of this file."""
    return await system.sql(
        "SELECT * FROM inbox WHERE outcome = 'parked' AND consumer = $1 AND body = ANY($2)",
        consumer,
        list(bodies),
    )


async def test_each_unreadable_command_is_parked_whole_and_the_others_flow(running: System) -> None:
    good = [command(Deposit(account=f"a{n}", amount=1), f"a{n}") for n in range(len(UNREADABLE) * 4)]
    mixed: list[tuple[str | bytes | None, bytes | None]] = []
    for n, poison in enumerate(UNREADABLE.values()):
        mixed += [poison, *good[n * 4 : n * 4 + 4]]
    skipped = await running.metric("paystream_messages_total", "commands", "skipped")
    await running.send(COMMANDS, [*mixed, ("p", None)])  # the last is a tombstone: it means nothing here
    await running.quiet()

    await in_order(running, len(good), f"{len(UNREADABLE)} unreadable of {len(mixed)}")
    rows = await parked(running, COMMANDS_CONSUMER, (body for _, body in UNREADABLE.values()))
    injected = {(k.encode() if isinstance(k, str) else k, v) for k, v in UNREADABLE.values()}
    assert {(row["record_key"], row["body"]) for row in rows} == injected
    assert len(rows) == len(UNREADABLE)
    for row in rows:
        place = f"{row['topic']}/{row['partition']}/{row['record_offset']}"
        assert row["message_id"] == place or row["error"].startswith("DBAPIError")  # read, then refused
        assert row["error"]
        assert "\0" not in row["error"]
    assert await running.metric("paystream_messages_total", "commands", "skipped") == skipped + 1


BREAKING: dict[Literal["raise", "constraint", "data", "slow"], str] = {
    "raise": "no rule",
    "constraint": "accounts_deposited_check",
    "data": "0x00",
    "slow": "statement timeout",
}


async def test_what_a_decider_or_the_database_refuses_is_parked_alone(running: System) -> None:
    good = [command(Deposit(account=f"b{n % 7}", amount=1), f"b{n % 7}") for n in range(100)]
    bad = [command(Break(account=f"b{n}", how=how), f"b{n}") for n, how in enumerate(BREAKING)]
    await running.send(COMMANDS, [*good[:50], *bad, *good[50:]])
    await running.quiet()

    await in_order(running, 100, f"{len(bad)} refused of {len(bad) + len(good)}")
    rows = await parked(running, COMMANDS_CONSUMER, (body for _, body in bad))
    errors = {json.loads(row["body"])["data"]["how"]: row["error"] for row in rows}
    assert len(rows) == len(BREAKING)
    for how, words in BREAKING.items():
        assert words in errors[how]
    assert all(row["message_id"] == json.loads(row["body"])["id"] for row in rows)


async def test_the_same_id_with_another_body_is_parked_with_an_alarm(running: System) -> None:
    first = command(Deposit(account="c", amount=1), "c", id="once")
    forged = command(Deposit(account="c", amount=1000), "c", id="once")
    alarms = await running.metric("paystream_security_alarms_total")
    await running.send(COMMANDS, [first])
    await running.quiet()
    twins = [command(Deposit(account="d", amount=n), "d", id="twins") for n in (1, 2)]
    await running.send(COMMANDS, [forged, first, *twins])
    await running.quiet()

    await in_order(running, 2, "an id used for something else")
    rows = await parked(running, COMMANDS_CONSUMER, (body for _, body in [first, forged, *twins]))
    assert {row["body"] for row in rows} == {forged[1], twins[1][1]}
    assert all(row["error"].startswith("security:") for row in rows)
    assert await running.metric("paystream_security_alarms_total") == alarms + 2


async def test_unknown_events_are_skipped_and_new_versions_of_known_ones_parked(running: System) -> None:
    unknown = _json(type="example.imagined.v1", subject="a")
    newer = _json(type="example.changed.v2", subject="a")
    changed = Changed(account="a", available=1, paid_out=0)
    wrong_key = encode(wrap(changed, source="test", subject="a", time=now_utc()))
    skipped = await running.metric("paystream_messages_total", "events", "skipped")
    await running.send(EVENTS, [("a", unknown), ("a", newer), ("b", wrong_key), ("a", None)])
    await running.quiet(EVENTS)

    rows = await parked(running, "example.example.events", [unknown, newer, wrong_key])
    assert {row["body"] for row in rows} == {newer, wrong_key}
    assert await running.metric("paystream_messages_total", "events", "skipped") == skipped + 2


async def test_any_time_is_taken_and_none_decides_the_order(running: System) -> None:
    times = [
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "2026-01-01T00:00:00-12:00",
    ]
    await running.send(COMMANDS, [("p", _json(time=time)) for time in times])
    await running.quiet()
    await in_order(running, len(times), "odd times")


async def test_what_another_codec_packed_arrives_and_a_bomb_does_not(running: System) -> None:
    packed = AIOKafkaProducer(
        bootstrap_servers=running.bootstrap,
        compression_type="gzip",
        max_request_size=64_000_000,
        max_batch_size=64_000_000,
    )
    await packed.start()
    topic, place = running.prefix + COMMANDS.name, COMMANDS.partition_of(b"g")
    try:
        key, value = command(Deposit(account="g", amount=1), "g")
        await packed.send_and_wait(topic, value, key.encode(), partition=place)
        with pytest.raises(MessageSizeTooLargeError):  # 32 KB on the wire, 32 MB unpacked
            await packed.send_and_wait(topic, b"0" * 32_000_000, key.encode(), partition=place)
    finally:
        await packed.stop()
    await running.quiet()
    await in_order(running, 1, "a packed message")


async def test_a_fact_that_comes_before_its_reference_is_matched_later(running: System) -> None:
    facts = [command(FactSeen(ref=ref, amount=7), ref) for ref in ("r1", "r2")]
    await running.send(FACTS, [*facts, *facts])

    async def searched() -> bool:
        return bool(await running.value("SELECT count(*) = 2 FROM tasks WHERE kind = 'match' AND claims > 0"))

    await eventually(searched, timeout_s=20, what="two searches")
    await running.send(COMMANDS, [command(Link(account=f"of-{r}", ref=r), f"of-{r}") for r in ("r1", "r2")])
    await running.quiet(COMMANDS, FACTS, EVENTS)
    await in_order(running, 14, "early facts")


async def in_order(system: System, deposited: int, what: str) -> None:
    """Everything else is as it must be; `deposited` is what this test added."""
    system.deposited += deposited
    books = await audit(system, system.deposited)
    evidence(what, system, books)
    assert books.wrong == []
