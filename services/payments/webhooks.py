"""Webhooks: kept as they came, read by their provider's adapter, and trusted no further than that."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec
from prometheus_client import Counter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.state import Payment
from services.payments.heard import Heard
from shared.apply import Fate
from shared.errors import Malformed
from shared.inbox import Incoming
from shared.messages.facts import AttemptOpened, CaptureEnded, Looked, WebhookContent
from shared.messages.payments import ProviderEventReceived
from shared.observability import WEBHOOKS
from shared.providers.base import Adapter

Verdict = Literal["understood", "unknown_type", "other_account", "unreadable"]

Outcome = Literal["changed", "nothing_new", "hint", "unmatched", "not_ours"]

_ARCHIVE = text("""
    INSERT INTO provider_events (received_at, message_id, provider, account, event_type, verdict,
                                 provider_order_id, charge_id, order_id, outcome, version_before,
                                 version_after, headers, body)
    SELECT * FROM unnest(CAST(:received AS timestamptz[]), CAST(:ids AS text[]), CAST(:providers AS text[]),
                         CAST(:accounts AS text[]), CAST(:types AS text[]), CAST(:verdicts AS text[]),
                         CAST(:orders AS text[]), CAST(:charges AS text[]), CAST(:owners AS text[]),
                         CAST(:outcomes AS text[]), CAST(:befores AS bigint[]), CAST(:afters AS bigint[]),
                         CAST(:headers AS jsonb[]), CAST(:bodies AS bytea[]))""")

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
        """Keeps the exact bytes of every verified webhook, whatever becomes of it, and what it changed."""
        rows = []
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
            rows.append(
                (
                    message.received_at, fate.incoming.id, message.provider, message.account,
                    content.event_type[:100] if content else "", verdict,
                    content.provider_order_id if content else None,
                    content.charge_id if content else None,
                    fate.key, outcome, *_versions(fate),
                    msgspec.json.encode(message.headers).decode(), message.body,
                )
            )  # fmt: skip
        if rows:
            names = (
                "received", "ids", "providers", "accounts", "types", "verdicts", "orders", "charges",
                "owners", "outcomes", "befores", "afters", "headers", "bodies",
            )  # fmt: skip
            columns = zip(*rows, strict=True)
            await connection.execute(_ARCHIVE, {n: list(c) for n, c in zip(names, columns, strict=True)})

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
