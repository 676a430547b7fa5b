"""PostgreSQL of a stack: what it acknowledged survives SIGKILL, and it comes back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from devstack.ports import free_ports
from devstack.postgres import Postgres
from devstack.process import StackError
from devstack.secret_file import database_passwords


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    (port,) = free_ports(1)
    postgres = Postgres(tmp_path / "postgres", port, tmp_path / "postgres.log")
    postgres.start()
    yield postgres
    postgres.kill()


async def write_until_cut(url: str) -> int:
    """Commits row after row; the number of the last whose commit was acknowledged."""
    connection = await asyncpg.connect(url)
    acknowledged = 0
    try:
        while True:
            await connection.execute("INSERT INTO acknowledged VALUES ($1)", acknowledged + 1)
            acknowledged += 1
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return acknowledged
    finally:
        connection.terminate()


async def test_acknowledged_commits_survive_sigkill(server: Postgres) -> None:
    server.server.sql("CREATE TABLE acknowledged (id int PRIMARY KEY)")
    writers = asyncio.create_task(write_until_cut(server.server.admin_url))
    async with asyncio.timeout(30):
        while int(server.server.sql("SELECT count(*) FROM acknowledged")) < 200:
            await asyncio.sleep(0.05)
    server.kill()
    acknowledged = await writers
    assert not server.process.alive
    assert acknowledged >= 200
    server.restart()
    stored = int(server.server.sql("SELECT count(*) FROM acknowledged"))
    assert stored in (acknowledged, acknowledged + 1)  # the last may have been cut before its answer


def test_an_orderly_restart_keeps_roles_and_data(server: Postgres) -> None:
    server.server.sql("CREATE TABLE payments.kept (id int)", database="paystream")
    server.restart()
    assert server.server.sql("SELECT count(*) FROM payments.kept", database="paystream") == "0"
    roles = server.server.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'payments%' ORDER BY 1")
    assert roles.split() == ["payments_app", "payments_eraser", "payments_owner"]


def test_a_role_that_a_newer_release_brings_is_added_to_an_older_stack(server: Postgres) -> None:
    for owned in ("paystream", "paystream_template"):
        server.server.sql(f"REVOKE ALL ON DATABASE {owned} FROM notifier_eraser")
    server.server.sql("DROP ROLE notifier_eraser")
    server.server.prepare()
    url = server.server.url("notifier_eraser", driver="postgresql")

    async def who() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval("SELECT current_user")
        finally:
            await connection.close()

    assert asyncio.run(who()) == "notifier_eraser"


def test_a_second_server_on_the_same_data_is_refused(server: Postgres, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    second = Postgres(tmp_path / "postgres", port, tmp_path / "second.log")
    with pytest.raises(StackError, match="another PostgreSQL"):
        second.start()
    assert server.server.answers()


def test_passwords_are_made_for_each_stack_and_kept_from_others(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "passwords.json", tmp_path / "other" / "passwords.json"
    made = database_passwords(one)
    assert made == database_passwords(one)
    assert not set(made.values()) & set(database_passwords(other).values())
    assert one.stat().st_mode & 0o077 == 0
