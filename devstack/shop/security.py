"""What every page of the shop allows a browser to do: as little as it needs."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

CHECKOUT_PATH = "/paystream/"


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def content_policy(gateway: str, provider: str, *, checkout: bool) -> str:
    """No inline script or style anywhere; the provider's script and frames on the checkout alone."""
    rules = {
        "default-src": "'none'",
        "script-src": f"'self' {provider}" if checkout else "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"'self' {gateway}",
        "frame-src": provider if checkout else "'none'",
        # Without a popup the provider's script posts the result to the gateway, which redirects here.
        "form-action": f"'self' {provider} {gateway}" if checkout else "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def headers(gateway: str, provider: str) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Puts the policy on every answer, refusals included."""
    shop_policy = content_policy(gateway, provider, checkout=False)
    checkout_policy = content_policy(gateway, provider, checkout=True)

    async def before_sending(request: web.Request, response: web.StreamResponse) -> None:
        checkout = request.path.startswith(CHECKOUT_PATH)
        response.headers["Content-Security-Policy"] = checkout_policy if checkout else shop_policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"

    return before_sending


@web.middleware
async def same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses every write that another site's page asks for."""
    if request.method == "POST" and request.headers.get("Origin") != f"{request.scheme}://{request.host}":
        raise web.HTTPForbidden(text="This request did not come from the shop's own pages.")
    return await handler(request)
