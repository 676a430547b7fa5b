"""The doctor's test webhooks against a running gateway: our secrets, other secrets, another address."""

import json

import pytest

from services.gateway.operate.doctor import examine
from shared.checkup import Finding
from tests.integration.gateway.process import WEBHOOK_SECRETS
from tests.integration.gateway.system import System

SECRETS = "GATEWAY_PROVIDERS__RAZORPAY__WEBHOOK_SECRETS"


@pytest.fixture
def settings(system: System, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This process has the settings of the running gateway."""
    for name, value in system.gateway._environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def by_subject(found: list[Finding]) -> dict[str, Finding]:
    return {f.subject: f for f in found}


@pytest.mark.usefixtures("settings")
def test_each_secret_is_tried_and_an_unsigned_webhook_refused(system: System) -> None:
    before = len(system.payments.webhooks())
    found = by_subject(examine(system.gateway.url))
    assert found["razorpay webhook secrets"].said == f"{len(WEBHOOK_SECRETS)} active"
    assert found["razorpay endpoint, unsigned"].verdict == "good"
    signed = [f for subject, f in found.items() if "endpoint, secret" in subject]
    assert len(signed) >= len(WEBHOOK_SECRETS)
    assert {f.verdict for f in signed} == {"good"}
    assert len(system.payments.webhooks()) == before + len(signed), "the forged ones left no message"


def test_a_secret_that_the_gateway_does_not_have_is_named(
    system: System, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv(SECRETS, json.dumps([WEBHOOK_SECRETS[0], "one that nobody set there"]))
    found = by_subject(examine(system.gateway.url))
    assert found["razorpay endpoint, secret 1"].verdict == "good"
    assert found["razorpay endpoint, secret 2"].verdict == "wrong"
    assert "other secrets" in found["razorpay endpoint, secret 2"].fix


def test_no_secret_at_all_and_no_gateway_are_wrong(settings: pytest.MonkeyPatch) -> None:
    settings.setenv(SECRETS, "[]")
    found = by_subject(examine("http://127.0.0.1:1"))
    assert found["razorpay webhook secrets"].verdict == "wrong"
    assert found["razorpay endpoint, unsigned"].verdict == "wrong"
    assert found["razorpay endpoint, unsigned"].fix.startswith("does the address lead")


@pytest.mark.usefixtures("settings")
def test_a_path_that_is_no_gateway_is_told_apart(system: System) -> None:
    found = by_subject(examine(f"{system.gateway.url}/elsewhere"))
    assert found["razorpay endpoint, secret 1"].said == "answered 404"
