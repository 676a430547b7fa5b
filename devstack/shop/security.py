"""What every page of the shop allows a browser to do: as little as it needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

CHECKOUT_PATH = "/paystream/"


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, kw_only=True)
class ProviderOrigins:
    """What the payment providers need on the checkout page, and nowhere else.

    For the real ones (Razorpay, Stripe and PayPal docs, Content Security Policy): scripts from
    checkout.razorpay.com and js.stripe.com, frames from api.razorpay.com, js.stripe.com and
    hooks.stripe.com, calls to api.stripe.com. PayPal needs none: the browser goes to its own page.
    """

    scripts: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()  # a redirect checkout leaves with a form

    @classmethod
    def all_from(cls, *origins: str) -> "ProviderOrigins":
        """One origin for everything, as the simulator is."""
        return cls(scripts=origins, frames=origins, calls=origins, forms=origins)


def content_policy(gateway: str, providers: ProviderOrigins) -> str:
    """No inline script or style anywhere; a provider's script and frames where they are named."""
    rules = {
        "default-src": ["'none'"],
        "script-src": ["'self'", *providers.scripts],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'", gateway, *providers.calls],
        "frame-src": [*providers.frames] or ["'none'"],
        # Without a popup the provider's script posts the result to the gateway, which redirects here.
        "form-action": ["'self'", *([*providers.forms, gateway] if providers.forms else [])],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in rules.items())


def headers(
    gateway: str, providers: ProviderOrigins
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Puts the policy on every answer, refusals included."""
    shop_policy = content_policy(gateway, ProviderOrigins())
    checkout_policy = content_policy(gateway, providers)

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
