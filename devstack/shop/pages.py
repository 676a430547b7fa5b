"""The shop's pages: shelf, basket, order. Forms work without JavaScript; only paying needs it."""

import re
from pathlib import Path

import jinja2
from aiohttp import web

from devstack.shop.basket import Basket, basket_of, money
from devstack.shop.catalogue import MARKETS, PRODUCTS, QUANTITY_MAX
from devstack.shop.payments import OrderRefused, Payments, PaymentsAway
from devstack.shop.sessions import Customer, Order, Visitor, Visitors, new_order_id

HERE = Path(__file__).parent
CHECKOUT_PAGE = "/paystream/pages/Checkout/index.html"
PAYMENTS = web.AppKey("payments", Payments)
VISITORS = web.AppKey("visitors", Visitors)
TEMPLATES = web.AppKey("templates", jinja2.Environment)

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")
NOBODY = Customer("", "")
AWAY = "We cannot reach our payment service just now. Your basket is safe; please try again in a moment."

routes = web.RouteTableDef()


def templates() -> jinja2.Environment:
    """Every value is escaped; a name that is not given is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["money"] = money
    return environment


def visitor_of(request: web.Request) -> Visitor:
    return request.app[VISITORS].of(request)


def page(request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
    """One page in the shop's frame, with the basket's count in its head."""
    visitor = visitor_of(request)
    known = {
        "basket": basket_of(visitor.quantities, visitor.market),
        "last_order_id": visitor.last_order_id,
        "market": visitor.market,
        "markets": MARKETS.values(),
    }
    html = request.app[TEMPLATES].get_template(template).render(known | values)
    return web.Response(
        text=html, content_type="text/html", status=status, headers={"Cache-Control": "no-store"}
    )


@routes.get("/")
async def shelf(request: web.Request) -> web.Response:
    return page(request, "shelf.html", products=PRODUCTS.values())


@routes.get("/products/{slug}")
async def product(request: web.Request) -> web.Response:
    found = PRODUCTS.get(request.match_info["slug"])
    if found is None:
        return page(request, "missing.html", 404)
    others = [other for other in PRODUCTS.values() if other is not found][:4]
    return page(request, "product.html", product=found, others=others)


@routes.post("/market")
async def change_market(request: web.Request) -> web.Response:
    """Prices in another currency from now on; orders that were placed stay what they are."""
    form, visitor = await request.post(), visitor_of(request)
    visitor.market = MARKETS.get(str(form.get("currency")), visitor.market)
    response = web.Response(status=303, headers={"Location": "/basket" if visitor.quantities else "/"})
    request.app[VISITORS].remember(visitor, response)
    return response


@routes.get("/basket")
async def basket(request: web.Request) -> web.Response:
    return basket_page(request)


@routes.post("/basket")
async def change_basket(request: web.Request) -> web.Response:
    """Sets a product's quantity, or adds to it."""
    form, visitor = await request.post(), visitor_of(request)
    slug = str(form.get("product", ""))
    if slug in PRODUCTS:
        before = visitor.quantities.get(slug, 0) if "add" in form else 0
        wanted = before + _quantity(form.get("add", form.get("quantity")))
        visitor.quantities[slug] = min(wanted, QUANTITY_MAX)
        if not wanted:
            del visitor.quantities[slug]
    response = web.Response(status=303, headers={"Location": "/basket"})
    request.app[VISITORS].remember(visitor, response)
    return response


def _quantity(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def basket_page(
    request: web.Request,
    status: int = 200,
    *,
    customer: Customer = NOBODY,
    wrong: dict[str, str] | None = None,
    trouble: str = "",
) -> web.Response:
    """The basket with the buyer's form; `wrong` has a complaint by field."""
    return page(
        request,
        "basket.html",
        status,
        customer=customer,
        wrong=wrong or {},
        trouble=trouble,
        most=QUANTITY_MAX,
    )


@routes.post("/orders")
async def place_order(request: web.Request) -> web.Response:
    """Places the basket as an order, and sends the buyer to the checkout with a token in the fragment."""
    form, visitor = await request.post(), visitor_of(request)
    customer = Customer(str(form.get("name", "")).strip(), str(form.get("email", "")).strip())
    chosen = basket_of(visitor.quantities, visitor.market)
    if not chosen.count:
        raise web.HTTPSeeOther("/basket")
    if wrong := customer.complaints():
        return basket_page(request, 422, customer=customer, wrong=wrong)
    order = _order_for(visitor, chosen, customer)
    try:
        token = await request.app[PAYMENTS].place(order)
    except PaymentsAway:
        return basket_page(request, 503, customer=customer, trouble=AWAY)
    except OrderRefused as refusal:
        trouble = f"This order was not accepted. {refusal}".strip()
        return basket_page(request, 422, customer=customer, trouble=trouble)
    visitor.placing = None
    visitor.orders[order.order_id] = order
    visitor.last_order_id = order.order_id
    visitor.quantities.clear()
    raise web.HTTPSeeOther(f"{CHECKOUT_PAGE}#order={order.order_id}&token={token}")


def _order_for(visitor: Visitor, chosen: Basket, customer: Customer) -> Order:
    """The same order for a repeated press of the button, so that it cannot be placed twice."""
    placing = visitor.placing
    same = placing and (placing.lines, placing.customer, placing.market) == (
        chosen.lines,
        customer,
        chosen.market,
    )
    if placing is None or not same:
        placing = Order(new_order_id(), chosen.lines, customer, chosen.market)
        visitor.placing = placing
    return placing


@routes.get("/orders/{order_id}")
async def order_page(request: web.Request) -> web.Response:
    order = visitor_of(request).orders.get(request.match_info["order_id"])
    if order is None:
        return page(request, "missing.html", 404)
    return page(
        request,
        "order.html",
        order=order,
        market=order.market,
        checkout=f"{CHECKOUT_PAGE}#order={order.order_id}",
    )


@routes.get("/return")
async def come_back(request: web.Request) -> web.Response:
    """Where a provider's own page ends: on with the same order, by its number or by the visit.

    What the provider added tells the checkout what to ask the gateway about; it proves nothing, and goes
    into the fragment, which no log keeps. Stripe's client secret is left behind.
    """
    visitor, query = visitor_of(request), request.query
    order_id = query.get("orderId") or query.get("order") or visitor.last_order_id
    if order_id not in visitor.orders:
        return page(request, "missing.html", 404)
    told = {"order": order_id}
    if "cancelled" in query:
        told["cancelled"] = "1"
    elif "payment_intent" in query:  # Stripe docs, confirmPayment, return_url
        told["payment_intent"] = query["payment_intent"]
    elif "PayerID" in query:  # PayPal docs, Orders v2, return_url
        told["paypal_order_id"] = query.get("token", "")
    # Nothing that could add a word of its own to the fragment.
    said = "&".join(f"{name}={value}" for name, value in told.items() if _PLAIN.fullmatch(value))
    raise web.HTTPSeeOther(f"{CHECKOUT_PAGE}#{said}")


async def missing(request: web.Request) -> web.Response:
    return page(request, "missing.html", 404)
