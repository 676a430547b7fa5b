"""Webhooks: kept as they came, read by their provider's adapter, and trusted no further than that."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

import msgspec
from prometheus_client import Counter
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.state import Payment
from services.payments.heard import Heard
from shared.apply import Fate
from shared.envelope import now_utc
from shared.errors import Malformed
from shared.inbox import Incoming
from shared.messages.facts import AttemptOpened, CaptureEnded, Looked, WebhookContent
from shared.messages.payments import ProviderEventReceived
from shared.observability import WEBHOOKS
from shared.providers.base import Adapter

Verdict = Literal["understood", "unknown_type", "other_account", "unreadable"]

Outcome = Literal["changed", "nothing_new", "hint", "unmatched", "not_ours"]

_COLUMNS = {
    "received_at": "timestamptz", "message_id": "text", "provider": "text", "account": "text",
    "event_type": "text", "verdict": "text", "provider_order_id": "text", "charge_id": "text",
    "order_id": "text", "outcome": "text", "version_before": "bigint", "version_after": "bigint",
    "headers": "jsonb", "body": "bytea",
}  # fmt: skip
# What is kept instead of the bytes when they must not be kept.
_BLANKED = {"erased_at": "timestamptz", "body_sha256": "bytea", "facts": "jsonb"}


def _insert(columns: Mapping[str, str]) -> TextClause:
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
    return text(f"INSERT INTO provider_events ({', '.join(columns)}) SELECT * FROM unnest({arrays})")  # noqa: S608 - names from this module


_ARCHIVE = _insert(_COLUMNS)
_ARCHIVE_BLANKED = _insert(_COLUMNS | _BLANKED)

_MATCHED = text("""
    UPDATE provider_events SET order_id = :order_id, outcome = :outcome, version_before = :before,
                               version_after = :after
    WHERE received_at = :received AND message_id = :id AND order_id IS NULL""")

# A record that Kafka delivers again is no delivery of the provider's: it has the times of one we counted.
# The counts beside it cannot be planned as a join that reads every partition; they are looked up row by row.
_REPEATED = text("""
    INSERT INTO provider_event_repeats AS r (message_id, times, last_at)
    SELECT id, count(DISTINCT received), max(received)
    FROM unnest(CAST(:ids AS text[]), CAST(:received AS timestamptz[])) AS new (id, received)
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM provider_events e
                        WHERE e.received_at = received AND e.message_id = id) first
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM provider_event_repeats k
                        WHERE k.message_id = id AND k.last_at >= received) counted
    WHERE first.n = 0 AND counted.n = 0
    GROUP BY id ORDER BY id
    ON CONFLICT (message_id) DO UPDATE SET times = r.times + excluded.times, last_at = excluded.last_at
    WHERE excluded.last_at > r.last_at""")

LEARNED = Counter("paystream_payments_learned", "Payments by what told us first", ["provider", "how"])
_LEARNED_BY = {
    ProviderEventReceived.TYPE: "webhook",
    Looked.TYPE: "look",
    CaptureEnded.TYPE: "capture",
    AttemptOpened.TYPE: "look",
}

Read = tuple[Verdict, WebhookContent | None]
READ_KEPT = 1024  # several batches: archive, resolve and decide ask for the same webhook


class Webhooks:
    """Reads webhooks with the configured adapters."""

    def __init__(self, adapters: Mapping[str, Adapter]) -> None:
        self._adapters = adapters
        self.heard = Heard()
        self._read = lru_cache(maxsize=READ_KEPT)(self.read_body)

    def read(self, message: ProviderEventReceived) -> Read:
        """What a webhook says, and whether it may touch our books at all."""
        return self._read(message.provider, message.body)

    def read_body(self, provider: str, body: bytes) -> Read:
        """The same, of stored bytes; nothing is kept for the next one who asks."""
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

    async def archive(self, connection: AsyncConnection, fates: Sequence[Fate[Payment]]) -> None:
        """Keeps the exact bytes of every verified webhook, whatever becomes of it, and what it changed.

        Of an order whose customer was erased, the bytes' hash and what was read from them.
        """
        rows, blank = [], []
        for fate in fates:
            _count_learned(fate)
            message = fate.incoming.message
            if not isinstance(message, ProviderEventReceived):
                continue
            verdict, content = self.read(message)
            outcome = _outcome(fate, verdict, content)
            if fate.incoming.task_id is not None:
                await _matched(connection, fate, message, outcome)
                continue
            WEBHOOKS.labels(message.provider, verdict).inc()
            self.heard.note(message)
            row = (
                message.received_at, fate.incoming.id, message.provider, message.account,
                content.event_type[:100] if content else "", verdict,
                content.provider_order_id if content else None,
                content.charge_id if content else None,
                fate.key, outcome, *_versions(fate),
            )  # fmt: skip
            if fate.after is not None and fate.after.erased:
                blank.append((*row, "{}", b"", now_utc(), *self.instead_of(message.provider, message.body)))
            else:
                rows.append((*row, msgspec.json.encode(message.headers).decode(), message.body))
        await _keep(connection, _ARCHIVE, _COLUMNS, rows)
        await _keep(connection, _ARCHIVE_BLANKED, _COLUMNS | _BLANKED, blank)

    def instead_of(self, provider: str, body: bytes) -> tuple[bytes, str]:
        """(hash, facts) that stay when the bytes go: ids, states and amounts, nothing of a person."""
        _, content = self.read_body(provider, body)
        return sha256(body).digest(), msgspec.json.encode(content.seen if content else {}).decode()

    async def repeated(self, connection: AsyncConnection, repeated: Sequence[Incoming]) -> None:
        """Counts deliveries of what is kept already; one statement for all of a batch."""
        again = [(i.id, i.message) for i in repeated if isinstance(i.message, ProviderEventReceived)]
        if not again:
            return
        for _, message in again:
            WEBHOOKS.labels(message.provider, "repeated").inc()
            self.heard.note(message)
        wanted = {"ids": [id_ for id_, _ in again], "received": [m.received_at for _, m in again]}
        await connection.execute(_REPEATED, wanted)


async def _keep(
    connection: AsyncConnection,
    statement: TextClause,
    columns: Mapping[str, str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    if rows:
        values = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(statement, dict(zip(columns, values, strict=True)))


async def _matched(
    connection: AsyncConnection, fate: Fate[Payment], message: ProviderEventReceived, outcome: Outcome
) -> None:
    """One that fitted no order when it came, and does now."""
    if fate.key is None:
        return
    before, after = _versions(fate)
    wanted = {
        "order_id": fate.key,
        "outcome": outcome,
        "before": before,
        "after": after,
        "received": message.received_at,
        "id": fate.incoming.id,
    }
    await connection.execute(_MATCHED, wanted)


def _outcome(fate: Fate[Payment], verdict: Verdict, content: WebhookContent | None) -> Outcome:
    if verdict != "understood" or content is None:
        return "not_ours"
    if fate.key is None:
        return "unmatched"
    if fate.after is not fate.before and fate.after != fate.before:
        return "changed"
    return "hint" if content.hint else "nothing_new"


def _versions(fate: Fate[Payment]) -> tuple[int | None, int | None]:
    return fate.before.version if fate.before else None, fate.after.version if fate.after else None


def _count_learned(fate: Fate[Payment]) -> None:
    """A payment that was paid before its webhook came was learned by a look: webhooks may be late or lost."""
    before, after = fate.before, fate.after
    if before is None or after is None or before.paid_at is not None or after.paid_at is None:
        return
    how = _LEARNED_BY.get(fate.incoming.message.TYPE, "command")
    standing = after.standing
    LEARNED.labels(standing.provider if standing else "", how).inc()
