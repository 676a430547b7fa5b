"""Notifier and reconciler while Kafka or PostgreSQL dies under them, and when they are told nonsense.

Everything is counted: documents, mails, mismatches, runs, commands and events, each exactly once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import zip_longest
from typing import Literal

import pytest

from shared.kafka import TOPICS as KAFKA_TOPICS
from shared.messages.reconciler import AcceptMismatch, RunReconciliation
from tests.chaos.checker.read_topics import read_topics
from tests.integration.notifier.messages import envelope
from tests.integration.notifier.system import eventually
from tests.integration.reconciler.system import after, day_of
from tests.integration.reconciler.test_day import id_of
from tests.integration.subscribers.books import TOPICS, audit
from tests.integration.subscribers.poison import inject, poisons
from tests.integration.subscribers.system import GROUPS, Both, wrapped

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = ("orders.events", "payments.events")  # what both learn from
BOOK = "reconciler.payments.events"
BURST = 24  # paid orders, about two seconds of setting documents


@asynccontextmanager
async def list_held(both: Both, delay_s: float = 1.0) -> AsyncIterator[None]:
    """The provider takes its time over its list of payments: whoever asked is in the middle of its run."""
    bites = len(both.simulator.bites())
    held = {"do": "hold", "times": 1, "delay_s": delay_s}
    both.simulator.faults(api=[{"path": "GET /v1/payments", "next": [held]}])

    async def asked() -> bool:
        return len(both.simulator.bites()) > bites

    yield
    await eventually(asked)
    both.simulator.control("DELETE", "/faults")


@pytest.mark.parametrize("engine", ["postgres", "kafka"])
async def test_a_server_dies_in_the_middle_of_a_run_and_of_a_burst_of_paid_orders(
    both: Both, engine: Literal["postgres", "kafka"]
) -> None:
    """Not ready meanwhile; the same processes go on, and nothing is lost, doubled, skipped or misnumbered."""
    strangers = [both.bought(), both.bought()]
    await both.reconciled()
    orders = [both.order() for _ in strangers]
    phantoms = [both.order() for _ in range(3)]
    known = [both.paid(o, bought) for o, bought in zip(orders, strangers, strict=True)]
    await both.tell(*map(both.placed, [*orders, *phantoms]), *known, *map(both.phantom, phantoms))
    await both.in_the_book([*orders, *phantoms])
    await both.quiet()
    before, rest = len(both.sink.taken), [both.order() for _ in range(10)]
    for order in (burst := [both.order() for _ in range(BURST)]):
        await both.tell(both.placed(order), both.paid(order))
    await one_mail_more(both, before)
    async with list_held(both):
        await both.tell(both.run())
    server = getattr(both.engines, engine)
    await asyncio.to_thread(server.kill)
    assert len(both.sink.taken) < before + len(burst), "the burst was over"
    if engine == "kafka":
        await run_ends_without_kafka(both)
    telling = asyncio.create_task(
        both.tell(*(told for order in rest for told in (both.placed(order), both.paid(order))))
    )
    await both.ready(wanted=False)
    if engine == "postgres":
        await run_was_hit(both)
    await asyncio.to_thread(server.restart)
    await telling
    await both.ready()
    await both.run_ended()
    await both.quiet()

    assert await audit(both) == []
    assert both.alive()


async def one_mail_more(both: Both, before: int) -> None:
    async def taken() -> bool:
        return len(both.sink.taken) > before

    await eventually(taken)


async def run_ends_without_kafka(both: Both) -> None:
    """It needs the database alone; what it says waits in the outbox."""

    async def ended() -> bool:
        rows = await both.reconciler.rows(
            "SELECT 1 FROM outbox_pending WHERE NOT EXISTS (SELECT 1 FROM runs WHERE open)"
        )
        return bool(rows)

    await eventually(ended)


async def run_was_hit(both: Both) -> None:
    """The provider has answered, and there is no database to put that in."""

    async def hit() -> bool:
        return bool(await both.metric("reconciler", "paystream_tasks_total", 'kind="reconcile"', "away"))

    await eventually(hit)


# --- messages ---------------------------------------------------------------------------------------------


async def test_bad_messages_are_parked_whole_and_the_rest_has_its_effect_once(both: Both) -> None:
    """Poison, later releases, repetitions and any order, between messages that mean something."""
    accepted, twice = both.bought(), both.bought()
    await both.reconciled()
    counted, offsets = await outcomes(both), await ends(both)
    orders = [both.order() for _ in range(6)]
    placed = [both.placed(order) for order in orders]
    paid = [envelope(both.paid(order)) for order in orders[1:]]
    newest = [envelope(both.paid(orders[0], twice, version=version)) for version in (7, 5, 6)]
    # Paid before they are placed, versions in no order, everything twice and once more under another id.
    again = [envelope(both.paid(order)) for order in orders[1:]]
    good = [*paid, *newest, *placed, *paid, *newest, *again]
    for message, poison in zip_longest(good, poisons(both, paid[0])):
        if poison is not None:
            await inject(both, poison)
        if message is not None:
            await both.tell(message)
    await both.in_the_book(orders)
    await both.quiet()
    for number, order in enumerate(orders[:2]):
        both.expected.resent[order] += 1
        asked, twin = both.resend(order, f"n-{number}"), both.resend(order, f"n-{number}")
        await both.tell(asked, twin, asked)
    await people_say(both, id_of("missing_local", accepted.charge_id))
    async with list_held(both):
        run = both.run()
        await both.tell(run, both.run(), run)
    await both.run_ended()
    await both.quiet()

    assert await audit(both) == []
    book = await both.reconciler.rows(f"SELECT version FROM orders WHERE order_id = '{orders[0]}'")
    assert book == [{"version": 7}]
    assert both.alive()
    now, end = await outcomes(both), await ends(both)
    for group in GROUPS:  # S16: every record is counted under one outcome
        assert now[group] - counted[group] == end[group] - offsets[group] > 0, group


async def test_all_is_read_again_without_a_mail_a_call_or_an_event(both: Both) -> None:
    """The rebuilt book equals the live one, parked messages among its events; documents stay as they are."""
    order, phantom = both.order(), both.order()
    paid = envelope(both.paid(order))
    await both.tell(both.placed(order), paid, both.placed(phantom), both.phantom(phantom))
    for bad in poisons(both, paid):
        await inject(both, bad)
    await both.in_the_book([order, phantom])
    await both.reconciled()
    await both.quiet()
    await both.reconciler.rows("UPDATE tasks SET due_at = now() + interval '1 day' WHERE closed_at IS NULL")
    records = await read_topics(both.engines.kafka.bootstrap, [*READ, *TOPICS])
    mails, calls = len(both.sink.taken), len(both.simulator.ledger()["calls"])

    printed = await asyncio.to_thread(both.reconciler.command, "rebuild")
    done = dict(line.split() for line in printed.strip().splitlines())
    assert done["before"] == done["after"]
    assert int(done["records"]) == len([r for r in records if r.topic == "payments.events"])
    parked = [1 for consumer, _ in both.expected.parked.elements() if consumer == BOOK]
    assert int(done["unreadable"]) == len(parked) > 0

    unread = {value for _, value in both.expected.parked}
    again = [r for r in records if r.topic in READ and r.value not in unread]
    for record in again:
        await both.send(KAFKA_TOPICS[record.topic], record.key.encode(), record.value)
    await both.quiet()
    assert await audit(both) == []
    there = await read_topics(both.engines.kafka.bootstrap, [*READ, *TOPICS])
    assert len(there) == len(records) + len(again)
    assert (len(both.sink.taken), len(both.simulator.ledger()["calls"])) == (mails, calls)


async def people_say(both: Both, mismatch_id: str) -> None:
    """One difference is accepted, in three tries; what else they ask for is refused, and parks nothing."""
    both.expected.ended[mismatch_id] = "accepted"
    said = AcceptMismatch(mismatch_id=mismatch_id, occurrence=1, person="asha", reason="known")
    first = wrapped(said, mismatch_id)
    unknown = AcceptMismatch(mismatch_id="no such", occurrence=1, person="asha", reason="?")
    backwards = RunReconciliation(
        provider="razorpay", day=both.day, since=after(both.day), until=after(day_of(0))
    )
    elsewhere = RunReconciliation(provider="nobody", day=both.day)
    await both.tell(
        first, first, wrapped(said, mismatch_id), wrapped(unknown, "no such"),
        wrapped(backwards, "razorpay/x"), wrapped(elsewhere, "nobody/x"),
    )  # fmt: skip


async def outcomes(both: Both) -> dict[str, float]:
    """How many records each consumer has counted."""
    found = {}
    for group in GROUPS:
        service, label = group.partition(".")[0], f'consumer="{group}"'
        names = ("paystream_messages_total", "paystream_parked_total")
        found[group] = sum([await both.metric(service, name, label) for name in names])
    return found


async def ends(both: Both) -> dict[str, int]:
    found = dict.fromkeys(GROUPS, 0)
    for position in await both.positions():
        found[position.group] += position.end
    return found
