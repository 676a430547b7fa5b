"""An erasure that is cut off in the middle ends with everything blank, on a real database."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.app import MIGRATIONS
from services.notifier.personal import ANNOUNCED, MARK, PLACES, addresses
from shared.database import migrate
from shared.envelope import encode
from shared.errors import Unavailable
from shared.kafka import ORDERS_EVENTS
from shared.messages.base import wrap
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from shared.privacy import eraser
from shared.privacy.eraser import Eraser, Place, Wanted
from shared.privacy.erasures import TASK, Blanked, blank_late
from shared.privacy.parked import blank_parked_late
from shared.service import Kit
from shared.settings import DatabaseSettings, HttpSettings, KafkaSettings, ServiceSettings
from shared.tasks import Answered, ClaimedTask, Later
from tests.servers import Servers, new_database

EMAIL = "asha.rao@buyer.test"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLAIMED = ClaimedTask(1, TASK, "erase:o-1", "o-1", blank_late("o-1").payload, claims=1)


def placed(order_id: str, email: str) -> OrderPlaced:
    lines = (OrderLine(name="Teapot", quantity=1, unit_amount=500),)
    return OrderPlaced(
        order_id=order_id, amount=500, currency="INR", lines=lines, customer=Customer(email=email), revision=1
    )


def announced(order: OrderPlaced) -> bytes:
    return encode(wrap(order, source="payments", subject=order.order_id, time=NOW))


@pytest.fixture
async def database(test_servers: Servers) -> AsyncIterator[tuple[Kit, asyncpg.Connection]]:
    urls = new_database(test_servers.postgres)
    await migrate(urls.owner("notifier"), "notifier", MIGRATIONS)
    kafka = KafkaSettings(bootstrap_servers=test_servers.bootstrap)
    urls_of = DatabaseSettings(
        url=SecretStr(urls.app("notifier")), eraser_url=SecretStr(urls.eraser("notifier"))
    )
    settings = ServiceSettings(
        mode="development",
        kafka=kafka,
        database=urls_of,
        ops=HttpSettings(port=1),
        privacy_key=SecretStr("k" * 20),
    )
    kit = Kit("notifier", settings, MIGRATIONS)
    connection = await asyncpg.connect(
        urls.admin.replace("+asyncpg", ""), server_settings={"search_path": "notifier"}
    )
    yield kit, connection
    await connection.close()
    for stop in kit.stopping:
        await stop()
    await kit.engine.dispose()
    test_servers.postgres.drop_database(urls.name)


async def _away(connection: AsyncConnection, wanted: Wanted) -> int:  # noqa: ARG001 - the shape of a callback
    raise OSError("the database was restarted just now")


async def park(connection: asyncpg.Connection, id_: str, key: str, body: bytes) -> None:
    await connection.execute(
        """INSERT INTO inbox (consumer, message_id, outcome, fingerprint, topic, record_key, body, error)
           VALUES ('notifier.orders.events', $1, 'parked', '', $2, $3, $4, 'of the test')""",
        id_, ORDERS_EVENTS.name, key.encode("utf-8", "surrogateescape"), body,
    )  # fmt: skip


async def test_a_try_that_was_cut_off_leaves_nothing_that_the_next_one_cannot_find(
    database: tuple[Kit, asyncpg.Connection],
) -> None:
    """Once the order is blank, nobody knows by which address to look for what is parked."""
    kit, connection = database
    await connection.execute("INSERT INTO orders (order_id) VALUES ('o-1'), ('o-2')")
    for order in (placed("o-1", EMAIL), placed("o-2", "somebody@else.test")):
        statement = "INSERT INTO order_contents (order_id, revision, content) VALUES ($1, 1, $2)"
        await connection.execute(statement, order.order_id, order.encode())
    await park(connection, "unreadable", "o-9", f'{{"half": "{EMAIL.upper()}'.encode())
    await park(connection, "another order of hers", "o-3", announced(placed("o-3", EMAIL.title())))
    await park(connection, "somebody else's", "o-4", announced(placed("o-4", "somebody@else.test")))

    async def tried(places: Sequence[Place]) -> Answered | Later:
        return await Eraser(kit, places, MARK, addresses)(CLAIMED)

    assert isinstance(await tried((*PLACES, Place("none", "dies here", _away))), Later)
    assert isinstance(await tried(PLACES), Answered)
    left = [r["message_id"] for r in await connection.fetch("SELECT * FROM inbox WHERE outcome = 'parked'")]
    assert left == ["somebody else's"]
    held = [bytes(r["content"]) for r in await connection.fetch("SELECT content FROM order_contents")]
    assert [EMAIL.encode() in content for content in held] == [False, False]
    assert any(b"somebody@else.test" in content for content in held)


async def test_a_place_where_something_has_to_end_first_is_waited_for(
    database: tuple[Kit, asyncpg.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eraser, "BUSY_PAUSE_S", 0.0)
    kit, _ = database
    busy = [True, True]

    async def blank(connection: AsyncConnection, wanted: Wanted) -> int:  # noqa: ARG001 - as places are called
        if busy:
            busy.pop()
            raise Unavailable("busy", "a call has to end first")
        return 3

    said = await Eraser(kit, (Place("calls", "what they hold", blank),), MARK, addresses)(CLAIMED)
    assert isinstance(said, Answered)
    assert isinstance(said.message, Blanked)
    assert [(p.place, p.count) for p in said.message.places] == [("inbox", 0), ("calls", 3)]


async def test_what_nobody_can_read_and_comes_after_the_erasure_is_blanked_by_its_key(
    database: tuple[Kit, asyncpg.Connection],
) -> None:
    kit, connection = database
    await connection.execute("INSERT INTO erased_orders (order_id, erased_at) VALUES ('o-1', now())")
    await park(connection, "hers", "o-1", f'{{"half": "{EMAIL}'.encode())
    await park(connection, "somebody else's", "o-2", b'{"half": "somebody@else.test')
    await park(connection, "of no text", "\udcff\0", b"")
    ours = Eraser(kit, PLACES, MARK, addresses)
    assert ours.engine is not None
    async with ours.engine.begin() as erasing:
        assert await blank_parked_late(erasing) == 1
    left = {r["message_id"] for r in await connection.fetch("SELECT * FROM inbox WHERE outcome = 'parked'")}
    assert left == {"somebody else's", "of no text"}


async def test_what_was_announced_of_a_customer_is_found_by_an_index(
    database: tuple[Kit, asyncpg.Connection],
) -> None:
    """Among the announcements of years a search through all of them runs out of its time, again and again."""
    _, connection = database
    statement = str(ANNOUNCED).replace(":order_ids", "'{o-1}'")
    await connection.execute("SET enable_seqscan = off")  # as the services do
    plan = await connection.fetch(f"EXPLAIN {statement}")
    conditions = [row[0] for row in plan if "Index Cond" in row[0]]
    assert conditions
    assert all("record_key" in condition for condition in conditions)
