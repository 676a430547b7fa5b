"""docker-compose.yml: whole, without a default secret, and every service takes its settings from it."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from devstack.ports import SERVICES
from devstack.services import ROOT
from services.gateway.settings import GatewaySettings
from services.notifier.settings import NotifierSettings
from services.payments.settings import PaymentsSettings
from services.reconciler.settings import ReconcilerSettings

FILE = ROOT / "docker-compose.yml"
SETTINGS: dict[str, Callable[[], BaseSettings]] = {
    "gateway": GatewaySettings,
    "payments": PaymentsSettings,
    "notifier": NotifierSettings,
    "reconciler": ReconcilerSettings,
}
FILLED_IN = {
    "SHOP_NAME": "Mitti",
    "SHOP_ORIGIN": "https://shop.example",
    "SHOP_RETURN_URL": "https://shop.example/return",
    "MAIL_SENDER": "Mitti <receipts@shop.example>",
    "MERCHANT_EMAIL": "owner@shop.example",
    "STRIPE_WEBHOOK_SECRETS": '["whsec-long-enough-to-be-real"]',
    "PAYPAL_LIVE": "false",
}


def example() -> dict[str, str]:
    """The example's names with its values, as a person who copies it gets them."""
    lines = (ROOT / "devstack" / "docker" / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled() -> dict[str, str]:
    return {name: FILLED_IN.get(name, f"value-of-{name.lower()}-long-enough") for name in example()}


def environment(service: str) -> dict[str, str]:
    """What Compose would give the service: variables put in, as its documentation says."""
    declared = yaml.safe_load(FILE.read_text())["services"][service]["environment"]
    known = filled()
    return {
        name: re.sub(r"\$\{(\w+):[?-]\}", lambda found: known[found.group(1)], value)
        for name, value in declared.items()
    }


def test_the_example_holds_no_secret_and_names_all_that_compose_asks_for() -> None:
    assert set(example().values()) == {""}
    assert set(re.findall(r"\$\{(\w+)", FILE.read_text())) == set(example())
    # each is required, or empty for a provider that is not used; none has a default
    assert re.findall(r"\$\{\w+(?!:[?-]\})\W", FILE.read_text()) == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_takes_its_settings_from_compose(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(service).items():
        monkeypatch.setenv(name, value)
    settings = SETTINGS[service]()
    assert settings.model_dump()["kafka"]["bootstrap_servers"] == "kafka:9092"


@pytest.mark.parametrize("service", [*SERVICES, "kafka", "postgres"])
def test_a_service_has_a_health_check_and_starts_after_its_servers(service: str) -> None:
    declared = yaml.safe_load(FILE.read_text())["services"][service]
    assert declared["healthcheck"]["test"][0] == "CMD"
    if service in SERVICES:
        assert declared["depends_on"] == {
            "kafka": {"condition": "service_healthy"},
            "postgres": {"condition": "service_healthy"},
        }
        assert declared["read_only"]


def test_docker_accepts_the_file(tmp_path: Path) -> None:
    compose = _compose()
    if compose is None:
        pytest.skip("neither `docker compose` nor docker-compose is installed")
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in filled().items()))
    command = [*compose, "--env-file", str(env_file), "-f", str(FILE), "config", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    env_file.write_text("")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0  # without its values it is refused, not started with empty passwords


def _compose() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version"], capture_output=True, check=False, timeout=60)
            if asked.returncode == 0:
                return command
    return None
