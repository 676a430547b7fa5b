"""The reconciler's settings, from RECONCILER_… in the environment."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import HttpSettings, ProviderSettings, Section, ServiceSettings


class ApiKey(Section):
    """One caller of the HTTP side. `payments:read` is the scope that reads reconciliations."""

    name: str
    key: SecretStr
    scopes: tuple[Literal["orders:write", "payments:read", "payments:refund", "payments:capture"], ...]


class ReconcilerSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="RECONCILER_")

    http: HttpSettings
    providers: ProviderSettings = ProviderSettings()
    api_keys: tuple[ApiKey, ...] = ()  # none: anyone who reaches the port may read; refused in production

    # Webhooks of a day's last minutes come some minutes later, and late ones are looked for within the
    # hour: comparing earlier would publish differences that mend themselves.
    settle_s: float = Field(default=3600.0, ge=0)
    daily_tick_s: float = Field(default=60.0, gt=0)  # how often it is asked whether a day is due
    days_back: int = Field(default=7, ge=1, le=90)  # late authorisations come up to five days later
    retry_s: float = Field(default=10.0, gt=0)  # until a provider that did not answer is asked again
    checkpoint_s: float = Field(default=60.0, gt=0)  # payments says this often how far its events are out
    lease_s: float = Field(default=30.0, ge=8)  # how long a run that died stays with the dead
    overlap_s: float = Field(default=3600.0, ge=0)  # lists show what was made at a window's edge late
    patience_s: float = Field(default=3600.0, ge=0)  # a refund just asked for may be on its way so long

    # PayPal's report shows what is up to three hours old (PayPal docs, Transaction Search).
    lags_s: dict[str, float] = {"paypal": 10_800.0}
    # Where the days of a provider's settlements are counted; UTC where it is not said.
    zones: dict[str, str] = {"razorpay": "Asia/Kolkata"}
    # Money at PayPal is on our balance at once; no settlement follows.
    without_settlements: tuple[str, ...] = ("paypal",)
    settlement_due_s: float = Field(default=7 * 86_400.0, gt=0)  # two or three working days, and a holiday

    @field_validator("zones")
    @classmethod
    def _zones_exist(cls, zones: dict[str, str]) -> dict[str, str]:
        for zone in zones.values():
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"{zone!r} is no time zone") from error
        return zones

    def secrets(self) -> dict[str, SecretStr]:
        found = {f"RECONCILER_API_KEYS[{k.name}]": k.key for k in self.api_keys}
        return found | {f"RECONCILER_{name}": secret for name, secret in self.providers.secrets().items()}

    def _production_problems(self) -> list[str]:
        closed = [] if self.api_keys else ["RECONCILER_API_KEYS must name who may read reconciliations"]
        return [*super()._production_problems(), *closed]
