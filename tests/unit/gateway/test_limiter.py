"""The limiter while its database is in trouble: it lets requests through, and outlives it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.gateway import limits
from services.gateway.limits import Limits
from services.gateway.settings import LimitSettings


@pytest.fixture
async def full() -> AsyncIterator[AsyncEngine]:
    """A pool whose one connection is being made for ever, as to a server that is frozen."""

    async def never() -> object:
        return await asyncio.Event().wait()

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=never, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    holder = asyncio.create_task(engine.connect().start())
    await asyncio.sleep(0)
    yield engine
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    await engine.dispose()


async def test_requests_pass_when_no_connection_is_free(full: AsyncEngine) -> None:
    await Limits(full, LimitSettings()).take("client:198.51.100.7")


async def test_cleaning_goes_on_when_no_connection_is_free(
    full: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part of a service that ends takes the service with it, and webhooks need no database."""
    monkeypatch.setattr(limits, "WINDOW_S", 0.001)
    cleaning = asyncio.create_task(Limits(full, LimitSettings()).clean())
    done, _ = await asyncio.wait({cleaning}, timeout=0.2)
    assert not done, cleaning.exception()
    cleaning.cancel()
