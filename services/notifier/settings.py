"""The notifier's settings, from `NOTIFIER_…`."""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from shared.settings import HttpSettings, Section, ServiceSettings

KEY_LENGTH_MIN = 32  # RFC 7518, 3.2: a key for HS256 has at least 256 bits


class SmtpSettings(Section):
    """The mail server. `sender` may carry a name: `Bluebird Books <receipts@bluebird.example>`."""

    host: str
    port: int = 25
    security: Literal["none", "starttls", "tls"] = "none"
    username: str = ""
    password: SecretStr = SecretStr("")
    ca_file: str | None = None
    sender: str
    reply_to: str = ""
    connections: int = Field(default=8, ge=1, le=100)  # at once, per instance; a slow mail holds only its own


class ShopSettings(Section):
    """What stands on documents and mails. With a tax id they are invoices, without one receipts."""

    name: str
    address: tuple[str, ...] = ()  # JSON list of lines
    email: str = ""
    website: str = ""
    tax_id: str = ""
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#1d4ed8"
    timezone: str = "UTC"  # decides the printed date, and the year in the number

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is not a time zone such as Asia/Kolkata") from error
        return name


class DocumentSettings(Section):
    """Numbers and links. `link_base` is where buyers reach this service; empty: its own HTTP address."""

    series: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{0,11}$")] = "R"
    signing_keys: tuple[SecretStr, ...] = Field(min_length=1)  # the first signs, all verify
    link_base: str = ""
    link_valid_s: float = Field(default=90 * 24 * 3600.0, gt=0)  # a quarter: when bookkeepers ask
    fonts: Path | None = None  # a folder with fonts for scripts beyond Latin, Greek, Cyrillic, Devanagari
    typesetters: int = Field(default=2, ge=1, le=32)  # threads; one PDF takes about 30 ms

    @field_validator("signing_keys")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < KEY_LENGTH_MIN for key in keys):
            raise ValueError(f"each signing key needs at least {KEY_LENGTH_MIN} characters")
        return keys


class NotifierSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="NOTIFIER_")

    http: HttpSettings
    smtp: SmtpSettings
    shop: ShopSettings
    documents: DocumentSettings

    def secrets(self) -> dict[str, SecretStr]:
        named = {f"DOCUMENTS__SIGNING_KEYS[{n}]": key for n, key in enumerate(self.documents.signing_keys)}
        if self.smtp.username:
            named["SMTP__PASSWORD"] = self.smtp.password
        return named

    def _production_problems(self) -> list[str]:
        problems = super()._production_problems()
        if self.smtp.security == "none":
            problems.append("SMTP__SECURITY must be starttls or tls in production")
        if not self.documents.link_base.startswith("https://"):
            problems.append("DOCUMENTS__LINK_BASE must be the public https:// address of this service")
        return problems
