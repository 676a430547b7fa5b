"""What the checkout page asks its own shop: the order to show, and a fresh token."""

from aiohttp import web

from devstack.shop.pages import PAYMENTS, visitor_of
from devstack.shop.payments import OrderRefused, PaymentsAway
from devstack.shop.sessions import Order

routes = web.RouteTableDef()
NO_STORE = {"Cache-Control": "no-store"}


def order_of(request: web.Request) -> Order:
    """The visitor's own order; another's is as unknown as none."""
    order = visitor_of(request).orders.get(request.match_info["order_id"])
    if order is None:
        raise web.HTTPNotFound(text="no such order")
    return order


@routes.get("/orders/{order_id}/checkout")
async def describe(request: web.Request) -> web.Response:
    order = order_of(request)
    lines = [
        {"name": line.name, "quantity": line.quantity, "unitAmount": line.unit_amount, "image": line.image}
        for line in order.lines
    ]
    customer = {"name": order.customer.name, "email": order.customer.email}
    answer = {
        "orderId": order.order_id,
        "currency": order.market.currency,
        "lines": lines,
        "customer": customer,
    }
    return web.json_response(answer, headers=NO_STORE)


@routes.post("/orders/{order_id}/checkout")
async def renew_token(request: web.Request) -> web.Response:
    """A fresh checkout token: telling the gateway of the same order again gives one."""
    try:
        token = await request.app[PAYMENTS].place(order_of(request))
    except (PaymentsAway, OrderRefused) as error:
        raise web.HTTPServiceUnavailable(text="no token now") from error
    return web.json_response({"checkoutToken": token}, headers=NO_STORE)
