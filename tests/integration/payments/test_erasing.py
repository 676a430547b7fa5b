"""What payments blanks beside others' work, on a real database: waiting webhooks, contents being replaced."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import event

from services.payments import personal
from services.payments.app import MIGRATIONS
from services.payments.personal import places
from services.payments.webhooks import Webhooks
from shared.database import migrate, new_engine
from shared.envelope import encode, now_utc
from shared.errors import Unavailable
from shared.messages.base import wrap
from shared.messages.facts import Rematch
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from shared.messages.payments import ProviderEventReceived
from shared.privacy.customers import blanked
from shared.privacy.eraser import Wanted
from shared.settings import DatabaseSettings
from tests.integration.payments.system import eventually
from tests.servers import DatabaseUrls, Servers, new_database

EMAIL = "asha.rao@buyer.test"


@pytest.fixture
async def urls(test_servers: Servers) -> AsyncIterator[DatabaseUrls]:
    urls = new_database(test_servers.postgres)
    await migrate(urls.owner("payments"), "payments", MIGRATIONS)
    yield urls
    test_servers.postgres.drop_database(urls.name)


def search(email: str) -> bytes:
    webhook = ProviderEventReceived(
        provider="razorpay", account="acc_1", headers={}, body=f'"{email}"'.encode(), received_at=now_utc()
    )
    envelope = wrap(webhook, source="gateway", subject="pay_1", time=now_utc())
    return Rematch(envelope=encode(envelope), tries=1).encode()


async def test_all_that_wait_are_looked_through_and_only_theirs_are_given_up(
    urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(personal, "SEARCHES_AT_ONCE", 2)
    connection = await asyncpg.connect(
        urls.admin.replace("+asyncpg", ""), server_settings={"search_path": "payments"}
    )
    for n in range(7):
        await connection.execute(
            """INSERT INTO tasks (kind, key, subject, payload, priority, due_at)
               VALUES ('match', $1, 'unmatched', $2, 50, now())""",
            f"match:w-{n}", search(EMAIL if n % 3 == 0 else "somebody@else.test"),
        )  # fmt: skip
    engine = new_engine(DatabaseSettings(url=SecretStr(urls.eraser("payments"))), "payments")
    searches = places(Webhooks({}))[0]
    async with engine.connect() as erasing:
        assert await searches.blank(erasing, Wanted(("o-1",), (EMAIL,))) == 3
        await erasing.commit()
    await engine.dispose()
    rows = await connection.fetch("SELECT key FROM tasks WHERE payload = '{}' AND closed_at IS NOT NULL")
    await connection.close()
    assert {row["key"] for row in rows} == {"match:w-0", "match:w-3", "match:w-6"}


async def test_a_webhook_that_is_just_being_looked_up_is_blanked_when_that_is_over(
    urls: DatabaseUrls,
) -> None:
    """Who looks it up holds its bytes, and writes them into the task of the next try."""
    connection = await asyncpg.connect(
        urls.admin.replace("+asyncpg", ""), server_settings={"search_path": "payments"}
    )
    await connection.execute(
        """INSERT INTO tasks (kind, key, subject, payload, priority, due_at, lease_owner, lease_until)
           VALUES ('match', 'match:w-1', 'unmatched', $1, 50, now(), 'p-1',
                   now() + interval '1 min')""",
        search(EMAIL),
    )
    engine = new_engine(DatabaseSettings(url=SecretStr(urls.eraser("payments"))), "payments")
    searches, wanted = places(Webhooks({}))[0], Wanted(("o-1",), (EMAIL,))
    async with engine.connect() as erasing:
        with pytest.raises(Unavailable, match="under-way"):
            await searches.blank(erasing, wanted)
        await connection.execute("UPDATE tasks SET lease_owner = NULL, lease_until = NULL")
        assert await searches.blank(erasing, wanted) == 1
        await erasing.commit()
    await engine.dispose()
    rows = await connection.fetch("SELECT 1 FROM tasks WHERE payload <> '{}'")
    await connection.close()
    assert rows == []


async def test_a_long_search_goes_on_where_the_try_before_was_cut_off(
    urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would begin anew in each try, and never be through."""
    monkeypatch.setattr(personal, "UNMATCHED_AT_ONCE", 2)
    connection = await asyncpg.connect(
        urls.admin.replace("+asyncpg", ""), server_settings={"search_path": "payments"}
    )
    for n in range(7):
        await connection.execute(
            """INSERT INTO provider_events (received_at, message_id, provider, account, event_type, verdict,
                                            headers, body)
               VALUES (now(), $1, 'razorpay', 'acc_1', 'payment.captured', 'other_account', '{}', $2)""",
            f"w-{n}", f"of {EMAIL if n % 3 == 0 else 'somebody@else.test'}".encode(),
        )  # fmt: skip
    engine = new_engine(DatabaseSettings(url=SecretStr(urls.eraser("payments"))), "payments")
    webhooks, wanted, pages = places(Webhooks({}))[1], Wanted(("o-1",), (EMAIL,)), 0

    def cut_off(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal pages
        if "order_id IS NULL" not in statement:
            return
        pages += 1
        if pages == 3:
            raise OSError("the try has no more time")

    event.listen(engine.sync_engine, "before_cursor_execute", cut_off)
    async with engine.connect() as erasing:
        with pytest.raises(OSError, match="no more time"):
            await webhooks.blank(erasing, wanted)
    async with engine.connect() as erasing:
        assert await webhooks.blank(erasing, wanted) == 1, "two of three were blanked by the first try"
    await engine.dispose()
    rows = await connection.fetch("SELECT message_id FROM provider_events WHERE body = '' ORDER BY 1")
    await connection.close()
    assert [row["message_id"] for row in rows] == ["w-0", "w-3", "w-6"]
    assert pages == 6, "two, the one that was cut off, the last two and the end"


async def test_a_content_that_is_just_being_replaced_is_not_put_back(urls: DatabaseUrls) -> None:
    """The shop changes the order in the moment in which its customer is blanked."""
    engine = new_engine(DatabaseSettings(url=SecretStr(urls.eraser("payments"))), "payments")
    admin, shop = [
        await asyncpg.connect(urls.admin.replace("+asyncpg", ""), server_settings={"search_path": "payments"})
        for _ in range(2)
    ]
    await admin.execute(
        """INSERT INTO payments (id, order_id, amount, currency, status, previous_status, detail, version,
                                 capture, revision, content, fingerprint, created_at, updated_at, closes_at)
           VALUES (gen_random_uuid(), 'o-1', 500, 'INR', 'created', 'created', '', 1,
                   'automatic', 1, $1, '', now(), now(), now())""",
        placed(500).encode(),
    )
    newer = blanked(placed(700))
    changing = shop.transaction()
    await changing.start()
    await shop.execute("UPDATE payments SET amount = 700, content = $1", newer.encode())

    async def blank() -> None:
        async with engine.connect() as erasing:
            await places(Webhooks({}))[-1].blank(erasing, Wanted(("o-1",), (EMAIL,)))
            await erasing.commit()

    async def waits() -> bool:
        statement = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(await admin.fetch(statement))

    blanking = asyncio.create_task(blank())
    await eventually(waits, what="the lock")
    await changing.commit()
    await blanking
    (row,) = await admin.fetch("SELECT content FROM payments")
    await engine.dispose()
    await asyncio.gather(admin.close(), shop.close())
    assert bytes(row["content"]) == newer.encode()


def placed(amount: int) -> OrderPlaced:
    lines = (OrderLine(name="Teapot", quantity=1, unit_amount=amount),)
    return OrderPlaced(
        order_id="o-1", amount=amount, currency="INR", lines=lines, customer=Customer(email=EMAIL), revision=1
    )
