"""The doctor's test webhooks: each provider's own verification takes them, and nothing is booked for them."""

import asyncio

import pytest
from pydantic import SecretStr

from services.gateway.operate.doctor import examine
from services.gateway.operate.probes import EVENT, Probe, probes
from shared.envelope import now_utc
from shared.errors import Rejected
from shared.providers.registry import adapters
from shared.settings import PayPalSettings, ProviderSettings, RazorpaySettings, StripeSettings

OLD, NEW = SecretStr("whsec_the_old_one_0123456789"), SecretStr("whsec_the_new_one_0123456789")
SECRETS = (NEW, OLD)
PROVIDERS = ProviderSettings(
    razorpay=RazorpaySettings(
        key_id="rzp_test_Probe000000001",
        key_secret=SecretStr("k" * 20),
        account="acc_Probe000000001",
        webhook_secrets=SECRETS,
    ),
    stripe=StripeSettings(
        secret_key=SecretStr("sk_test_" + "s" * 20),
        publishable_key="pk_test_probe",
        account="acct_Probe0000001",
        webhook_secrets=SECRETS,
    ),
    paypal=PayPalSettings(client_id="client", client_secret=SecretStr("c" * 20), account="ABCDEFGHJKLMN"),
)
NOW = now_utc()
ALL = list(probes(PROVIDERS, NOW))


def test_each_secret_of_each_provider_that_has_one_is_tried() -> None:
    assert [(p.provider, p.secret) for p in ALL] == [
        ("razorpay", 1), ("razorpay", 2), ("stripe", 1), ("stripe", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("probe", ALL, ids=lambda p: f"{p.provider}-{p.secret}")
def test_the_adapter_takes_it_as_an_event_of_our_account_that_says_nothing(probe: Probe) -> None:
    adapter = adapters(PROVIDERS)[probe.provider]
    asyncio.run(adapter.verify_webhook(probe.headers, probe.body, NOW))
    identity, key = adapter.webhook_identity(probe.headers, probe.body)
    content = adapter.read_webhook(probe.body)
    assert (content.event_type, content.account, content.known) == (EVENT, adapter.account, False)
    assert content.live in (None, adapter.live)
    assert identity
    assert isinstance(key, str)
    with pytest.raises(Rejected):
        asyncio.run(adapter.verify_webhook(probe.headers, probe.body + b" ", NOW))


def test_each_is_an_event_of_its_own() -> None:
    found = adapters(PROVIDERS)
    ids = {(p.provider, found[p.provider].webhook_identity(p.headers, p.body)[0]) for p in ALL}
    assert len(ids) == len(ALL)


def test_a_webhook_id_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {
        "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE__URL": "postgresql+asyncpg://x@127.0.0.1:1/x",
        "HTTP__PORT": "1",
        "OPS__PORT": "1",
        "CHECKOUT__SIGNING_KEY": "k" * 64,
        "PROVIDERS__PAYPAL__CLIENT_ID": "client",
        "PROVIDERS__PAYPAL__CLIENT_SECRET": "c" * 20,
        "PROVIDERS__PAYPAL__ACCOUNT": "ABCDEFGHJKLMN",
    }
    for name, value in needed.items():
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    wrong = [f for f in examine("") if f.verdict == "wrong"]
    assert [f.subject for f in wrong] == ["paypal webhook"]
    monkeypatch.setenv("GATEWAY_PROVIDERS__PAYPAL__WEBHOOK_ID", "WH-1")
    assert [f for f in examine("") if f.verdict == "wrong"] == []
