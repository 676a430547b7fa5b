"""The shop over real HTTP; the gateway is played by a small server that fails when told to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from devstack.shop import payments
from devstack.shop.app import Settings, build
from devstack.shop.security import ProviderOrigins, content_policy

TOKEN = "a-checkout-token"
WHO = {"name": "Asha Rao", "email": "asha@example.com"}


@dataclass
class Gateway:
    """Takes orders as the real one does, after as many refusals as the test wishes."""

    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    async def take(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers["Authorization"])
        self.orders.append(await request.json())
        if self.refusals:
            status, problem = self.refusals.pop(0)
            return web.json_response(problem, status=status, content_type="application/problem+json")
        answer = {"orderId": self.orders[-1]["orderId"], "status": "created", "checkoutToken": TOKEN}
        return web.json_response(answer, status=201)


async def served(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def shop(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(payments, "PAUSE_S", 0.01)
    monkeypatch.setattr(payments, "PATIENCE_S", 0.2)
    app = web.Application()
    app.router.add_post("/api/orders", gateway.take)
    behind, address = await served(app)
    settings = Settings(
        host="127.0.0.1",
        port=0,
        gateway=address,
        api_key="shop-key",
        providers=ProviderOrigins.all_from("http://127.0.0.1:9"),
    )
    front, url = await served(build(settings))
    yield url
    await front.cleanup()
    await behind.cleanup()


@pytest.fixture
async def visitor(shop: str) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of a numeric address
    async with aiohttp.ClientSession(shop, headers={"Origin": shop}, cookie_jar=jar) as session:
        yield session


async def post(visitor: aiohttp.ClientSession, path: str, form: dict[str, str]) -> tuple[int, str, str]:
    """(status, where it leads, text)"""
    async with visitor.post(path, data=form, allow_redirects=False) as response:
        return response.status, response.headers.get("Location", ""), await response.text()


async def test_the_server_prices_the_order(visitor: aiohttp.ClientSession, gateway: Gateway) -> None:
    await post(visitor, "/basket", {"product": "teapot", "add": "2", "price": "1", "unitAmount": "1"})
    status, location, _ = await post(visitor, "/orders", {**WHO, "amount": "1"})
    [order] = gateway.orders
    assert (order["amount"], order["currency"]) == (2 * 2_450_00, "INR")
    assert status == 303
    # The token travels in the fragment: no server, log or referrer sees it.
    assert location.partition("#")[2] == f"order={order['orderId']}&token={TOKEN}"
    assert gateway.keys == {"Bearer shop-key"}


async def test_trouble_that_passes_is_waited_out(visitor: aiohttp.ClientSession, gateway: Gateway) -> None:
    gateway.refusals = [(503, {"code": "kafka-unavailable"}), (202, {"status": "processing"})]
    await post(visitor, "/basket", {"product": "tea", "add": "1"})
    status, location, _ = await post(visitor, "/orders", WHO)
    assert (status, TOKEN in location) == (303, True)
    assert len({str(order) for order in gateway.orders}) == 1


async def test_a_second_press_after_an_outage_places_the_same_order(
    visitor: aiohttp.ClientSession, gateway: Gateway
) -> None:
    await post(visitor, "/basket", {"product": "tea", "add": "1"})
    gateway.refusals = [(503, {"code": "kafka-unavailable"})] * 1000
    status, _, text = await post(visitor, "/orders", WHO)
    assert status == 503
    assert "Your basket is safe" in text
    gateway.refusals = []
    status, _, _ = await post(visitor, "/orders", WHO)
    assert status == 303
    assert len({order["orderId"] for order in gateway.orders}) == 1


async def test_a_refusal_is_shown_and_keeps_the_basket(
    visitor: aiohttp.ClientSession, gateway: Gateway
) -> None:
    gateway.refusals = [(422, {"code": "wrong-value", "detail": "<b>not an address</b>"})]
    await post(visitor, "/basket", {"product": "tea", "add": "1"})
    status, _, text = await post(visitor, "/orders", WHO)
    assert status == 422
    assert "&lt;b&gt;not an address" in text
    assert "Nilgiri frost tea" in text


async def test_a_fresh_token_is_the_same_order_told_again(
    visitor: aiohttp.ClientSession, gateway: Gateway
) -> None:
    await post(visitor, "/basket", {"product": "tea", "add": "1"})
    await post(visitor, "/orders", WHO)
    order_id = gateway.orders[0]["orderId"]
    async with visitor.post(f"/orders/{order_id}/checkout") as response:
        assert await response.json() == {"checkoutToken": TOKEN}
    assert gateway.orders[0] == gateway.orders[1]


async def test_an_order_is_seen_by_its_buyer_alone(
    visitor: aiohttp.ClientSession, gateway: Gateway, shop: str
) -> None:
    await post(visitor, "/basket", {"product": "tea", "add": "1"})
    await post(visitor, "/orders", WHO)
    order_id = gateway.orders[0]["orderId"]
    async with aiohttp.ClientSession(shop, headers={"Origin": shop}) as stranger:
        for path in (f"/orders/{order_id}", f"/orders/{order_id}/checkout", f"/return?orderId={order_id}"):
            async with stranger.get(path) as hidden:
                assert hidden.status == 404
        async with stranger.post(f"/orders/{order_id}/checkout") as hidden:
            assert hidden.status == 404


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_other_sites_cannot_make_a_browser_write(
    visitor: aiohttp.ClientSession, gateway: Gateway, origin: str | None
) -> None:
    await post(visitor, "/basket", {"product": "tea", "add": "1"})
    visitor.headers.pop("Origin")
    headers = {"Origin": origin} if origin else {}
    async with visitor.post("/orders", data=WHO, headers=headers, allow_redirects=False) as response:
        assert response.status == 403
    assert gateway.orders == []


@pytest.mark.parametrize("quantity", ["-1", "1e9", "99999", "²", "one", ""])
async def test_odd_quantities_change_nothing(visitor: aiohttp.ClientSession, quantity: str) -> None:
    status, location, _ = await post(visitor, "/basket", {"product": "tea", "add": quantity})
    assert (status, location) == (303, "/basket")
    async with visitor.get("/basket") as basket:
        assert "There is nothing in it yet" in await basket.text()


@pytest.mark.parametrize(
    "path", ["/", "/basket", "/nothing", "/paystream/pages/Checkout/index.html", "/static/shop.css"]
)
async def test_every_answer_has_a_strict_policy(visitor: aiohttp.ClientSession, path: str) -> None:
    async with visitor.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert ("http://127.0.0.1:9" in policy) == path.startswith("/paystream/")


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("orderId={}", ""),
        ("order={}", ""),
        ("", ""),
        ("orderId={}&payment_intent=pi_1&payment_intent_client_secret=pi_1_s&redirect_status=succeeded",
         "&payment_intent=pi_1"),
        ("order={}&token=5O190127TN364715T&PayerID=QYR5Z8XDVJNXQ", "&paypal_order_id=5O190127TN364715T"),
        ("order={}&token=5O190127TN364715T", ""),
        ("cancelled=1&order={}&token=5O190127TN364715T", "&cancelled=1"),
        ("order={}&payment_intent=a%26token%3Dforged", ""),
        ("order={}&token=&PayerID=QYR5Z8XDVJNXQ", ""),
    ],
)  # fmt: skip
async def test_a_provider_leads_back_to_the_same_order(
    visitor: aiohttp.ClientSession, gateway: Gateway, added: str, told: str
) -> None:
    """What the provider says goes on in the fragment, Stripe's client secret does not."""
    await post(visitor, "/basket", {"product": "tea", "add": "1"})
    await post(visitor, "/orders", WHO)
    order_id = gateway.orders[0]["orderId"]
    async with visitor.get(f"/return?{added.format(order_id)}", allow_redirects=False) as response:
        page, _, fragment = response.headers["Location"].partition("#")
    assert (response.status, page) == (303, "/paystream/pages/Checkout/index.html")
    assert fragment == f"order={order_id}{told}"


def test_providers_may_do_on_the_checkout_page_what_the_settings_name() -> None:
    stripe = ProviderOrigins(
        scripts=("https://js.stripe.com",),
        frames=("https://js.stripe.com", "https://hooks.stripe.com"),
        calls=("https://api.stripe.com",),
    )
    rules = dict(r.split(" ", 1) for r in content_policy("https://pay.example", stripe).split("; "))
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self' https://js.stripe.com",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self' https://pay.example https://api.stripe.com",
        "frame-src": "https://js.stripe.com https://hooks.stripe.com",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
