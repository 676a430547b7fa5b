"""The certificate trap: what a stranger's header may make us fetch, and what we believe of it."""

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zlib import crc32

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from shared.errors import PaystreamError, Rejected, Unavailable
from shared.providers.paypal import PayPalAdapter
from shared.providers.paypal.certificates import CERTIFICATE_BYTES_MAX, FETCHES_MAX, Certificates
from tests.contract.providers.drivers.paypal import paypal_adapter_at
from tests.contract.providers.paypal.chains import NOW, PATH, SIGNING_KEY, Host, Root, hosting
from tests.contract.simulator.paypal.running import WEBHOOK_ID

BODY = b'{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{}}'
ROOT = Root()
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def host() -> Iterator[Host]:
    with hosting() as host:
        host.serve(ROOT.issue())
        yield host


@pytest.fixture
async def adapter(host: Host, tmp_path: Path) -> AsyncIterator[PayPalAdapter]:
    roots = tmp_path / "root.pem"
    roots.write_bytes(ROOT.pem)
    adapter = paypal_adapter_at(
        "http://127.0.0.1:9", certificate_hosts=[host.origin], certificate_authorities=str(roots)
    )
    yield adapter
    await adapter.close()


def delivery(url: str, key: rsa.RSAPrivateKey = SIGNING_KEY) -> dict[str, str]:
    """The headers of a delivery, signed by hand as the documents say."""
    text = f"69cd13f0-d67a|2026-03-01T11:59:58Z|{WEBHOOK_ID}|{crc32(BODY)}"
    return {
        "paypal-transmission-id": "69cd13f0-d67a",
        "paypal-transmission-time": "2026-03-01T11:59:58Z",
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-cert-url": url,
        "paypal-transmission-sig": base64.b64encode(key.sign(text.encode(), PKCS1v15(), SHA256())).decode(),
    }


async def failure(adapter: PayPalAdapter, url: str, now: datetime = NOW) -> PaystreamError:
    with pytest.raises(PaystreamError) as caught:
        await adapter.verify_webhook(delivery(url), BODY, now)
    return caught.value


async def test_a_good_certificate_is_fetched_once(adapter: PayPalAdapter, host: Host) -> None:
    for _ in range(3):
        await adapter.verify_webhook(delivery(host.url()), BODY, NOW)
    assert len(host.asked) == 1


async def test_many_deliveries_at_once_fetch_once(adapter: PayPalAdapter, host: Host) -> None:
    host.hold = threading.Event()
    calls = [asyncio.create_task(adapter.verify_webhook(delivery(host.url()), BODY, NOW)) for _ in range(20)]
    deadline = asyncio.get_running_loop().time() + 5
    while not host.asked:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)
    host.hold.set()
    await asyncio.gather(*calls)
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.test/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.test/v1/notifications/certs/CERT-1",
        "https://xapi.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/CERT-1",
        "http://user@127.0.0.1:{port}/v1/notifications/certs/CERT-1",
        "http://api.paypal.com@127.0.0.1:{port}/v1/notifications/certs/CERT-1",
        "https://127.0.0.1:{port}/v1/notifications/certs/CERT-1",
        "http://localhost:{port}/v1/notifications/certs/CERT-1",
        "http://127.1:{port}/v1/notifications/certs/CERT-1",
        "http://127.0.0.1.:{port}/v1/notifications/certs/CERT-1",
        "HTTP://127.0.0.1:{port}/v1/notifications/certs/CERT-1",
        "http://127.0.0.1:{port}/v1/notifications/certs/../../oauth2/token",
        "http://127.0.0.1:{port}/v1/notifications/certs/..",
        "http://127.0.0.1:{port}/elsewhere/CERT-1",
        "http://127.0.0.1:{port}/v1/notifications/certs/CERT-1?x=1",
        "http://127.0.0.1:{port}/v1/notifications/certs/CERT-1#x",
        "http://127.0.0.1:{port}/v1/notifications/certs/CERT-1/more",
        "http://127.0.0.1:{port}/v1/notifications/certs/CERT-1\r\nHost: evil.test",
        "http://127.0.0.1:{port}\\v1/notifications/certs/CERT-1",
        "file:///etc/ssl/certs/ca-certificates.crt",
        "http://169.254.169.254/latest/meta-data",
        "",
        "x" * 100_000,
    ],
    ids=lambda address: address[:70],
)
async def test_a_foreign_address_is_refused_before_any_fetch(
    adapter: PayPalAdapter, host: Host, address: str
) -> None:
    caught = await failure(adapter, address.replace("{port}", str(host.port)))
    assert isinstance(caught, Rejected)
    assert caught.code == "bad-signature"
    assert host.asked == []


@pytest.mark.parametrize(
    "pem",
    [
        ROOT.issue(until=NOW - timedelta(days=1)),
        Root().issue(),
        ROOT.issue(name="messageverificationcerts.paypal.com.evil.test"),
        ROOT.issue(name="evilpaypal.com"),
        ROOT.issue(key=ec.generate_private_key(ec.SECP256R1())),
        ROOT.issue(key=OTHER_KEY),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"<html>not a certificate</html>",
        b"",
        b"x" * (CERTIFICATE_BYTES_MAX + 1),
        ROOT.issue() * 20,
    ],
    ids=[
        "expired",
        "another root",
        "a look-alike name",
        "a name that ends alike",
        "not RSA",
        "another key",
        "not a certificate",
        "a page",
        "empty",
        "too long",
        "too many",
    ],
)
async def test_a_bad_certificate_is_a_bad_signature(adapter: PayPalAdapter, host: Host, pem: bytes) -> None:
    host.serve(pem)
    caught = await failure(adapter, host.url())
    assert (type(caught), caught.code) == (Rejected, "bad-signature")
    caught = await failure(adapter, host.url())
    assert (type(caught), caught.code) == (Rejected, "bad-signature")
    assert len(host.asked) == 1, "what was bad is not fetched again at once"


async def test_a_redirect_is_not_followed(adapter: PayPalAdapter, host: Host) -> None:
    host.serve(b"", 302, Location=host.url("CERT-2"))
    assert isinstance(await failure(adapter, host.url()), Rejected)
    assert host.asked == [f"{PATH}CERT-360caa42-1"]


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_certificate_that_cannot_be_had_now_is_unavailable(
    adapter: PayPalAdapter, host: Host, status: int
) -> None:
    host.serve(b"", status)
    assert type(await failure(adapter, host.url())) is Unavailable


async def test_a_host_that_is_down_or_silent_is_unavailable(
    adapter: PayPalAdapter, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.providers.paypal.certificates.FETCH_S", 0.3)
    host.hold = threading.Event()
    assert type(await failure(adapter, host.url())) is Unavailable
    roots = tmp_path / "root.pem"
    down = Certificates(["http://127.0.0.1:9"], str(roots))
    with pytest.raises(Unavailable):
        await down.key(f"http://127.0.0.1:9{PATH}CERT-1", NOW)
    await down.close()


async def test_after_a_moment_a_missing_certificate_is_asked_for_again(
    adapter: PayPalAdapter, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.providers.paypal.certificates.UNREACHABLE_KEPT_S", 0.0)
    host.serve(b"", 503)
    assert type(await failure(adapter, host.url())) is Unavailable
    host.serve(ROOT.issue())
    await adapter.verify_webhook(delivery(host.url()), BODY, NOW)


async def test_a_stranger_cannot_make_us_fetch_much_nor_forget_what_is_good(
    adapter: PayPalAdapter, host: Host
) -> None:
    await adapter.verify_webhook(delivery(host.url()), BODY, NOW)
    host.serve(b"", 404)
    ends = [await failure(adapter, host.url(f"CERT-{n}")) for n in range(FETCHES_MAX + 10)]
    assert len(host.asked) == FETCHES_MAX
    assert isinstance(ends[0], Rejected)
    assert isinstance(ends[-1], Unavailable)
    await adapter.verify_webhook(delivery(host.url()), BODY, NOW)


async def test_a_kept_certificate_ends_with_its_time(adapter: PayPalAdapter, host: Host) -> None:
    await adapter.verify_webhook(delivery(host.url()), BODY, NOW)
    assert isinstance(await failure(adapter, host.url(), NOW + timedelta(days=31)), Rejected)
    assert len(host.asked) == 2


def test_plain_http_takes_roots_of_ones_own() -> None:
    with pytest.raises(ValueError, match="certificate_authorities"):
        Certificates(["http://127.0.0.1:8711"], None)
    with pytest.raises(ValueError, match="neither a host name"):
        Certificates(["https://api.paypal.com/certs"], None)
    Certificates(["api.paypal.com"], None)
