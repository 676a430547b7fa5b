"""How a control call becomes a route: its answer leaves when the ledger holds what it did."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from devstack.simulator.control import reply
from devstack.simulator.ledger import Ledger
from devstack.simulator.paypal.errors import ApiError

Act = Callable[[web.Request, bytes], object]


def serve(ledger: Ledger, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    """An aiohttp handler that says refusals in their own words and bad bodies with 400."""

    async def handle(request: web.Request) -> web.Response:
        try:
            view = act(request, await request.read())
        except ApiError as error:
            description = error.details[0]["description"] if error.details else str(error)
            problem = {"error": {"issue": error.issue, "description": description}}
            return reply(problem, status=error.status)
        except msgspec.DecodeError as error:
            return reply({"error": {"description": str(error)}}, status=400)
        await ledger.durable()
        return reply(view)

    return handle


def named(request: web.Request) -> str:
    """The id in the path."""
    return request.match_info["id"]
