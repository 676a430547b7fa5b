"""The outbox and its relay: nothing lost, nothing out of order, one publisher at a time."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from services.payments.checkpoints import Checkpoints
from shared import outbox
from shared.database import Listener
from shared.envelope import encode, now_utc
from shared.errors import Unavailable
from shared.kafka import declare
from shared.leases import LEASE_S, Lease
from shared.messages.base import wrap
from shared.outbox import READ_BYTES_MAX, OutboxRow
from shared.service import Kit
from tests.integration.kit.example.messages import EVENTS, REPLIES, Changed, Reply
from tests.integration.kit.parts import parts
from tests.integration.kit.records import order_violations
from tests.integration.kit.system import System, eventually


@pytest.fixture
async def kit(system: System) -> AsyncIterator[Kit]:
    async with parts(system) as made:
        await declare(made.settings.kafka, "example")
        await made.publisher.start()
        await made.lease.renew()
        yield made


def event(account: str, version: int) -> OutboxRow:
    message = Changed(account=account, available=0, paid_out=0)
    envelope = wrap(message, source="example", subject=account, time=now_utc(), version=version)
    return OutboxRow(EVENTS.name, account, envelope.id, encode(envelope))


async def append(kit: Kit, *rows: OutboxRow) -> None:
    async with kit.engine.begin() as connection:
        await outbox.append(connection, rows)


async def pending(system: System) -> list[int]:
    return [row["position"] for row in await system.sql("SELECT position FROM outbox_pending ORDER BY 1")]


async def test_a_row_that_commits_after_a_later_one_was_published_is_published(
    kit: Kit, system: System
) -> None:
    async with kit.engine.begin() as slow:
        await outbox.append(slow, [event("slow", 1)])
        await append(kit, event("quick", 1), event("quick", 2))
        assert await kit.relay.publish_once() == 2
    assert await kit.relay.publish_once() == 1
    assert [seen.envelope.subject for seen in await system.dump(EVENTS)].count("slow") == 1
    assert await pending(system) == []


async def test_rows_stay_until_kafka_has_them(kit: Kit, system: System) -> None:
    await append(kit, event("a", 1))
    await kit.publisher.stop()
    with pytest.raises(Unavailable):
        await kit.relay.publish_once()
    assert await pending(system) == [1]
    await kit.publisher.start()
    assert await kit.relay.publish_once() == 1
    assert [seen.envelope.version for seen in await system.dump(EVENTS)] == [1]


async def test_an_orderly_stop_publishes_what_is_left(kit: Kit, system: System) -> None:
    await append(kit, event("a", 1), event("a", 2))
    kit._relaying = kit._spawn(kit.relay.run)
    await kit._stop()
    assert await pending(system) == []
    assert [seen.envelope.version for seen in await system.dump(EVENTS)] == [1, 2]


async def test_a_relay_whose_lease_another_has_publishes_and_deletes_nothing(
    kit: Kit, system: System
) -> None:
    await append(kit, event("a", 1))
    await system.sql("UPDATE leases SET owner = 'another', until = now() + interval '1 minute'")
    assert kit.lease.held  # it has not noticed yet, as after a freeze
    assert await kit.relay.publish_once() == 1
    assert await pending(system) == [1]  # published, but it is not for us to say so any more
    await kit.lease.renew()
    assert not kit.lease.held
    assert await kit.relay.publish_once() == 0


async def test_many_rows_of_many_keys_and_topics_leave_in_order(kit: Kit, system: System) -> None:
    reply = encode(wrap(Reply(code="ok", answer=""), source="example", subject="r", time=now_utc()))
    for first in range(1, 60, 3):
        rows = [event(f"k{n}", version) for version in range(first, first + 3) for n in range(40)]
        await append(kit, *rows, OutboxRow(REPLIES.name, "r", f"reply-{first}", reply))
    while await kit.relay.publish_once():
        pass
    seen = await system.dump(EVENTS)
    assert len(seen) == 60 * 40
    assert order_violations(seen) == []
    assert await pending(system) == []


async def test_a_backlog_of_large_rows_is_read_in_pieces(kit: Kit) -> None:
    large = [OutboxRow(EVENTS.name, f"k{n}", f"m{n}", b"x" * 880_000) for n in range(20)]
    await append(kit, *large)
    rounds = []
    while published := await kit.relay.publish_once():
        rounds.append(published)
    assert sum(rounds) == 20
    assert max(rounds) * 880_000 <= READ_BYTES_MAX


async def test_no_payload_that_could_stick_gets_into_the_outbox(kit: Kit) -> None:
    with pytest.raises(Exception, match="outbox_payload_check"):
        await append(kit, OutboxRow(EVENTS.name, "k", "m", b"x" * 900_001))


async def test_the_archive_gets_its_next_partition_ahead_of_need(kit: Kit, system: System) -> None:
    await system.sql("SELECT setval(pg_get_serial_sequence('outbox', 'position'), 9999998)")
    await kit.clean_once()
    await append(kit, *(event("a", version) for version in range(1, 5)))
    where = await system.sql("SELECT tableoid::regclass::text AS part, count(*) AS n FROM outbox GROUP BY 1")
    assert {row["part"]: row["n"] for row in where} == {"outbox_0": 1, "outbox_1": 3}
    assert await kit.relay.publish_once() == 4
    assert order_violations(await system.dump(EVENTS)) == []
    with pytest.raises(Exception, match="permission denied"):
        async with kit.engine.begin() as connection:
            await connection.execute(text("DELETE FROM outbox"))


async def test_cleaning_forgets_what_is_old_and_never_what_is_parked(kit: Kit, system: System) -> None:
    old = "now() - interval '91 days'"
    await system.sql(
        f"""INSERT INTO inbox (consumer, message_id, outcome, fingerprint, received_at, topic, body, error)
            SELECT 'c', n::text, CASE WHEN n % 3 = 0 THEN 'parked' ELSE 'applied' END, '', {old}, 't', '', 'e'
            FROM generate_series(1, 9000) n"""
    )
    await system.sql("INSERT INTO inbox VALUES ('c', 'new', 'applied', '')")
    await system.sql(f"INSERT INTO stored_answers VALUES ('p', 'k', 's', '', NULL, NULL, NULL, {old})")
    await system.sql(
        f"""INSERT INTO tasks (kind, key, subject, payload, priority, due_at, closed_at, outcome)
            VALUES ('k', 'closed', 's', '', 1, {old}, {old}, 'done'),
                   ('k', 'open', 's', '', 1, {old}, NULL, NULL)"""
    )
    await kit.clean_once()
    outcomes = await system.sql("SELECT outcome, count(*) AS n FROM inbox GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in outcomes] == [("applied", 1), ("parked", 3000)]
    assert await system.value("SELECT count(*) FROM stored_answers") == 0
    assert await system.value("SELECT array_agg(key) FROM tasks") == ["open"]


async def test_one_holds_the_lease_and_the_next_gets_it_only_when_that_one_knows(kit: Kit) -> None:
    other = Lease(kit.engine, "relay", "example-2")
    await other.renew()
    assert (kit.lease.held, other.held) == (True, False)

    async def taken_over() -> bool:
        await other.renew()
        assert not (kit.lease.held and other.held)
        return other.held

    await eventually(taken_over, timeout_s=LEASE_S + 3, what="the lease runs out")
    await kit.lease.renew()
    assert (kit.lease.held, other.held) == (False, True)
    await other.release()
    await kit.lease.renew()
    assert kit.lease.held


async def test_a_new_process_of_the_same_name_takes_over_at_once_and_only_once(kit: Kit) -> None:
    restarted = Lease(kit.engine, "relay", "example-1")
    await restarted.renew()
    assert restarted.held
    await kit.lease.renew()
    assert not kit.lease.held
    await kit.lease.renew()  # no ping-pong between two that carry one name by mistake
    assert not kit.lease.held
    await restarted.renew()
    assert restarted.held


async def test_an_instance_of_a_name_alike_takes_no_lease_over(kit: Kit) -> None:
    alike = Lease(kit.engine, "relay", "example_1")
    await alike.renew()
    assert (kit.lease.held, alike.held) == (True, False)


async def test_another_instances_commit_wakes_the_leader_by_notify(kit: Kit) -> None:
    heard = asyncio.Event()
    url = kit.settings.database.url.get_secret_value()
    listener = Listener(url, {outbox.WAKE_CHANNEL: lambda _: heard.set()}, schema="example")
    listener.start()
    try:
        await asyncio.wait_for(heard.wait(), 10)  # once on connecting
        heard.clear()
        async with kit.engine.begin() as connection:
            await outbox.notify(connection)
        await asyncio.wait_for(heard.wait(), 5)
    finally:
        await listener.stop()


async def test_no_checkpoint_is_ahead_of_what_waits_for_kafka(kit: Kit, system: System) -> None:
    """Positions are drawn while transactions run: a later one may be of an earlier moment."""
    for seconds in (100, 120):
        await system.sql(f"""
            WITH made AS (
                INSERT INTO outbox (topic, record_key, message_id, payload, created_at)
                VALUES ('{EVENTS.name}', 'slow', 'slow', '', now() - interval '{seconds} s')
                RETURNING position)
            INSERT INTO outbox_pending SELECT position FROM made""")
    until = await Checkpoints(kit.engine, kit.publisher, kit.lease, every_s=60.0).complete_until()
    assert until <= await system.value("SELECT min(created_at) FROM outbox")
