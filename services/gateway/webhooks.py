"""Webhooks: verified on the exact bytes, durable in Kafka, then 200. A plain ASGI callable, for speed.

Nothing is parsed before the signature held; a forged request leaves no row and no message.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog

from services.gateway.http import Receive, Scope, Send, answer_problem, header_map, respond
from services.gateway.intake import Intake
from shared.envelope import encode, now_utc
from shared.errors import Malformed, NotFound, PaystreamError, Rejected, Unavailable
from shared.http_server import read_body
from shared.kafka import PAYMENTS_WEBHOOKS
from shared.messages.base import wrap
from shared.messages.payments import ProviderEventReceived
from shared.observability import WEBHOOKS
from shared.providers.base import Adapter

log = structlog.get_logger()

PATH = "/api/payments/webhook"
BODY_MAX = 256 * 1024  # Razorpay's largest events are a few kB
BODY_S = 4.0  # providers give up after 5 s (Razorpay docs, Webhooks)
KEY_LENGTH_MAX = 100
LOG_EVERY_S = 10.0
NAMESPACE: UUID = uuid5(NAMESPACE_URL, "urn:paystream:webhook")
_ACCEPTED = b'{"status":"accepted"}'


class Webhooks:
    """`POST /api/payments/webhook` and `…/webhook/{provider}` for every configured provider."""

    def __init__(self, adapters: Mapping[str, Adapter], intake: Intake) -> None:
        self._adapters = adapters
        self._intake = intake
        self._quiet = _Quiet()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "POST":
                raise Rejected("method-not-allowed", "webhooks are POSTed")
            await self._accept(scope, receive)
        except PaystreamError as error:
            await answer_problem(send, error, allow=b"POST")
        else:
            await respond(send, 200, _ACCEPTED)

    async def _accept(self, scope: Scope, receive: Receive) -> None:
        headers = header_map(scope["headers"])
        try:
            adapter = self._adapter(scope["path"], headers)
            body = await read_body(receive, BODY_MAX, BODY_S)
            now = now_utc()
            await _judge(adapter, headers, body, now)
            identity, key = adapter.webhook_identity(headers, body)
        except PaystreamError as error:
            self._refused(scope["path"], error)
            raise _public(error) from error
        key = key if key.isascii() and key.isprintable() and 0 < len(key) <= KEY_LENGTH_MAX else identity
        event = ProviderEventReceived(
            provider=adapter.name,
            account=adapter.account,
            body=body,
            headers={n: v for n, v in headers.items() if adapter.name in n},
            received_at=now,
        )
        event_id = str(uuid5(NAMESPACE, f"{adapter.name}/{adapter.account}/{identity}"))
        envelope = wrap(event, source="gateway", subject=key, time=now, id=event_id)
        try:
            await self._intake.accept(PAYMENTS_WEBHOOKS, key.encode(), encode(envelope))
        except PaystreamError:
            WEBHOOKS.labels(adapter.name, "not-stored").inc()
            raise
        WEBHOOKS.labels(adapter.name, "accepted").inc()

    def _adapter(self, path: str, headers: Mapping[str, str]) -> Adapter:
        if path != PATH:
            adapter = self._adapters.get(path[len(PATH) + 1 :])
            if adapter is None:
                raise NotFound("not-found")
            return adapter
        recognising = [a for a in self._adapters.values() if a.recognises(headers)]
        if len(recognising) != 1:
            raise Rejected("bad-signature", "missing" if not recognising else "ambiguous")
        return recognising[0]

    def _refused(self, path: str, error: PaystreamError) -> None:
        provider = path[len(PATH) + 1 :]
        provider = provider if provider in self._adapters else "unknown"
        reason = error.detail if error.code == "bad-signature" and error.detail.isalpha() else error.code
        WEBHOOKS.labels(provider, reason).inc()
        if (unsaid := self._quiet.due((provider, reason))) is not None:
            log.warning("a webhook was refused", provider=provider, reason=reason, unsaid=unsaid)


async def _judge(adapter: Adapter, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises Rejected `bad-signature`; Unavailable when nobody can tell now: the provider sends it again."""
    try:
        await adapter.verify_webhook(headers, body, now)
    except Unavailable as error:
        log.warning("a webhook cannot be judged now", provider=adapter.name, reason=error.detail)
        raise Unavailable("webhook-unverifiable", retry_after_s=error.retry_after_s) from error


def _public(error: PaystreamError) -> PaystreamError:
    """What a stranger is told: not which part of the signature failed, nothing of the body."""
    if error.code == "bad-signature":
        return Rejected("bad-signature")
    if isinstance(error, Malformed) and error.code != "client-disconnected":
        return Malformed("not-an-event")
    return error


class _Quiet:
    """Says one of many equal log lines per LOG_EVERY_S: a stranger must not fill the log."""

    def __init__(self) -> None:
        self._said_at: dict[Any, float] = {}
        self._unsaid: dict[Any, int] = {}

    def due(self, kind: Any) -> int | None:
        """How many lines of this kind were left out since the last, when one is due; else None."""
        now = time.monotonic()
        if now - self._said_at.get(kind, -LOG_EVERY_S) < LOG_EVERY_S:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return None
        self._said_at[kind] = now
        return self._unsaid.pop(kind, 0)
