"""What a service refuses to start with."""

import pytest
from pydantic import SecretStr, ValidationError

from shared import failpoints
from shared.settings import DatabaseSettings, HttpSettings, KafkaSettings, ServiceSettings

KAFKA = KafkaSettings(bootstrap_servers="127.0.0.1:1", replication_factor=3)
DATABASE = DatabaseSettings(
    url=SecretStr("postgresql+asyncpg://x"), eraser_url=SecretStr("postgresql+asyncpg://y")
)
REAL = "aV8-long-and-random-3fPz"


class Settings(ServiceSettings):
    signing_key: SecretStr = SecretStr(REAL)

    def secrets(self) -> dict[str, SecretStr]:
        return {"SIGNING_KEY": self.signing_key}


def production(**changes: object) -> Settings:
    values = {
        "mode": "production",
        "kafka": KAFKA,
        "database": DATABASE,
        "ops": HttpSettings(port=1),
        "privacy_key": SecretStr(REAL),
    } | changes
    return Settings(**values)  # type: ignore[arg-type]


def test_production_starts_with_real_values() -> None:
    assert production().mode == "production"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"signing_key": SecretStr("short")}, "SIGNING_KEY"),
        ({"signing_key": SecretStr("changeme-changeme-changeme")}, "SIGNING_KEY"),
        ({"privacy_key": SecretStr("development")}, "PRIVACY_KEY"),
        ({"database": DatabaseSettings(url=DATABASE.url)}, "ERASER_URL"),
        ({"time_scale": 60.0}, "TIME_SCALE"),
        ({"failpoint": "relay.after_publish:exit@1"}, "FAILPOINT"),
        ({"kafka": KafkaSettings(bootstrap_servers="x")}, "REPLICATION_FACTOR"),
    ],
)
def test_production_refuses_test_values(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        production(**change)


@pytest.mark.parametrize("setting", ["relay", "relay:burn@1", ":exit@1", "relay:exit@soon"])
def test_a_failpoint_that_cannot_be_meant_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"FAILPOINT|invalid literal"):
        failpoints.arm(setting)
