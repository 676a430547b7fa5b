"""Webhooks: kept as they came, read by their provider's adapter, and trusted no further than that."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.errors import Malformed
from shared.inbox import Incoming
from shared.messages.facts import WebhookContent
from shared.messages.payments import ProviderEventReceived
from shared.observability import WEBHOOKS
from shared.providers.base import Adapter

Verdict = Literal["understood", "unknown_type", "other_account", "unreadable"]

_ARCHIVE = text("""
    INSERT INTO provider_events (received_at, message_id, provider, account, event_type, verdict,
                                 provider_order_id, charge_id, headers, body)
    SELECT * FROM unnest(CAST(:received AS timestamptz[]), CAST(:ids AS text[]), CAST(:providers AS text[]),
                         CAST(:accounts AS text[]), CAST(:types AS text[]), CAST(:verdicts AS text[]),
                         CAST(:orders AS text[]), CAST(:charges AS text[]), CAST(:headers AS jsonb[]),
                         CAST(:bodies AS bytea[]))""")


Read = tuple[Verdict, WebhookContent | None]
READ_KEPT = 1024  # several batches: archive, resolve and decide ask for the same webhook


class Webhooks:
    """Reads webhooks with the configured adapters."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        self._adapters = adapters
        self._read = lru_cache(maxsize=READ_KEPT)(self._read_body)

    def read(self, message: ProviderEventReceived) -> Read:
        """What a webhook says, and whether it may touch our books at all."""
        return self._read(message.provider, message.body)

    def _read_body(self, provider: str, body: bytes) -> Read:
        adapter = self._adapters.get(provider)
        if adapter is None:
            return "other_account", None
        try:
            content = adapter.read_webhook(body)
        except Malformed:
            return "unreadable", None
        if content.account != adapter.account or content.live not in (None, adapter.live):
            return "other_account", content
        return ("understood" if content.known else "unknown_type"), content

    def refs(self, message: ProviderEventReceived) -> tuple[tuple[str, str], ...]:
        """(kind, id) of the provider's objects that say whose it is, when it may touch our books at all."""
        content = self.content(message)
        if content is None:
            return ()
        named = (("order", content.provider_order_id), ("charge", content.charge_id))
        return tuple((kind, ref) for kind, ref in named if ref)

    def content(self, message: ProviderEventReceived) -> WebhookContent | None:
        """What is inside, none unless it is understood."""
        verdict, content = self.read(message)
        return content if verdict == "understood" else None

    async def archive(self, connection: AsyncConnection, fresh: Sequence[Incoming]) -> None:
        """Keeps the exact bytes of every verified webhook, whatever becomes of it."""
        rows = []
        for incoming in fresh:
            message = incoming.message
            if not isinstance(message, ProviderEventReceived) or incoming.task_id is not None:
                continue
            verdict, content = self.read(message)
            WEBHOOKS.labels(message.provider, verdict).inc()
            rows.append(
                (
                    message.received_at, incoming.id, message.provider, message.account,
                    content.event_type[:100] if content else "", verdict,
                    content.provider_order_id if content else None,
                    content.charge_id if content else None,
                    msgspec.json.encode(message.headers).decode(), message.body,
                )
            )  # fmt: skip
        if rows:
            names = (
                "received", "ids", "providers", "accounts", "types", "verdicts", "orders", "charges",
                "headers", "bodies",
            )  # fmt: skip
            columns = zip(*rows, strict=True)
            await connection.execute(_ARCHIVE, {n: list(c) for n, c in zip(names, columns, strict=True)})
