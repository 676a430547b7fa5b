"""Random ledgers of three legs on a real database: exactly the differences, however a run is cut."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reconciler.app import MIGRATIONS
from services.reconciler.domain.items import Theirs
from services.reconciler.store.columns import column, numbers, times, unnested
from services.reconciler.store.plain import Part, next_part
from services.reconciler.store.runs import Progress, forget_finished
from shared.database import migrate
from tests.integration.reconciler.bench import Bench, Memory, at_the_edges, books_of
from tests.servers import DatabaseUrls
from tests.unit.reconciler.ledgers import DAY, Ledger, drawn

SINCE, UNTIL = DAY, DAY + timedelta(days=9)
NewBench = Callable[..., Bench]
SUBJECTS = text("""
    SELECT object, subject, listed FROM run_subjects
    WHERE run = :run AND (subject, object) > (:subject, :object)
    ORDER BY subject, object LIMIT 100""")


@pytest.fixture
async def migrated(own_urls: DatabaseUrls) -> DatabaseUrls:
    await migrate(own_urls.owner("reconciler"), "reconciler", MIGRATIONS)
    return own_urls


@pytest.fixture
async def new_bench(migrated: DatabaseUrls) -> AsyncIterator[NewBench]:
    benches: list[Bench] = []

    def make(ledger: Ledger, turn_s: float = 30.0, *, settles: bool = True) -> Bench:
        memory = Memory(dict(ledger.theirs), list(ledger.lines))
        benches.append(Bench(migrated, memory, turn_s, settles=settles))
        return benches[-1]

    yield make
    for bench in benches:
        await bench.engine.dispose()


async def found(bench: Bench) -> set[tuple[object, ...]]:
    return set(await bench.rows("SELECT kind, subject FROM mismatches WHERE open"))


async def events(bench: Bench) -> Counter[object]:
    rows = await bench.rows(
        """
        SELECT convert_from(payload, 'UTF8')::json ->> 'type' FROM outbox
        WHERE topic = 'reconciler.events'""".replace("::", "\\:\\:")
    )
    return Counter(type_ for (type_,) in rows)


@pytest.mark.parametrize("seed", range(6))
async def test_the_mismatches_are_exactly_the_differences(new_bench: NewBench, seed: int) -> None:
    draw = random.Random(seed)
    ledger = drawn(draw, 150)
    at_the_edges(draw, ledger)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    done = await bench.run(SINCE, UNTIL)
    assert await found(bench) == ledger.expected
    assert done.mismatches == len(ledger.expected)

    before = await events(bench)
    assert before["reconciler.mismatch_detected.v1"] == len(ledger.expected)
    await bench.run(SINCE, UNTIL)
    after = await events(bench)
    assert after["reconciler.mismatch_detected.v1"] == len(ledger.expected), "each is announced once"
    assert "reconciler.mismatch_resolved.v1" not in after
    assert after["reconciler.reconciliation_completed.v1"] == 2


@pytest.mark.parametrize("seed", [21, 22])
async def test_what_is_passed_over_at_once_would_have_been_found_to_agree(
    new_bench: NewBench, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Judged one by one, the same ledger gives the same counts and mismatches."""
    passed = 0

    async def counted(*asked: Any, settles: bool) -> Part | None:
        nonlocal passed
        part = await next_part(*asked, settles=settles)
        passed += part.plain.agreed if part else 0
        return part

    async def none(connection: AsyncConnection, run: Progress, *_: Any, **__: Any) -> Part | None:
        marked = {"run": run.serial, "object": run.after[0], "subject": run.after[1]}
        rows = [tuple(row) for row in await connection.execute(SUBJECTS, marked)]
        return Part(rows[-1][:2], len(rows), rows, range(1, len(rows) + 1)) if rows else None

    ledger = drawn(random.Random(seed), 150)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    done = []
    for way in (counted, none):
        monkeypatch.setattr("services.reconciler.windows.next_part", way)
        done.append(replace(await bench.run(SINCE, UNTIL), number=0))
    assert done[0] == done[1]
    assert passed >= 20


async def test_a_clean_ledger_has_none_and_all_its_money_is_explained(new_bench: NewBench) -> None:
    ledger = drawn(random.Random(3), 200, damaged=0)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    done = await bench.run(SINCE, UNTIL)
    assert await found(bench) == set()
    assert {f.explained for f in done.figures} == {1.0}
    for currency in ("INR", "USD", "JPY", "KWD"):
        row = next(f for f in done.figures if f.currency == currency)
        ours = [o for o in ledger.ours.values() if o.currency == currency]
        captured = sum(o.amount for o in ours if o.object == "charge" and o.state == "captured")
        refunded = sum(o.amount for o in ours if o.object == "refund" and o.state != "failed")
        disputed = sum(o.amount for o in ours if o.object == "dispute" and o.money == "withdrawn")
        assert (row.captured, row.refunded, row.disputed) == (captured, refunded, disputed)
        # What is pending has no line yet; all else is paid out.
        pending = sum(o.amount for o in ours if o.object == "refund" and o.state == "pending")
        assert row.remaining == row.waiting == -pending
        assert row.captured - row.refunded - row.disputed - row.fees - row.settled == row.remaining


async def test_an_authorisation_that_was_let_go_as_a_refund_is_no_difference(new_bench: NewBench) -> None:
    """Razorpay gives back what nobody captured in the form of a refund; our books have none."""
    ledger = drawn(random.Random(3), 200, damaged=0)
    held = next(o for o in ledger.ours.values() if o.object == "charge" and o.state == "lapsed")
    let_go = Theirs(
        "refund", "rfnd_let_go", held.id, held.provider_order_id, "succeeded", held.amount, held.currency,
        held.at,
    )  # fmt: skip
    ledger.theirs[let_go.key] = let_go
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    await bench.run(SINCE, UNTIL)
    assert await found(bench) == set()


async def test_a_run_cut_into_many_turns_ends_the_same(
    new_bench: NewBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.reconciler.windows.COMPARE_MAX", 7)
    monkeypatch.setattr("services.reconciler.comparing.ASKED_MAX", 3)
    monkeypatch.setattr("services.reconciler.windows.KEEP_MAX", 5)
    monkeypatch.setattr("services.reconciler.store.legs.TAKE_MAX", 11)
    ledger = drawn(random.Random(99), 60)
    bench = new_bench(ledger, turn_s=0.05)
    bench.memory.failures = 3
    bench.memory.slow_above_s = 86_400
    await bench.fill(books_of(ledger), UNTIL)
    done = await bench.run(SINCE, UNTIL, 4000)
    assert await found(bench) == ledger.expected
    assert done.mismatches == len(ledger.expected)
    (subjects,) = await bench.rows("SELECT count(*) FROM run_subjects")
    assert await bench.rows("SELECT compared FROM runs") == [subjects], "each once, wherever a part was cut"


async def test_what_agrees_again_is_resolved_and_what_comes_back_is_the_next_occurrence(
    new_bench: NewBench,
) -> None:
    ledger = drawn(random.Random(5), 30)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    await bench.run(SINCE, UNTIL)
    first = set(await bench.rows("SELECT mismatch_id FROM mismatches WHERE open"))
    kept, bench.memory.records = bench.memory.records, {}
    for table in ("charges", "refunds", "disputes", "settlement_lines"):
        await bench.change(f"DELETE FROM {table}")
    kept_lines, bench.memory.lines = bench.memory.lines, []
    await bench.run(SINCE, UNTIL)
    assert await bench.rows("SELECT 1 FROM mismatches WHERE open") == []
    assert set(await bench.rows("SELECT mismatch_id FROM mismatches")) == first

    bench.memory.records, bench.memory.lines = kept, kept_lines
    await bench.change("DELETE FROM orders")
    await bench.fill(books_of(ledger), UNTIL)
    await bench.run(SINCE, UNTIL)
    again = await bench.rows("SELECT mismatch_id, occurrence FROM mismatches WHERE open")
    assert {(id_,) for id_, _ in again} == first
    assert {occurrence for _, occurrence in again} == {2}


async def test_only_what_seems_to_differ_is_asked_for_by_id(new_bench: NewBench) -> None:
    ledger = drawn(random.Random(7), 100, damaged=0)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    await bench.run(SINCE, UNTIL)
    assert bench.memory.asked == 0


async def test_what_the_list_of_a_day_does_not_show_is_asked_for_before_it_is_missing(
    new_bench: NewBench,
) -> None:
    """Ours of one day may be the provider's of the day before, which nobody has listed: nothing differs."""
    draw = random.Random(17)
    ledger = drawn(draw, 150, damaged=0)
    at_the_edges(draw, ledger)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    await bench.run(SINCE + timedelta(days=1), SINCE + timedelta(days=2))
    assert await found(bench) == set()
    assert bench.memory.asked > 0


async def test_a_fee_that_adds_up_and_is_not_what_was_said_is_found(new_bench: NewBench) -> None:
    ledger = drawn(random.Random(18), 40, damaged=0)
    bench = new_bench(ledger)
    said = {key: t.fee for key, t in ledger.theirs.items() if t.state == "captured" and t.fee is not None}
    mine = next(x for x in ledger.lines if x.key in said and x.currency == ledger.theirs[x.key].currency)
    dear = replace(mine, fee=mine.fee + 100, net=mine.net - 100)
    bench.memory.lines = [dear if x is mine else x for x in ledger.lines]
    await bench.fill(books_of(ledger), UNTIL)
    await bench.run(SINCE, UNTIL)
    assert await found(bench) == {("fee", mine.id)}


async def test_what_no_settlement_paid_out_is_found_a_week_later(new_bench: NewBench) -> None:
    """The day's own run cannot know; the run of the day on which it is due does, and the payout ends it."""
    ledger = drawn(random.Random(11), 40, damaged=0)
    ledger.lines = [replace(x, settlement_id="", at=DAY + timedelta(hours=2)) for x in ledger.lines]
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    day, week = timedelta(days=1), timedelta(days=7)
    for n in range(8):
        await bench.run(SINCE + n * day, SINCE + (n + 1) * day)
        if n < 7:
            assert await found(bench) == set()
    paid = {(x.object, x.id) for x in ledger.lines}
    due = {k for k, o in ledger.ours.items() if k in paid and o.money != "reinstated"}
    due -= {k for k, o in ledger.ours.items() if o.at + week > SINCE + 8 * day}
    assert await found(bench) == {("unsettled", subject) for _, subject in due} != set()

    bench.memory.lines = [replace(x, settlement_id="setl_9") for x in ledger.lines]
    await bench.run(SINCE + 7 * day, SINCE + 8 * day)
    assert await found(bench) == set()


async def test_without_settlements_nothing_is_late(new_bench: NewBench) -> None:
    ledger = drawn(random.Random(13), 40, damaged=0)
    ledger.lines = [replace(x, settlement_id="") for x in ledger.lines]
    bench = new_bench(ledger, settles=False)
    await bench.fill(books_of(ledger), UNTIL)
    done = await bench.run(SINCE, UNTIL)
    assert await found(bench) == set()
    assert all(f.unexplained == 0 for f in done.figures)


async def test_a_finished_run_leaves_nothing_behind(new_bench: NewBench) -> None:
    ledger = drawn(random.Random(8), 20)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    await bench.run(SINCE, UNTIL)
    assert await bench.rows("SELECT 1 FROM run_subjects LIMIT 1")
    async with bench.engine.begin() as connection:
        await forget_finished(connection)
    assert await bench.rows("SELECT 1 FROM run_subjects LIMIT 1") == []


async def test_a_window_waits_until_our_own_book_covers_it(new_bench: NewBench) -> None:
    ledger = drawn(random.Random(10), 5, damaged=0)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL - timedelta(seconds=1))
    with pytest.raises(AssertionError, match="not through"):
        await bench.run(SINCE, UNTIL, turns_max=5)
    await bench.fill([], UNTIL)
    assert (await bench.run(SINCE, UNTIL)).mismatches == 0


@pytest.mark.parametrize("values", [[""], ["", ""], ["a,b", "{x}", 'NULL"', "'", "\\", "é"], ["ab", "c"]])
async def test_a_column_is_the_values_it_was_made_of(new_bench: NewBench, values: list[str]) -> None:
    bench = new_bench(drawn(random.Random(1), 1))
    early = datetime(1969, 12, 31, 23, 59, 59, 1, UTC)
    late = datetime(2200, 1, 1, microsecond=999_999, tzinfo=UTC)
    asked = {"some": column(values), "counts": numbers([1, None, -3]), "ats": times([early, None, late])}
    found = []
    async with bench.engine.connect() as connection:
        for name, type_ in (("some", "text"), ("counts", "bigint"), ("ats", "timestamptz")):
            statement = text(unnested(**{name: type_}))
            found.append(list((await connection.execute(statement, {name: asked[name]})).scalars()))
    assert found == [values, [1, None, -3], [early, None, late]]
    assert column(["a\x1fb", "c"]) == column(["ab", "c"]), "no value moves its neighbours"


async def test_a_book_from_an_older_release_is_not_compared(new_bench: NewBench) -> None:
    ledger = drawn(random.Random(9), 5)
    bench = new_bench(ledger)
    await bench.fill(books_of(ledger), UNTIL)
    await bench.change("UPDATE book SET shape = 1")
    with pytest.raises(AssertionError, match="not through"):
        await bench.run(SINCE, UNTIL, turns_max=5)
