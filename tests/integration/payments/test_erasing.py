"""Webhooks that wait for their order are looked through a page at a time, on a real database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from services.payments import personal
from services.payments.app import MIGRATIONS
from services.payments.personal import places
from services.payments.webhooks import Webhooks
from shared.database import migrate, new_engine
from shared.envelope import encode, now_utc
from shared.messages.base import wrap
from shared.messages.facts import Rematch
from shared.messages.payments import ProviderEventReceived
from shared.privacy.eraser import Wanted
from shared.settings import DatabaseSettings
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
