import pytest
from pydantic import ValidationError

from services.notifier.settings import NotifierSettings

GOOD: dict[str, object] = {
    "mode": "production",
    "kafka": {"bootstrap_servers": "kafka:9092", "replication_factor": 3},
    "database": {
        "url": "postgresql+asyncpg://notifier_app@db/paystream",
        "eraser_url": "postgresql+asyncpg://notifier_eraser@db/paystream",
    },
    "privacy_key": "h7Wq-9rTz-Lm3c-Vb8x",
    "ops": {"port": 1},
    "http": {"port": 2},
    "smtp": {"host": "smtp.shop.example", "security": "starttls", "sender": "Shop <a@shop.example>"},
    "shop": {"name": "Shop", "timezone": "Asia/Kolkata"},
    "merchant_email": "owner@shop.example",
    "documents": {"signing_keys": ["h7Wq" * 10], "link_base": "https://pay.shop.example"},
}


def test_production_wants_somebody_who_is_told_of_disputes() -> None:
    with pytest.raises(ValidationError, match="MERCHANT_EMAIL must be set"):
        NotifierSettings(**(GOOD | {"merchant_email": ""}))  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["owner", "a@b.test,c@d.test", "a@b.test\r\nBcc: x@y.test"])
def test_the_merchants_address_is_one_address(address: str) -> None:
    with pytest.raises(ValidationError, match="not one plain address"):
        NotifierSettings(**(GOOD | {"merchant_email": address}))  # type: ignore[arg-type]


def settings(section: str, **changes: object) -> NotifierSettings:
    whole = GOOD[section]
    assert isinstance(whole, dict)
    return NotifierSettings(**(GOOD | {section: whole | changes}))  # type: ignore[arg-type]


def test_production_takes_good_settings() -> None:
    assert settings("shop").shop.name == "Shop"


@pytest.mark.parametrize(
    ("section", "changes", "problem"),
    [
        ("smtp", {"security": "none"}, "SMTP__SECURITY must be starttls or tls"),
        ("smtp", {"username": "shop"}, "SMTP__PASSWORD is a default"),
        ("smtp", {"sender": "Bluebird Books"}, "neither an address"),
        ("smtp", {"sender": "Bluebird, Inc. <a@b.test>"}, "neither an address"),
        ("smtp", {"sender": ""}, "mails need a sender"),
        ("smtp", {"reply_to": "nobody"}, "neither an address"),
        ("smtp", {"ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem: "),
        ("smtp", {"ca_file": "pyproject.toml"}, "pyproject.toml: "),
        ("documents", {"link_base": ""}, "DOCUMENTS__LINK_BASE must be the public https"),
        ("documents", {"signing_keys": ["changeme" * 8]}, "SIGNING_KEYS[0] is a default"),
        ("documents", {"signing_keys": ["h7Wq"]}, "at least 32 characters"),
        ("documents", {"signing_keys": []}, "at least 1 item"),
        ("documents", {"fonts": "/nowhere"}, "/nowhere is not a folder"),
        ("documents", {"series": "r/../"}, "String should match pattern"),
        ("documents", {"credit_series": "R"}, "must differ"),
        ("documents", {"issue": "bill"}, "Input should be"),
        ("documents", {"year_starts": "02-29"}, "not a day of every year"),
        ("documents", {"year_starts": "4-31"}, "not a day of every year"),
        ("shop", {"timezone": "Mars/Olympus"}, "is not a time zone"),
        ("shop", {"accent": 'red"); #panic('}, "String should match pattern"),
    ],
)
def test_production_refuses(section: str, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(section, **changes)
    assert problem in str(refusal.value)
