"""What each process of a stack is started with: its environment and its arguments.

Everything a service knows comes from here; secrets are made once for a stack and kept in its
data folder.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devstack.database_server import DatabaseServer
from devstack.ports import HOST, SERVICES, Ports
from devstack.provider_accounts import PAYPAL_REPORT_LAG_S, Accounts, new_keys
from devstack.secret_file import kept_secrets, random_secret

ROOT = Path(__file__).resolve().parent.parent
SHOP_NAME = "Mitti"  # as the demo shop calls itself
SHOP_MAIL = "receipts@mitti.example"
MERCHANT_MAIL = "owner@mitti.example"  # who is told of disputes
SHOP_ACCENT = "#a8481f"
API_SCOPES = ["orders:write", "payments:read", "payments:refund", "payments:capture"]

# Of our own environment a service sees only this much: all else would be a hidden setting.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SYSTEMROOT")


def stack_secrets(data_dir: Path) -> dict[str, str]:
    """Name → value of every key that the parts of this stack share."""
    return kept_secrets(
        data_dir / "secrets.json",
        new_keys()
        | {
            "checkout_signing_key": random_secret() + random_secret(),
            "document_signing_key": random_secret() + random_secret(),
            "shop_api_key": random_secret(),
            "privacy_key": random_secret() + random_secret(),
        },
    )


@dataclass(frozen=True)
class Wiring:
    """How the parts of one stack find and trust each other."""

    ports: Ports
    data_dir: Path
    secrets: dict[str, str]
    database: DatabaseServer
    bootstrap: str
    kafka_nodes: int = 1
    time_scale: float = 1.0
    seed: int = 0
    topic_prefix: str = ""

    @property
    def gateway_url(self) -> str:
        return f"http://{HOST}:{self.ports.http('gateway')}"

    @property
    def reconciler_url(self) -> str:
        return f"http://{HOST}:{self.ports.http('reconciler')}"

    @property
    def simulator_url(self) -> str:
        return f"http://{HOST}:{self.ports.simulator}"

    @property
    def shop_url(self) -> str:
        return f"http://{HOST}:{self.ports.shop}"

    @property
    def mailbox_url(self) -> str:
        return f"http://{HOST}:{self.ports.mailbox}"

    @property
    def simulator_folder(self) -> Path:
        return self.data_dir / "simulator"

    @property
    def accounts(self) -> Accounts:
        """The merchant's accounts at the simulated providers."""
        return Accounts(
            self.secrets,
            self.simulator_url,
            self.gateway_url,
            f"{self.shop_url}/return",
            self.simulator_folder,
        )

    def service_command(self, service: str) -> list[str]:
        return [sys.executable, "-m", f"services.{service}"]

    def service_env(self, service: str, instance: int = 1) -> dict[str, str]:
        """The whole environment of one instance of a service."""
        settings = _common(self, service, instance) | _OWN[service](self)
        prefix = f"{service.upper()}_"
        return inherited_env() | {prefix + name: value for name, value in settings.items()}

    def simulator_command(self) -> list[str]:
        """Writes the configuration file that it names."""
        folder = self.simulator_folder
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(self.accounts.simulator_config(), indent=2))
        command = [sys.executable, "-m", "devstack.simulator", "--host", HOST]
        command += ["--port", str(self.ports.simulator), "--data-dir", str(folder)]
        command += ["--time-scale", str(self.time_scale), "--seed", str(self.seed)]
        return [*command, "--config", str(config)]

    def mailbox_command(self) -> list[str]:
        command = [sys.executable, "-m", "devstack.mailbox", "--host", HOST]
        command += ["--port", str(self.ports.mailbox), "--smtp-port", str(self.ports.smtp)]
        return [*command, "--data-dir", str(self.data_dir / "mailbox")]

    def shop_command(self) -> list[str]:
        command = [sys.executable, "-m", "devstack.shop", "--host", HOST, "--port", str(self.ports.shop)]
        return [*command, "--gateway", self.gateway_url, "--simulator", self.simulator_url]

    def shop_env(self) -> dict[str, str]:
        return inherited_env() | {"SHOP_API_KEY": self.secrets["shop_api_key"]}


def inherited_env() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def _common(wiring: Wiring, service: str, instance: int) -> dict[str, str]:
    settings = {
        "MODE": "development",
        "TIME_SCALE": str(wiring.time_scale),
        "INSTANCE": str(instance),
        "KAFKA__BOOTSTRAP_SERVERS": wiring.bootstrap,
        "KAFKA__TOPIC_PREFIX": wiring.topic_prefix,
        "KAFKA__REPLICATION_FACTOR": str(wiring.kafka_nodes),
        "DATABASE__URL": wiring.database.url(f"{service}_app"),
        "DATABASE__OWNER_URL": wiring.database.url(f"{service}_owner"),
        "DATABASE__ERASER_URL": wiring.database.url(f"{service}_eraser"),
        "PRIVACY_KEY": wiring.secrets["privacy_key"],
        "OPS__HOST": HOST,
        "OPS__PORT": str(wiring.ports.ops(service, instance)),
        "LOG__LEVEL": "INFO",
        "LOG__FORMAT": "console",
    }
    port = wiring.ports.http(service, instance)
    return settings if port is None else settings | {"HTTP__HOST": HOST, "HTTP__PORT": str(port)}


def _providers(wiring: Wiring) -> dict[str, str]:
    return wiring.accounts.service_settings()


def _gateway(wiring: Wiring) -> dict[str, str]:
    key = {"name": "shop", "key": wiring.secrets["shop_api_key"], "scopes": API_SCOPES}
    return _providers(wiring) | {
        "CHECKOUT__SIGNING_KEY": wiring.secrets["checkout_signing_key"],
        "API_KEYS": json.dumps([key]),
        "CORS_ORIGINS": json.dumps([wiring.shop_url]),
        "SHOP__NAME": SHOP_NAME,
        "SHOP__RETURN_URL": f"{wiring.shop_url}/return",
    }


def _notifier(wiring: Wiring) -> dict[str, str]:
    return {
        "SMTP__HOST": HOST,
        "SMTP__PORT": str(wiring.ports.smtp),
        "SMTP__SENDER": f"{SHOP_NAME} <{SHOP_MAIL}>",
        "SHOP__NAME": SHOP_NAME,
        "SHOP__ADDRESS": json.dumps(["14 Church Street", "Bengaluru 560001", "India"]),
        "SHOP__EMAIL": SHOP_MAIL,
        "SHOP__WEBSITE": wiring.shop_url,
        "SHOP__ACCENT": SHOP_ACCENT,
        "SHOP__TIMEZONE": "Asia/Kolkata",
        "MERCHANT_EMAIL": MERCHANT_MAIL,
        "DOCUMENTS__SIGNING_KEYS": json.dumps([wiring.secrets["document_signing_key"]]),
    }


def _reconciler(wiring: Wiring) -> dict[str, str]:
    key = {"name": "shop", "key": wiring.secrets["shop_api_key"], "scopes": ["payments:read"]}
    lags = json.dumps({"paypal": PAYPAL_REPORT_LAG_S})
    return _providers(wiring) | {"API_KEYS": json.dumps([key]), "LAGS_S": lags}


_OWN: dict[str, Callable[[Wiring], dict[str, str]]] = {
    "gateway": _gateway,
    "payments": _providers,
    "notifier": _notifier,
    "reconciler": _reconciler,
}
assert set(_OWN) == set(SERVICES)  # noqa: S101 - the two lists must not drift apart
