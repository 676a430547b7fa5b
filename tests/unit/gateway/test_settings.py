"""Settings that would be a hole are refused at start, each by its name."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.settings import GatewaySettings

RAZORPAY = {
    "key_id": "rzp_live_x",
    "key_secret": "Ab3-cd5-Ef7-gh9-Ij1",
    "webhook_secrets": ["Kl2-mn4-Op6-qr8-St0"],
    "account": "acc_x",
}
STRIPE = {
    "secret_key": "sk_live_51Hq8d2eZvKYlo",
    "publishable_key": "pk_live_x",
    "webhook_secrets": ["whsec_Uv1-wx3-Yz5-ab7"],
    "account": "acct_x",
}
PAYPAL = {
    "client_id": "AZx-live",
    "client_secret": "Cd9-ef1-Gh3-ij5-Kl7",
    "webhook_id": "8PT597110X687430LKGECATA",
    "account": "B8EXAMPLEMID2",
}
GOOD: dict[str, Any] = {
    "kafka": {"bootstrap_servers": "kafka:9092", "replication_factor": 3},
    "database": {
        "url": "postgresql+asyncpg://gateway_app:x@db/paystream",
        "eraser_url": "postgresql+asyncpg://gateway_eraser:x@db/paystream",
    },
    "privacy_key": "Zx8-cv6-Bn4-mq2-Lk0",
    "ops": {"port": 8704},
    "http": {"port": 8700},
    "checkout": {"signing_key": "Zk3v9-Qp7xW2-mN8cT5-rL1yB6-hJ4dF0-sG"},
    "api_keys": [{"name": "shop", "key": "Qw9-er7-Ty5-ui3-Op1", "scopes": ["orders:write"]}],
    "providers": {"razorpay": RAZORPAY, "stripe": STRIPE, "paypal": PAYPAL},
    "public_url": "https://pay.example",
    "shop": {"name": "Tea", "return_url": "https://shop.example/thanks"},
    "mode": "production",
}


def with_(path: str, value: Any) -> dict[str, Any]:
    """The good settings with one value changed."""
    first, _, rest = path.partition(".")
    if not rest:
        return {**GOOD, first: value}
    inner = dict(GOOD[first])
    inner[rest] = value
    return {**GOOD, first: inner}


def test_good_production_settings_are_taken() -> None:
    settings = GatewaySettings(**GOOD)
    assert settings.public_base == "https://pay.example"
    assert "pay.example" in settings.hosts


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (with_("checkout.signing_key", "short"), "CHECKOUT__SIGNING_KEY"),
        (with_("checkout.signing_key", "secret" * 10), "CHECKOUT__SIGNING_KEY"),
        (with_("api_keys", [{"name": "shop", "key": "test", "scopes": []}]), "API_KEYS (shop)"),
        (with_("public_url", ""), "PUBLIC_URL"),
        (with_("public_url", "http://pay.example"), "PUBLIC_URL"),
        (with_("providers", {}), "PROVIDERS__RAZORPAY"),
        (with_("providers.razorpay", {**RAZORPAY, "webhook_secrets": []}), "RAZORPAY__WEBHOOK_SECRETS"),
        (with_("providers.stripe", {**STRIPE, "webhook_secrets": []}), "STRIPE__WEBHOOK_SECRETS"),
        (with_("providers.stripe", {**STRIPE, "secret_key": "sk_test_51Hq8d2eZvKYlo"}), "STRIPE__SECRET_KEY"),
        (with_("providers.paypal", {**PAYPAL, "webhook_id": ""}), "PAYPAL__WEBHOOK_ID"),
        (with_("providers.paypal", {**PAYPAL, "client_secret": "short"}), "PAYPAL__CLIENT_SECRET"),
        (with_("time_scale", 60), "TIME_SCALE"),
        (with_("failpoint", "gateway.after_accept:exit@1"), "FAILPOINT"),
        (with_("kafka", {"bootstrap_servers": "kafka:9092"}), "REPLICATION_FACTOR"),
    ],
)
def test_production_refuses(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named.replace("(", r"\(").replace(")", r"\)")):
        GatewaySettings(**changed)


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "shop.example", "https://shop.example/", "https://*.shop.example/x", "ftp://shop.example"],
)
def test_origin_must_be_exact(origin: str) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**with_("cors_origins", [origin]))


@pytest.mark.parametrize("scope", ["admin", "payments:*", ""])
def test_unknown_scopes_are_refused(scope: str) -> None:
    keys = [{"name": "shop", "key": "Qw9-er7-Ty5-ui3-Op1", "scopes": [scope]}]
    with pytest.raises(ValidationError):
        GatewaySettings(**with_("api_keys", keys))


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.test", "/thanks", "https://"])
def test_return_address_must_be_a_web_address(address: str) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings(**with_("shop.return_url", address))


def test_secrets_do_not_show() -> None:
    text = repr(GatewaySettings(**GOOD))
    for secret in ("Zk3v9", "Qw9-er7", "Ab3-cd5", "Kl2-mn4", "gateway_app"):
        assert secret not in text
