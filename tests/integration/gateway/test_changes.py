"""The list of changes on a table of years: each page reads a bounded part of it, by its index."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from devstack.database_server import DatabaseServer
from services.gateway import reading
from services.gateway.app import MIGRATIONS
from services.gateway.reading import Cursor, Page, Payments
from shared.database import migrate, new_engine
from shared.settings import DatabaseSettings
from tests.integration.gateway.events import created
from tests.servers import new_database

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS = 40  # each changed a minute after the one before it, in a transaction of its own, long ago


@pytest.fixture
async def engine(postgres: DatabaseServer) -> AsyncIterator[AsyncEngine]:
    """The projection of ORDERS orders."""
    urls = new_database(postgres)
    await migrate(urls.owner("gateway"), "gateway", MIGRATIONS)
    settings = DatabaseSettings.model_validate({"url": urls.app("gateway")})
    engine = new_engine(settings, "gateway")
    put = text("""INSERT INTO payments (order_id, version, snapshot, updated_at, changed_by)
                  VALUES (:id, 1, CAST(:snapshot AS json), :at, CAST(CAST(:by AS text) AS xid8))""")
    async with engine.begin() as connection:
        for n in range(ORDERS):
            snapshot = msgspec.json.encode(created(_id(n)).payment).decode()
            row = {"id": _id(n), "snapshot": snapshot, "at": BEGIN + timedelta(minutes=n), "by": str(100 + n)}
            await connection.execute(put, row)
    yield engine
    await engine.dispose()
    postgres.drop_database(urls.name)


def _id(n: int) -> str:
    return f"order-{n:03}"


async def _all(payments: Payments, since: datetime, limit: int) -> tuple[list[str], list[Page]]:
    cursor, pages = Cursor(0, "", since), list[Page]()
    while not pages or pages[-1].more:
        pages.append(await payments.changed(cursor, limit))
        cursor = pages[-1].cursor
    return [p.order_id for page in pages for p in page.payments], pages


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
@pytest.mark.parametrize("first", [0, 1, 13, 39, 40])
async def test_what_is_new_enough_is_listed_once_however_much_is_older(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, first: int, limit: int
) -> None:
    monkeypatch.setattr(reading, "PART", 5)
    monkeypatch.setattr(reading, "SEARCH_S", 0.0)  # the least that one call may do
    listed, pages = await _all(Payments(engine), BEGIN + timedelta(minutes=first), limit)
    assert listed == [_id(n) for n in range(first, ORDERS)]
    assert all(len(page.payments) <= min(limit, 5) for page in pages)


async def test_a_page_is_read_in_the_order_of_an_index(engine: AsyncEngine) -> None:
    """Sorted by anything else, each page costs as much as all that is left."""
    wanted = {"after": "0", "order_id": "", "horizon": "999999999", "span": 10, "since": BEGIN, "limit": 3}
    async with engine.connect() as connection:
        for statement in (reading._CHANGED, reading._END_OF_PART):
            given = {name: wanted[name] for name in statement._bindparams}
            plan = await connection.execute(text(f"EXPLAIN {statement.text}"), given)
            lines = "\n".join(plan.scalars())
            assert "payments_by_change" in lines, lines
            assert "Sort" not in lines, lines
