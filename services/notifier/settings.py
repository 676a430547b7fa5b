"""The notifier's settings, from `NOTIFIER_…`."""

from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.notifier.domain.addresses import is_address
from services.notifier.mail.smtp import trusting
from shared.settings import HttpSettings, Section, ServiceSettings

KEY_LENGTH_MIN = 32  # RFC 7518, 3.2: a key for HS256 has at least 256 bits
Series = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9-]{0,11}$")]


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

    @field_validator("sender", "reply_to")
    @classmethod
    def _has_one_address(cls, text: str) -> str:
        address = parseaddr(text)[1]
        if text and not (address.isascii() and is_address(address)):
            raise ValueError(f"{text!r} is neither an address nor like `Bluebird Books <a@bluebird.example>`")
        return text

    @field_validator("sender")
    @classmethod
    def _is_given(cls, text: str) -> str:
        if not text:
            raise ValueError("mails need a sender")
        return text

    @field_validator("ca_file")
    @classmethod
    def _can_be_trusted(cls, file: str | None) -> str | None:
        try:
            trusting(file or None)
        except OSError as error:
            raise ValueError(f"{file}: {error}") from None
        return file or None


class ShopSettings(Section):
    """What stands on documents and mails. `locale`: what the shop itself reads."""

    name: str
    address: tuple[str, ...] = ()  # JSON list of lines
    email: str = ""
    website: str = ""
    tax_id: str = ""
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] = "#1d4ed8"
    timezone: str = "UTC"  # decides the printed date, and the year in the number
    locale: str = "en"

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is not a time zone such as Asia/Kolkata") from error
        return name


class DocumentSettings(Section):
    """Documents, numbers and links.

    `issue`: what a payment brings; `auto`: an invoice from a shop with a tax id, else a receipt; `off`: the
    shop invoices itself. `year_starts` is the first day of the fiscal year, `MM-DD`. `link_base` is where
    buyers reach this service; empty: its own HTTP address.
    """

    issue: Literal["auto", "receipt", "invoice", "off"] = "auto"
    series: Series = "R"  # of receipts and invoices
    credit_series: Series = "C"
    cancellation_series: Series = "X"
    year_starts: str = "01-01"
    signing_keys: tuple[SecretStr, ...] = Field(min_length=1)  # the first signs, all verify
    link_base: str = ""
    link_valid_s: float = Field(default=90 * 24 * 3600.0, gt=0)  # a quarter: when bookkeepers ask
    fonts: Path | None = None  # a folder with fonts for scripts beyond Latin, Greek, Cyrillic, Devanagari
    typesetters: int = Field(default=2, ge=1, le=32)  # threads; one PDF takes about 10 ms

    @field_validator("fonts")
    @classmethod
    def _is_a_folder(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder")
        return folder

    @field_validator("year_starts")
    @classmethod
    def _is_a_day(cls, day: str) -> str:
        try:
            datetime.strptime(f"2001-{day}", "%Y-%m-%d")  # noqa: DTZ007 - a day of every year, so not 02-29
        except ValueError:
            raise ValueError(f"{day!r} is not a day of every year such as 04-01") from None
        return day

    @model_validator(mode="after")
    def _series_differ(self) -> Self:
        if len({self.series, self.credit_series, self.cancellation_series}) < 3:
            raise ValueError("SERIES, CREDIT_SERIES and CANCELLATION_SERIES must differ")
        return self

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
    lease_s: float = Field(default=30.0, ge=8)  # how long a mail that died with its worker waits for another
    merchant_email: str = ""  # who is told of disputes and their deadlines; empty: nobody
    templates: Path | None = None  # the shop's own templates and texts, before ours

    @field_validator("merchant_email")
    @classmethod
    def _is_one_address(cls, address: str) -> str:
        if address and not is_address(address):
            raise ValueError(f"{address!r} is not one plain address")
        return address

    @field_validator("templates")
    @classmethod
    def _is_a_folder(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"{folder} is not a folder")
        return folder

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
        if not self.merchant_email:
            problems.append("MERCHANT_EMAIL must be set: disputes have deadlines")
        return problems
