"""Who may call what: checkout tokens of buyers, API keys of servers, and one guard for every route.

Each route names its access in `opt`; a route that names none is closed.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

import jwt
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from services.gateway.fields import ORDER_ID
from services.gateway.limits import Limits
from services.gateway.settings import ApiKey, CheckoutSettings
from shared.envelope import now_utc
from shared.errors import NotFound, Rejected

AUDIENCE = "paystream-checkout"
CREDENTIAL_LENGTH_MAX = 4096
CLOCKS_DIFFER_S = 5  # between the shop that minted a token and us

BUYER = "buyer"  # a checkout token of the order meant
READERS = f"{BUYER} payments:read"
ANYONE = "anyone"  # the request carries its own proof, or there is nothing to protect


@dataclass(frozen=True, slots=True)
class Buyer:
    """Whoever holds the checkout token of this order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Server:
    """A shop's server, known by its API key."""

    name: str
    scopes: frozenset[str]


Caller = Buyer | Server


class CheckoutTokens:
    """JWTs for one order: HS256 and nothing else, audience and expiry required (RFC 7519, RFC 8725)."""

    def __init__(self, settings: CheckoutSettings) -> None:
        self._key = settings.signing_key.get_secret_value()
        self._ttl_s = settings.token_ttl_s

    def mint(self, order_id: str) -> str:
        claims = {"sub": order_id, "aud": AUDIENCE, "exp": int(now_utc().timestamp()) + self._ttl_s}
        return jwt.encode(claims, self._key, algorithm="HS256")

    def order_of(self, token: str) -> str | None:
        """The order that a valid token is for, else None."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=AUDIENCE,
                leeway=CLOCKS_DIFFER_S,
                options={"require": ["sub", "aud", "exp"], "strict_aud": True},
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError):
            return None
        subject = claims["sub"]
        return subject if isinstance(subject, str) and ORDER_ID.match(subject) else None


class Credentials:
    """Finds the caller behind an Authorization header, in constant time per key."""

    def __init__(self, tokens: CheckoutTokens, keys: Sequence[ApiKey]) -> None:
        self._tokens = tokens
        self._servers = [(_digest(k.key.get_secret_value()), Server(k.name, k.scopes)) for k in keys]

    def caller(self, authorization: str | None) -> Caller | None:
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(credential) <= CREDENTIAL_LENGTH_MAX:
            return None
        found: Caller | None = None
        digest = _digest(credential)
        for known, server in self._servers:
            if hmac.compare_digest(known, digest):
                found = server
        if found is None and (order_id := self._tokens.order_of(credential)):
            found = Buyer(order_id)
        return found


def _digest(credential: str) -> bytes:
    return sha256(credential.encode("utf-8", "surrogateescape")).digest()


class Door:
    """The guard of every route: finds the caller, counts the request, then checks the right to call."""

    def __init__(
        self, credentials: Credentials, limits: Limits, proxies: Sequence[IPv4Network | IPv6Network]
    ) -> None:
        self._credentials = credentials
        self._limits = limits
        self._proxies = proxies

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        access = handler.opt.get("access")
        if access == ANYONE:
            await self._limits.take(self._client(connection))
            return
        caller = self._credentials.caller(connection.headers.get("authorization"))
        await self._limits.take(*self._buckets(caller, connection))
        if caller is None:
            raise Rejected("unauthorized", "send Authorization: Bearer with a checkout token or an API key")
        _check(caller, access)
        connection.scope["auth"] = caller

    def _buckets(self, caller: Caller | None, connection: ASGIConnection[Any, Any, Any, Any]) -> list[str]:
        match caller:
            case Server(name=name):
                return [f"key:{name}"]
            case Buyer(order_id=order_id):
                return [f"order:{order_id}", self._client(connection)]
            case None:
                return [self._client(connection)]

    def _client(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
        peer = connection.client.host if connection.client else ""
        return "client:" + client_network(
            peer, connection.headers.getall("x-forwarded-for", []), self._proxies
        )


def _check(caller: Caller, access: str | None) -> None:
    """Buyers may do what a token is for, servers what their scopes say; `access` lists who may."""
    allowed = (access or "").split()
    if isinstance(caller, Buyer) and BUYER in allowed:
        return
    if isinstance(caller, Server) and any(scope in caller.scopes for scope in allowed):
        return
    raise Rejected("scope-missing", "this credential does not allow this call")


def check_id(order_id: str) -> None:
    """An impossible id is an unknown order."""
    if not ORDER_ID.match(order_id):
        raise NotFound("order-not-found")


def check_order(caller: Caller, order_id: str) -> None:
    """A buyer sees one order. A foreign, an unknown and an impossible id get the same answer."""
    check_id(order_id)
    if isinstance(caller, Buyer) and caller.order_id != order_id:
        raise NotFound("order-not-found")


def client_network(peer: str, forwarded: Sequence[str], proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """The address that a limit counts: the peer, or what a trusted proxy saw; an IPv6 /64 is one client."""
    for hop in reversed([h.strip() for line in forwarded for h in line.split(",")]):
        if not _within(peer, proxies):
            break
        peer = hop
    try:
        address = ip_address(peer)
    except ValueError:
        return "unknown"
    return str(address) if address.version == 4 else str(IPv6Network((int(address), 64), strict=False))


def _within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)
