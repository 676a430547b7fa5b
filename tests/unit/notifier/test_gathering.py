import asyncio
from collections.abc import Sequence

import pytest

from services.notifier.gathering import BATCH_MAX, Gatherer
from shared.envelope import now_utc
from shared.errors import Unavailable
from shared.inbox import Incoming
from shared.messages.base import wrap
from tests.unit.notifier.examples import PLACED


def result(name: str) -> Incoming:
    envelope = wrap(PLACED, source="notifier", subject="order-1", time=now_utc(), id=name)
    return Incoming(name, envelope, PLACED, b"")


class Book:
    """Takes batches as a database would: slowly, whole, and not at all when one of them is bad."""

    def __init__(self, bad: dict[str, Exception] | None = None) -> None:
        self.batches: list[list[str]] = []
        self.bad = bad or {}

    async def apply(self, batch: Sequence[Incoming]) -> None:
        await asyncio.sleep(0)
        for incoming in batch:
            if incoming.id in self.bad:
                raise self.bad[incoming.id]
        self.batches.append([incoming.id for incoming in batch])


async def test_what_comes_while_a_transaction_runs_shares_the_next_one() -> None:
    book = Book()
    gather = Gatherer(book.apply)
    names = [str(n) for n in range(BATCH_MAX + 10)]
    await asyncio.gather(*(gather(result(name)) for name in names))
    assert [name for batch in book.batches for name in batch] == names
    assert [len(batch) for batch in book.batches] == [BATCH_MAX, 10]
    await gather(result("later"))
    assert book.batches[-1] == ["later"]


async def test_a_result_that_cannot_be_applied_fails_alone() -> None:
    book = Book({"b": ValueError("no decider can have it")})
    gather = Gatherer(book.apply)
    a, b, c = await asyncio.gather(*(gather(result(n)) for n in "abc"), return_exceptions=True)
    assert (a, c) == (None, None)
    assert isinstance(b, ValueError)
    assert sorted(name for batch in book.batches for name in batch) == ["a", "c"]


async def test_a_database_that_is_away_is_heard_of_by_all_and_nothing_is_tried_one_by_one() -> None:
    book = Book({"b": Unavailable("away", "the database is away")})
    gather = Gatherer(book.apply)
    heard = await asyncio.gather(*(gather(result(n)) for n in "abc"), return_exceptions=True)
    assert [type(error) for error in heard] == [Unavailable] * 3
    assert book.batches == []
    book.bad = {}
    await gather(result("a"))
    assert book.batches == [["a"]]


async def test_who_waits_no_longer_keeps_nobody_waiting() -> None:
    book = Book()
    gather = Gatherer(book.apply)
    gone = asyncio.create_task(gather(result("gone")))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    await gather(result("a"))
    assert sorted(name for batch in book.batches for name in batch) == ["a", "gone"]
