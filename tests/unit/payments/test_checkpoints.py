"""A checkpoint that cannot be made is left out; the service lives on."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.payments.checkpoints import Checkpoints


@pytest.mark.parametrize(
    "error",
    [PoolTimeoutError("no connection free"), asyncpg.CannotConnectNowError("starting up"), OSError("gone")],
)
async def test_a_database_that_is_away_ends_nothing(error: Exception) -> None:
    """What ends here ends the process: any restart of the database would be one of the service."""
    asked = 0

    def connect() -> None:
        nonlocal asked
        asked += 1
        raise error

    engine: Any = SimpleNamespace(connect=connect)
    lease: Any = SimpleNamespace(held=True)
    publisher: Any = None
    running = asyncio.create_task(Checkpoints(engine, publisher, lease, every_s=0.0).run())
    while asked < 3 and not running.done():
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
