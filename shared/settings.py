"""Settings that every service has. Values come from the environment or from secret files."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_LENGTH_MIN = 16  # shorter ones can be guessed; every provider's real secrets are longer
TEST_SECRETS = ("secret", "password", "changeme", "whsec_test", "admin", "test", "demo", "example")


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(Section):
    bootstrap_servers: str
    topic_prefix: str = ""  # lets two systems share one broker; part of every topic and group name
    replication_factor: int = 1  # 3 in production; asserted by the production mode
    # How long who died keeps its partitions from others; brokers take no less than 6 s unless told to.
    session_timeout_s: float = Field(default=10.0, ge=1)
    # A consumer asks a broker for all its partitions in one request: silent ones hold up the others so long.
    fetch_wait_s: float = Field(default=0.02, ge=0.001)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ca_file: str | None = None


class DatabaseSettings(Section):
    url: SecretStr  # postgresql+asyncpg://…, a role that can only read and write rows
    owner_url: SecretStr | None = None  # the role that owns the schema; set: migrate at start
    eraser_url: SecretStr | None = None  # the role that may blank personal data; erasures wait without it
    pool_size: int = 8  # per process; loops and tasks hold one connection each, only while they work


class HttpSettings(Section):
    host: str = "127.0.0.1"
    port: int


class LogSettings(Section):
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["console", "json"] = "json"


class ProviderSection(Section):
    """What one provider's adapter is built from."""

    def secrets(self) -> dict[str, SecretStr]:
        """Every secret of it by the name of its setting; those of a list are numbered."""
        found: dict[str, SecretStr] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                found[name.upper()] = value
            elif isinstance(value, tuple):
                secrets = [each for each in value if isinstance(each, SecretStr)]
                found |= {f"{name.upper()}[{n}]": secret for n, secret in enumerate(secrets)}
        return found


class RazorpaySettings(ProviderSection):
    """Keys of one Razorpay account. Two webhook secrets may be active while one replaces the other."""

    key_id: str
    key_secret: SecretStr
    webhook_secrets: tuple[SecretStr, ...] = ()
    account: str  # acc_…, as webhooks name it
    base_url: str = "https://api.razorpay.com"
    checkout_script: str = "https://checkout.razorpay.com/v1/checkout.js"
    timeout_s: float = 8.0  # below the task lease and the gateway's own limit


class StripeSettings(ProviderSection):
    """Keys of one Stripe account. Two webhook secrets may be active while one replaces the other."""

    secret_key: SecretStr  # sk_test_… or sk_live_…
    publishable_key: str
    webhook_secrets: tuple[SecretStr, ...] = ()
    account: str  # acct_…
    base_url: str = "https://api.stripe.com"
    checkout_script: str = "https://js.stripe.com/v3/"
    return_url: str = ""  # where Stripe sends the buyer back to, with ?order=… added
    timeout_s: float = 8.0


class PayPalSettings(ProviderSection):
    """One PayPal REST app and its webhook."""

    client_id: str
    client_secret: SecretStr
    webhook_id: str = ""
    account: str  # the merchant id, as webhooks and captures name the payee
    live: bool = False
    base_url: str = "https://api-m.paypal.com"
    # Where webhooks' certificates may come from: names (https, port 443), or whole origins, which may be
    # plain http only together with roots of one's own: a provider simulator's.
    certificate_hosts: tuple[str, ...] = (
        "api.paypal.com",
        "api-m.paypal.com",
        "api.sandbox.paypal.com",
        "api-m.sandbox.paypal.com",
    )
    certificate_authorities: str | None = None  # a PEM file instead of the machine's own roots
    return_url: str = ""  # where PayPal sends the buyer back to after approving, with ?order=… added
    cancel_url: str = ""
    timeout_s: float = 8.0


class ProviderSettings(Section):
    razorpay: RazorpaySettings | None = None
    stripe: StripeSettings | None = None
    paypal: PayPalSettings | None = None
    order: tuple[str, ...] = ("razorpay", "stripe", "paypal")  # which one is preferred
    order_by_currency: dict[str, tuple[str, ...]] = {}  # the same for one currency

    def configured(self) -> dict[str, ProviderSection]:
        """The sections that are set, by provider."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in sections.items() if isinstance(value, ProviderSection)}

    def secrets(self) -> dict[str, SecretStr]:
        """The secrets of the configured providers, by setting name."""
        return {
            f"PROVIDERS__{provider.upper()}__{name}": secret
            for provider, section in self.configured().items()
            for name, secret in section.secrets().items()
        }


class ServiceSettings(BaseSettings):
    """The base of each service's settings; a subclass gives `env_prefix`."""

    model_config = SettingsConfigDict(
        env_nested_delimiter="__",
        env_ignore_empty=True,  # compose files pass what is not set as an empty text
        frozen=True,
        extra="ignore",
        nested_model_default_partial_update=True,
    )

    mode: Literal["development", "production"] = "development"
    time_scale: float = Field(default=1.0, gt=0)  # divides every schedule, expiry and retry interval
    instance: str = "1"  # tells instances of one service apart: static group membership, lease owner
    kafka: KafkaSettings
    database: DatabaseSettings
    ops: HttpSettings
    log: LogSettings = LogSettings()
    # Turns e-mail addresses into the names of customers in erasures: one and the same for all services.
    privacy_key: SecretStr = SecretStr("development")
    failpoint: str = ""  # `name:exit@n`, `name:freeze@n`: at the n-th pass; for tests only

    def secrets(self) -> dict[str, SecretStr]:
        """The secrets that production mode checks, by setting name."""
        return {}

    @model_validator(mode="after")
    def _production_is_strict(self) -> Self:
        if self.mode == "production":
            problems = [*self._production_problems()]
            if problems:
                raise ValueError("; ".join(problems))
        return self

    def _production_problems(self) -> list[str]:
        problems = [
            f"{name} is a default, a test value or shorter than {SECRET_LENGTH_MIN} characters: "
            "set a real secret"
            for name, secret in {"PRIVACY_KEY": self.privacy_key, **self.secrets()}.items()
            if weak(secret.get_secret_value())
        ]
        if self.time_scale != 1:
            problems.append("TIME_SCALE must be 1 in production")
        if self.failpoint:
            problems.append("FAILPOINT is for tests and must be empty in production")
        if self.database.eraser_url is None:
            problems.append("DATABASE__ERASER_URL must be set: personal data could not be erased")
        if self.kafka.replication_factor < 3:
            problems.append("KAFKA__REPLICATION_FACTOR must be at least 3 in production")
        return problems


def weak(secret: str) -> bool:
    """Whether a secret is too short or looks like one that somebody left in from a test."""
    return len(secret) < SECRET_LENGTH_MIN or any(word in secret.lower() for word in TEST_SECRETS)
