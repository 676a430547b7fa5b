"""What became of a payment: asked once, or followed live."""

from litestar import get
from litestar.response import Stream

from services.gateway.access import READERS, Buyer, Caller, check_order
from services.gateway.checkout import Asked, appearing
from services.gateway.live import Live
from services.gateway.reading import Payments
from services.gateway.views import PaymentDetails, PaymentView, for_buyer, for_server, not_there_yet


@get(
    "/api/payments/{order_id:str}",
    access=READERS,
    refuses="order-not-found database-unavailable",
    summary="Status, money and history of one order's payment",
    description="Buyers get less than servers. A valid token whose order is not here yet gets `created`.",
)
async def status(
    order_id: str, request: Asked, payments: Payments, live: Live
) -> PaymentView | PaymentDetails:
    check_order(request.auth, order_id)
    if not isinstance(request.auth, Buyer):
        await appearing(order_id, request.auth, payments, live)
    return await _view(order_id, request.auth, payments)


@get(
    "/api/payments/{order_id:str}/events",
    access=READERS,
    refuses="order-not-found database-unavailable overloaded",
    media_type="text/event-stream",
    summary="The same live, as Server-Sent Events",
    description="Each event's data is the whole status. Read it by fetch, with the Authorization header.",
)
async def events(order_id: str, request: Asked, payments: Payments, live: Live) -> Stream:
    caller = request.auth
    check_order(caller, order_id)
    if not isinstance(caller, Buyer):
        await appearing(order_id, caller, payments, live)
    await _view(order_id, caller, payments)  # a database that is away is a 503, not a broken stream
    stream = live.stream(order_id, lambda: _view(order_id, caller, payments))
    return Stream(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _view(order_id: str, caller: Caller, payments: Payments) -> PaymentView:
    story = await payments.story(order_id)
    if story is None:
        return not_there_yet(order_id)
    show = for_buyer if isinstance(caller, Buyer) else for_server
    return show(*story)
