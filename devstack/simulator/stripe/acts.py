"""How a control call becomes a route: its answer leaves when the ledger holds what it did."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from devstack.simulator.control import reply
from devstack.simulator.ledger import Ledger
from devstack.simulator.stripe.errors import ApiError

Act = Callable[[web.Request, bytes], object]


def serve(ledger: Ledger, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An aiohttp handler that answers refusals as Stripe does and bad bodies with 400."""

    async def handle(request: web.Request) -> web.Response:
        try:
            view = act(request, await request.read())
        except ApiError as error:
            return web.Response(status=error.status, body=error.body(), content_type="application/json")
        except msgspec.DecodeError as error:
            return reply({"error": {"message": str(error)}}, status=400)
        await ledger.durable()
        return reply(view)

    return handle
