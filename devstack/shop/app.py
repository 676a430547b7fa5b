"""Builds the shop from its settings."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from devstack.shop import orders_api, pages
from devstack.shop.payments import Payments
from devstack.shop.security import CHECKOUT_PATH, ProviderOrigins, headers, origin_of, same_origin
from devstack.shop.sessions import Visitors

CLIENT = Path(__file__).parents[2] / "client" / "src"
ACCENT = "#a8481f"
SHOP_NAME = "Mitti"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`providers`: whose scripts and frames the checkout page may load."""

    host: str
    port: int
    gateway: str
    api_key: str
    providers: ProviderOrigins


def build(settings: Settings) -> web.Application:
    gateway = settings.gateway.rstrip("/")
    app = web.Application(middlewares=[same_origin])
    app.on_response_prepare.append(headers(origin_of(gateway), settings.providers))
    # Cookies know no ports: two shops on one machine need two names.
    app[pages.VISITORS] = Visitors(cookie_name=f"shop_{settings.port}")
    app[pages.TEMPLATES] = pages.templates()

    async def payments(app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            app[pages.PAYMENTS] = Payments(session, gateway, settings.api_key)
            yield

    app.cleanup_ctx.append(payments)
    app.add_routes(pages.routes)
    app.add_routes(orders_api.routes)
    app.router.add_get(f"{CHECKOUT_PATH}pages/Checkout/config.json", checkout_config(gateway))
    app.router.add_get("/health", health)
    app.router.add_static(CHECKOUT_PATH, CLIENT)
    app.router.add_static("/static/", pages.HERE / "static")
    app.router.add_get("/{path:.*}", pages.missing)
    return app


def checkout_config(gateway: str) -> Handler:
    """The checkout page's settings, as docs/storefront.md lists them."""
    config = {
        "gatewayUrl": gateway,
        "shopName": SHOP_NAME,
        "accent": ACCENT,
        "locale": "en-IN",
        "backUrl": "/",
        "doneUrl": "/orders/{orderId}",
        "orderUrl": "/orders/{orderId}/checkout",
    }

    async def handler(_request: web.Request) -> web.Response:
        return web.json_response(config)

    return handler


async def health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
