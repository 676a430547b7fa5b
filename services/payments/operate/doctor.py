"""What is wrong with the settings of payments: asked of the providers themselves, by reads only."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from sqlalchemy import text

from services.payments.operate.desk import kit
from services.payments.settings import PaymentsSettings
from shared.checkup import Finding, good, unsure, wrong
from shared.database import AWAY
from shared.desk import at_desk
from shared.envelope import now_utc
from shared.errors import Malformed, PaystreamError, Rejected, Unavailable
from shared.money import currencies, exponent
from shared.providers.base import Adapter
from shared.providers.registry import adapters
from shared.service import Kit
from shared.settings import ProviderSettings

ASK_S = 15.0  # above the adapters' own time limits
SKEW_MAX_S = 30.0  # Stripe's signatures are refused at 300 s: far enough away to be mended in time
NOBODYS_ORDER = "order_Doctor00000000"  # no provider has it: "not found" shows that the keys are taken
ACCOUNTS = {
    "razorpay": (r"acc_[A-Za-z0-9]{14}", "acc_… of Razorpay's dashboard, as webhooks carry it"),
    "stripe": (r"acct_[A-Za-z0-9]{8,32}", "acct_… of Stripe's dashboard"),
    "paypal": (r"[A-Z0-9]{13}", "the 13 characters of PayPal's merchant id"),
}

_STRANGERS = text("""
    SELECT provider, account, verdict, count(*) AS number FROM provider_events
    WHERE received_at > now() - interval '1 day' AND verdict IN ('other_account', 'unreadable')
    GROUP BY 1, 2, 3""")
_HEARD = text("SELECT provider, account, received_at FROM provider_last_heard")


def examine() -> list[Finding]:
    """Everything that can be found out from here, the providers in the order in which they are preferred."""
    return at_desk(kit, _examined)


async def _examined(kit: Kit) -> list[Finding]:
    settings = kit.settings
    if not isinstance(settings, PaymentsSettings):
        raise TypeError("these are not the settings of payments")
    providers = adapters(settings.providers)
    try:
        found = [*_configured(providers)]
        for adapter in providers.values():
            found.append(_account(adapter))
            found.append(_mode(adapter, settings))
            found.append(await _keys(adapter))
            found.append(await _lists(adapter))
            found.append(await _clock(adapter.name, _base_url(settings.providers, adapter.name)))
    finally:
        for adapter in providers.values():
            await adapter.close()
    found += _pairs(settings.providers)
    found += _routing(settings.providers, providers)
    return found + await _heard(kit, providers)


def _configured(providers: dict[str, Adapter]) -> Iterator[Finding]:
    if not providers:
        yield wrong("providers", "none is set up", "set PAYMENTS_PROVIDERS__… (docs/sandbox.md)")


def _account(adapter: Adapter) -> Finding:
    subject, (shape, where) = f"{adapter.name} account", ACCOUNTS.get(adapter.name, (r".+", ""))
    if re.fullmatch(shape, adapter.account):
        return good(subject, adapter.account)
    fix = f"set PAYMENTS_PROVIDERS__{adapter.name.upper()}__ACCOUNT to {where}"
    return wrong(subject, f"{adapter.account!r} is not an account id", fix)


def _mode(adapter: Adapter, settings: PaymentsSettings) -> Finding:
    subject, keys = f"{adapter.name} mode", "live" if adapter.live else "test"
    if adapter.live == (settings.mode == "production"):
        return good(subject, f"{keys} keys in {settings.mode}")
    fix = "use live keys in production alone: elsewhere real money would move, or none where it should"
    return wrong(subject, f"{keys} keys in {settings.mode}", fix)


async def _keys(adapter: Adapter) -> Finding:
    """A read of an order that nobody has: the provider looks at the keys before it says so."""
    subject = f"{adapter.name} keys"
    try:
        async with asyncio.timeout(ASK_S):
            await adapter.read_order(NOBODYS_ORDER)
    except Rejected:
        return good(subject, "the provider takes them")
    except (Unavailable, TimeoutError) as error:
        return _no_answer(subject, adapter, error)
    except Malformed as error:
        fix = f"does PAYMENTS_PROVIDERS__{adapter.name.upper()}__BASE_URL lead to the provider's API?"
        return wrong(subject, f"the answer cannot be read: {error.detail}", fix)
    except PaystreamError as error:
        return wrong(subject, error.detail, "ask again; if it stays, see the provider's status page")
    return unsure(subject, f"{NOBODYS_ORDER} exists", "a simulator? Look at BASE_URL")


def _no_answer(subject: str, adapter: Adapter, error: Exception) -> Finding:
    prefix = f"PAYMENTS_PROVIDERS__{adapter.name.upper()}"
    if isinstance(error, Unavailable) and error.code == "provider-misconfigured":
        return wrong(subject, error.detail, f"make new keys at the provider and set {prefix}__… to them")
    detail = error.detail if isinstance(error, PaystreamError) else f"no answer within {ASK_S:g} s"
    return wrong(subject, detail, f"can this machine reach {prefix}__BASE_URL? A proxy, a firewall, DNS?")


async def _lists(adapter: Adapter) -> Finding:
    """The reconciler reads lists; some keys may make payments and not read them."""
    subject, now = f"{adapter.name} lists", now_utc()
    try:
        async with asyncio.timeout(ASK_S):
            async for _ in adapter.list_charges(now - timedelta(minutes=5), now):
                break
    except (PaystreamError, TimeoutError) as error:
        said = error.detail if isinstance(error, PaystreamError) else f"no answer within {ASK_S:g} s"
        fix = "the reconciler needs to list payments: give these keys the permission to read"
        return unsure(subject, said, fix)
    return good(subject, "payments can be listed")


def _base_url(settings: ProviderSettings, name: str) -> str:
    section = getattr(settings, name, None)
    return str(getattr(section, "base_url", ""))


async def _clock(name: str, base_url: str) -> Finding:
    """Signatures and leases need a right clock; any answer of the provider carries its own time."""
    subject = f"clock, by {name}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_S)) as session,
            session.get(base_url, allow_redirects=False) as answer,
        ):
            theirs, ours = answer.headers.get("date"), now_utc()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        host = urlsplit(base_url).netloc or base_url
        return unsure(
            subject, f"{host} does not answer: {error!r:.120}", "see the keys of this provider above"
        )
    try:
        skew_s = abs((parsedate_to_datetime(theirs or "") - ours).total_seconds())
    except ValueError:
        return unsure(subject, "the answer has no time in it", "compare the clock by hand")
    if skew_s <= SKEW_MAX_S:
        return good(subject, f"within {max(1, round(skew_s))} s of the provider's")
    return wrong(
        subject, f"{skew_s:.0f} s away from the provider's", "set the clock by NTP: signatures will fail"
    )


def _pairs(settings: ProviderSettings) -> Iterator[Finding]:
    """Settings of one provider that must fit each other."""
    stripe, paypal = settings.stripe, settings.paypal
    if stripe is not None:
        secret, public = stripe.secret_key.get_secret_value(), stripe.publishable_key
        if ("_live_" in secret) == ("_live_" in public):
            yield good("stripe key pair", "both of one mode")
        else:
            fix = "take secret and publishable key from the same mode of Stripe's dashboard"
            yield wrong("stripe key pair", "one key is live, the other is not", fix)
    if paypal is not None:
        sandbox = "sandbox" in paypal.base_url
        if sandbox and paypal.live:
            yield wrong("paypal mode", "LIVE is set with the sandbox's address", "set BASE_URL or LIVE right")
        if not sandbox and not paypal.live and paypal.base_url.endswith("paypal.com"):
            fix = "set PAYMENTS_PROVIDERS__PAYPAL__BASE_URL to https://api-m.sandbox.paypal.com"
            yield wrong("paypal mode", "test keys with the live address", fix)


def _routing(settings: ProviderSettings, providers: dict[str, Adapter]) -> Iterator[Finding]:
    """Every provider that is preferred for a currency must be set up and take it."""
    for currency, names in settings.order_by_currency.items():
        subject = f"routing of {currency}"
        if currency not in currencies():
            yield wrong(subject, "no such currency", "use the ISO 4217 code in capitals")
            continue
        refusals = [text for name in names if (text := _refusal(name, currency, providers))]
        if refusals:
            fix = f"take it out of PAYMENTS_PROVIDERS__ORDER_BY_CURRENCY for {currency}, or set it up"
            yield wrong(subject, "; ".join(refusals), fix)
        else:
            yield good(subject, " before ".join(names) or "as for every other")


def _refusal(name: str, currency: str, providers: dict[str, Adapter]) -> str:
    if name not in providers:
        return f"{name} is not set up"
    try:
        providers[name].check_amount(100 * 10 ** exponent(currency), currency)
    except Rejected as refused:
        return f"{name}: {refused.detail}"
    return ""


async def _heard(kit: Kit, providers: dict[str, Adapter]) -> list[Finding]:
    """What the webhooks of the last day say: whether they come, and whether they are of our account."""
    try:
        async with kit.engine.connect() as connection:
            strangers = (await connection.execute(_STRANGERS)).all()
            last = {row.provider: row for row in await connection.execute(_HEARD)}
    except AWAY as error:
        fix = "start it, or set PAYMENTS_DATABASE__URL right"
        return [wrong("database", f"does not answer: {error!r:.120}", fix)]
    found = []
    for name in providers:
        if name in last:
            found.append(good(f"{name} webhooks", f"last one {last[name].received_at:%Y-%m-%d %H:%M:%S} UTC"))
        else:
            fix = "make a test payment; none comes: is the endpoint registered there? (docs/sandbox.md)"
            found.append(unsure(f"{name} webhooks", "none came yet", fix))
    for row in strangers:
        fix = "is ACCOUNT right? paystream webhook list --verdict " + row.verdict
        found.append(unsure(f"{row.provider} webhooks", f"{row.number} {row.verdict} in a day", fix))
    return found
