"""PayPal's signing certificates, by address: asked for only where PayPal is, and seldom.

The address comes from a stranger's header. So: an exact list of hosts before any fetch, no redirects, a
short answer in a short time, one fetch of an address at a time, and a limit on fetches of all addresses.
What was found good is kept until it expires, what was not for a moment.
"""

import asyncio
import re
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import Store

from shared.errors import PaystreamError, Rejected, Unavailable
from shared.providers.paypal import chain

FETCH_S = 3.0  # the gateway holds the delivery meanwhile; PayPal sends it again after a 503
CONNECT_S = 1.0
CERTIFICATE_BYTES_MAX = 65_536  # a chain of three is about 6 kB
KEPT_MAX = 16  # good certificates; PayPal has one or two at a time
FAILED_MAX = 256
BAD_KEPT_S = 60.0
UNREACHABLE_KEPT_S = 2.0
FETCHES_MAX = 20  # of all addresses, a minute: a stranger can name many
FETCHES_PER_S = 60.0

_ADDRESS = re.compile(
    r"(https?)://([a-z0-9.-]{1,253})(?::([1-9][0-9]{0,4}))?/v1/notifications/certs/[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
    re.ASCII,
)
_HOST = re.compile(r"(?:(https?)://)?([a-z0-9.-]{1,253})(?::([1-9][0-9]{0,4}))?", re.ASCII)

Origin = tuple[str, str, int]  # scheme, host, port
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Known:
    """A certificate that was checked."""

    key: RSAPublicKey
    good_until: datetime


class Certificates:
    """Signing keys by certificate address. `hosts`: names for https on port 443, or whole origins.

    Plain http is only for a provider simulator: it takes an origin that says so and roots of one's own.
    """

    def __init__(self, hosts: Sequence[str], authorities: str | None) -> None:
        self._origins = frozenset(_origin(host) for host in hosts)
        if authorities is None and any(scheme == "http" for scheme, _, _ in self._origins):
            raise ValueError("certificates over plain http need certificate_authorities of your own")
        self._authorities = authorities
        self._roots: Store | None = None
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, PaystreamError]] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[Known | PaystreamError]] = {}
        self._fetched_at: deque[float] = deque(maxlen=FETCHES_MAX)
        self._session: aiohttp.ClientSession | None = None

    async def key(self, url: str, now: datetime) -> RSAPublicKey:
        """The key of the certificate at `url`: Rejected when it is not PayPal's, Unavailable when it
        cannot be had now.
        """
        self._check_address(url)
        known = self._known.get(url)
        if known is not None and now < known.good_until:
            return known.key
        until, failure = self._failed.get(url, (0.0, None))
        if failure is not None and time.monotonic() < until:
            raise _again(failure)
        task = self._fetching.get(url)
        if task is None:
            self._count()
            task = self._fetching[url] = asyncio.create_task(self._learn(url, now))
        found = await asyncio.shield(task)
        if isinstance(found, PaystreamError):
            raise _again(found)
        return found.key

    async def close(self) -> None:
        for task in self._fetching.values():
            task.cancel()
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _check_address(self, url: str) -> None:
        """Raises Rejected unless `url` is literally a certificate's address at one of our hosts."""
        read = _ADDRESS.fullmatch(url)
        if read is None or _named(read) not in self._origins:
            raise Rejected("bad-signature", "host")

    def _count(self) -> None:
        """Raises Unavailable when as many fetches as we allow were begun within the last minute."""
        now = time.monotonic()
        if len(self._fetched_at) == FETCHES_MAX and now - self._fetched_at[0] < FETCHES_PER_S:
            raise Unavailable("certificate-unavailable", "too many certificates were asked for")
        self._fetched_at.append(now)

    async def _learn(self, url: str, now: datetime) -> Known | PaystreamError:
        """Fetches and checks; the outcome is kept, whoever still waits for it."""
        try:
            pem = await self._fetch(url)
            if self._roots is None:
                self._roots = await asyncio.to_thread(chain.roots, self._authorities)
            known = Known(*chain.signing_key(pem, self._roots, now))
        except PaystreamError as failure:
            kept_s = BAD_KEPT_S if isinstance(failure, Rejected) else UNREACHABLE_KEPT_S
            _keep(self._failed, url, (time.monotonic() + kept_s, failure), FAILED_MAX)
            return failure
        except (OSError, ValueError) as error:
            return Unavailable("certificate-unavailable", f"our list of roots: {error}")
        else:
            _keep(self._known, url, known, KEPT_MAX)
            self._failed.pop(url, None)
            return known
        finally:
            del self._fetching[url]

    async def _fetch(self, url: str) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=FETCH_S, sock_connect=CONNECT_S),
            )
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status >= 500 or response.status in (408, 429):
                    raise Unavailable("certificate-unavailable", f"PayPal answered {response.status}")
                if response.status != 200:
                    raise Rejected("bad-signature", "certificate")
                return await _short(response.content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = f"{type(error).__name__}: {error}"[:200]
            raise Unavailable("certificate-unavailable", text) from error


async def _short(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_chunked(8192):
        body += chunk
        if len(body) > CERTIFICATE_BYTES_MAX:
            raise Rejected("bad-signature", "certificate")
    return bytes(body)


def _again(failure: PaystreamError) -> PaystreamError:
    """The same failure for one more caller: an exception that is raised twice drags its traceback along."""
    return type(failure)(failure.code, failure.detail)


def _keep(kept: OrderedDict[str, V], url: str, value: V, most: int) -> None:
    """The oldest make room."""
    kept[url] = value
    kept.move_to_end(url)
    while len(kept) > most:
        kept.popitem(last=False)


def _origin(host: str) -> Origin:
    read = _HOST.fullmatch(host)
    if read is None:
        raise ValueError(f"{host!r} is neither a host name nor an origin such as http://127.0.0.1:8711")
    return _named(read)


def _named(read: re.Match[str]) -> Origin:
    scheme = read[1] or "https"
    return scheme, read[2], int(read[3] or (443 if scheme == "https" else 80))
