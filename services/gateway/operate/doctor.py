"""What is wrong with the settings of the gateway: secrets that are missing, an address that is not ours."""

import asyncio
from collections.abc import Iterator

import aiohttp

from services.gateway.operate.probes import Probe, probes
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks import PATH
from shared.checkup import Finding, good, unsure, wrong
from shared.envelope import now_utc
from shared.service import read_settings
from shared.settings import ProviderSettings

ASK_S = 5.0  # providers give up after this, or a little later


def examine(gateway_url: str) -> list[Finding]:
    """All that can be found out from here; with an address, what the gateway there makes of webhooks."""
    settings = read_settings("gateway", GatewaySettings)
    found = [*_secrets(settings.providers), *_addresses(settings)]
    if gateway_url:
        return found + asyncio.run(_probed(gateway_url.rstrip("/"), settings.providers))
    fix = "ask again with --gateway-url https://… to send test webhooks that change nothing"
    return [*found, unsure("webhook endpoint", "not tried", fix)]


def _secrets(settings: ProviderSettings) -> Iterator[Finding]:
    for name, section in (("razorpay", settings.razorpay), ("stripe", settings.stripe)):
        if section is None:
            continue
        subject, number = f"{name} webhook secrets", len(section.webhook_secrets)
        setting = f"GATEWAY_PROVIDERS__{name.upper()}__WEBHOOK_SECRETS"
        if not number:
            fix = f'set {setting} to a list like ["…"], the newest first'
            yield wrong(subject, "none: every webhook will be refused", fix)
        elif number > 2:
            yield unsure(subject, f"{number} are active", "two are enough to rotate: take out the oldest")
        else:
            yield good(subject, f"{number} active")
    if settings.stripe is not None:
        for secret in settings.stripe.webhook_secrets:
            if not secret.get_secret_value().startswith("whsec_"):
                fix = "use the endpoint's signing secret, whole, with its whsec_"
                yield wrong("stripe webhook secrets", "one does not begin with whsec_", fix)
    if settings.paypal is not None:
        if settings.paypal.webhook_id:
            yield good("paypal webhook", settings.paypal.webhook_id)
        else:
            fix = "set GATEWAY_PROVIDERS__PAYPAL__WEBHOOK_ID: it is part of what PayPal signs"
            yield wrong("paypal webhook", "no WEBHOOK_ID: every webhook will be refused", fix)


def _addresses(settings: GatewaySettings) -> Iterator[Finding]:
    if settings.public_base.startswith("https://"):
        yield good("public address", settings.public_base)
    else:
        fix = "set GATEWAY_PUBLIC_URL to the https address that providers and buyers reach"
        yield unsure("public address", f"{settings.public_base} is not https", fix)


async def _probed(gateway_url: str, settings: ProviderSettings) -> list[Finding]:
    found = []
    names = [n for n in ("razorpay", "stripe", "paypal") if getattr(settings, n) is not None]
    limit = aiohttp.ClientTimeout(total=ASK_S)
    async with aiohttp.ClientSession(timeout=limit) as session:
        for name in names:
            forged = Probe(name, 0, {}, b'{"forged":true}')
            found.append(_unsigned(name, await _sent(session, gateway_url, forged)))
        sent = [(p, await _sent(session, gateway_url, p)) for p in probes(settings, now_utc())]
        found += [_signed(probe, answer) for probe, answer in sent]
    return found


async def _sent(session: aiohttp.ClientSession, gateway_url: str, probe: Probe) -> int | str:
    """The status of the answer, or what kept it from coming."""
    url = f"{gateway_url}{PATH}/{probe.provider}"
    headers = {"content-type": "application/json", **probe.headers}
    try:
        async with session.post(url, data=probe.body, headers=headers, allow_redirects=False) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"no answer: {error!r:.120}"


def _unsigned(name: str, answer: int | str) -> Finding:
    subject = f"{name} endpoint, unsigned"
    if answer == 400:
        return good(subject, "refused, as it must be")
    if answer == 200:
        return wrong(subject, "taken without a signature", "this is not our gateway: look at the address")
    return wrong(subject, _why(answer), _what_to_do(answer))


def _signed(probe: Probe, answer: int | str) -> Finding:
    subject = f"{probe.provider} endpoint, secret {probe.secret}"
    if answer == 200:
        return good(subject, "a signed webhook is taken")
    if answer == 400:
        fix = (
            "the gateway there runs with other secrets than these settings: give it the same, start it again"
        )
        return wrong(subject, "a signed webhook is refused", fix)
    return wrong(subject, _why(answer), _what_to_do(answer))


def _why(answer: int | str) -> str:
    return f"answered {answer}" if isinstance(answer, int) else answer


def _what_to_do(answer: int | str) -> str:
    match answer:
        case 404:
            return "no gateway, or this provider is not set up there"
        case 503:
            return "the gateway cannot store it now: is Kafka up?"
        case int() if 300 <= answer < 400:
            return "providers count a redirect as a failure: give them the address it leads to"
        case int():
            return "look at the log of the gateway and of what stands before it"
    return "does the address lead to the gateway? DNS, TLS certificate, firewall"
