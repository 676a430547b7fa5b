"""A database that is silent: the limiter lets requests through and outlives it, reads say that it is away."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.gateway import checkout, limits, reading
from services.gateway.access import Server
from services.gateway.checkout import appearing
from services.gateway.limits import Limits
from services.gateway.live import Live
from services.gateway.reading import Payments
from services.gateway.settings import LimitSettings
from shared.errors import Unavailable
from shared.health import Health


@pytest.fixture
async def full() -> AsyncIterator[AsyncEngine]:
    """A pool whose one connection is being made for ever, as to a server that is frozen."""

    async def never() -> object:
        return await asyncio.Event().wait()

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=never, pool_size=1, max_overflow=0, pool_timeout=0.02
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


async def test_an_order_is_not_unknown_because_the_database_is_slow(
    full: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shop that is told 404 believes that the order was never placed."""
    monkeypatch.setattr(checkout, "APPEARS_WITHIN_S", 0.001)
    monkeypatch.setattr(reading, "READ_S", 0.01)
    shop = Server("shop", frozenset({"payments:read"}))
    with pytest.raises(Unavailable, match="database-unavailable"):
        await appearing("order-1", shop, Payments(full), Live(Health(), streams_max=1))
