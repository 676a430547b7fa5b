"""The gateway's settings, from the environment: `GATEWAY_…`, nested with a double underscore."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import HttpSettings, ProviderSettings, Section, ServiceSettings

Scope = Literal["orders:write", "payments:read", "payments:refund", "payments:capture"]


def _origin(value: str) -> str:
    """An origin as browsers send it: scheme and host, a port when it is not the default, no path."""
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or value != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError(f"{value!r} is not an exact origin like https://shop.example")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise ValueError(f"{value!r} is not an address like https://shop.example/checkout")
    return value


Origin = Annotated[str, AfterValidator(_origin)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class CheckoutSettings(Section):
    """Checkout tokens. The shop may mint them with the same key."""

    signing_key: SecretStr  # HS256; 32 bytes or more (RFC 7518, 3.2)
    token_ttl_s: int = Field(default=24 * 3600, gt=0)  # a buyer who comes back tomorrow gets a new one


class ApiKey(Section):
    """A server that may call. `name` stands in logs and limits, never the key."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    key: SecretStr
    scopes: frozenset[Scope]


class ShopSettings(Section):
    name: str = "Shop"
    return_url: WebAddress = "http://127.0.0.1:8710/"  # the only place buyers are ever sent to


class LimitSettings(Section):
    """Requests per minute: so many at once, then evenly. 0 switches a limit off."""

    client_per_minute: int = Field(default=600, ge=0)  # a whole office may share one address
    order_per_minute: int = Field(default=120, ge=0)  # two pages that poll each second
    key_per_minute: int = Field(default=60_000, ge=0)  # a shop's servers on their best day
    timeout_s: float = Field(default=0.3, gt=0)  # an upsert takes 1 ms; past this we answer without it


class GatewaySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    http: HttpSettings
    public_url: str = ""  # how browsers and providers reach us; default: the listening address
    allowed_hosts: tuple[str, ...] = (
        "127.0.0.1",
        "localhost",
        "[::1]",
    )  # Host without port, beside public_url's
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # whose X-Forwarded-For we believe
    checkout: CheckoutSettings
    api_keys: tuple[ApiKey, ...] = ()
    cors_origins: tuple[Origin, ...] = ()
    shop: ShopSettings = ShopSettings()
    providers: ProviderSettings = ProviderSettings()
    limits: LimitSettings = LimitSettings()
    command_limit_s: float = Field(default=10.0, gt=0)  # after it 202: repeat the call
    accept_limit_s: float = Field(default=0.8, gt=0)  # for Kafka's acknowledgement: a 503 within 1 s
    waiting_max: int = Field(default=10_000, gt=0)  # commands that wait for a reply, per process
    streams_max: int = Field(default=2_000, gt=0)  # open event streams, per process

    @property
    def public_base(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.http.host}:{self.http.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Every host name under which requests are taken."""
        public = urlsplit(self.public_base).hostname or ""
        return frozenset({*self.allowed_hosts, f"[{public}]" if ":" in public else public})

    def secrets(self) -> dict[str, SecretStr]:
        secrets = {"CHECKOUT__SIGNING_KEY": self.checkout.signing_key}
        secrets |= {f"API_KEYS ({k.name})": k.key for k in self.api_keys}
        return secrets | self.providers.secrets()

    @model_validator(mode="after")
    def _key_is_long_enough(self) -> Self:
        if len(self.checkout.signing_key.get_secret_value().encode()) < 32:
            raise ValueError("CHECKOUT__SIGNING_KEY must have 32 bytes or more (HS256)")
        return self

    def _production_problems(self) -> list[str]:
        problems = super()._production_problems()
        if not self.public_url.startswith("https://"):
            problems.append("PUBLIC_URL must be this gateway's https:// address in production")
        return problems + _provider_problems(self.providers)


def _provider_problems(providers: ProviderSettings) -> list[str]:
    """What would make webhooks or checkouts fail: each in one sentence that names the setting."""
    problems = []
    if not providers.configured():
        problems.append("a provider is needed in production: PROVIDERS__RAZORPAY, __STRIPE or __PAYPAL")
    if providers.razorpay and not providers.razorpay.webhook_secrets:
        problems.append("PROVIDERS__RAZORPAY__WEBHOOK_SECRETS is needed in production")
    if providers.stripe and not providers.stripe.webhook_secrets:
        problems.append("PROVIDERS__STRIPE__WEBHOOK_SECRETS is needed in production")
    if providers.paypal and not providers.paypal.webhook_id:
        problems.append("PROVIDERS__PAYPAL__WEBHOOK_ID is needed in production")
    return problems
