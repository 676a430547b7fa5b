"""Settings of the payments service; prefix `PAYMENTS_`."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from shared.settings import ProviderSettings, Section, ServiceSettings


class BreakerSettings(Section):
    """When a provider that does not answer is left alone."""

    failures: int = Field(default=5, ge=1)  # in a row: fewer are the network's everyday noise
    open_s: float = Field(default=10.0, gt=0)  # then one call tries; buyers notice no more than that


class PaymentsSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PAYMENTS_")

    providers: ProviderSettings = ProviderSettings()
    payment_window_s: float = 24 * 3600.0  # an order may be paid for a day: carts are abandoned by then
    capture_grace_s: float = 120.0  # the provider captures by itself within seconds; later, we ask
    refunds_surplus: bool = True  # a second capture of one order goes back by itself
    refund_max: dict[str, int] = {}  # minor units by currency: a larger surplus waits for a person
    late_success: Literal["reopen", "refund"] = "reopen"  # money that arrives after the order closed
    lapse_warning_s: float = 24 * 3600.0  # before an authorisation lapses, a person is told
    webhook_lanes: int = Field(default=2, ge=1, le=6)  # batches at once: one decides while another commits
    lease_s: float = Field(default=30.0, ge=8)  # how long a call that died with its worker waits for another
    checkpoint_every_s: float = 60.0  # how often the ledger says up to when it is complete
    breaker: BreakerSettings = BreakerSettings()
    # Then a webhook's bytes go; their hash and the facts stay. Longer than Kafka keeps one that waits.
    raw_days: int = Field(default=90, ge=8)

    def secrets(self) -> dict[str, SecretStr]:
        return {f"PAYMENTS_{name}": secret for name, secret in self.providers.secrets().items()}
