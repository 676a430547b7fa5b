"""The story of one payment: everything that came, was decided, was done and was said, in order of time."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.amounts import amounts_of
from services.payments.domain.state import Payment
from services.payments.rows import Row
from services.payments.store import PaymentStore
from shared.envelope import Envelope, decode
from shared.messages.payments import Amounts

ROWS_MAX = 1000  # of each kind; an order with more is no order

_WEBHOOKS = text("""
    SELECT e.received_at, e.message_id, e.provider, e.event_type, e.verdict, e.outcome, e.version_before,
           e.version_after, octet_length(e.body) AS bytes, e.erased_at,
           1 + coalesce(r.times, 0) AS times, r.last_at
    FROM provider_events e LEFT JOIN provider_event_repeats r USING (message_id)
    WHERE e.order_id = :order_id ORDER BY e.received_at LIMIT :most""")
_EVENTS = text("""
    SELECT o.position, o.topic, o.payload, p.position IS NOT NULL AS pending
    FROM outbox o LEFT JOIN outbox_pending p USING (position)
    WHERE o.record_key = :order_id ORDER BY o.position LIMIT :most""")
_TASKS = text("""
    SELECT kind, key, claims, due_at, created_at, closed_at, outcome, lease_owner IS NOT NULL AS running
    FROM tasks WHERE subject = :order_id ORDER BY created_at, id LIMIT :most""")
_ACTIONS = text("""
    SELECT person, nonce, at, command, reason, message_id, code, detail
    FROM operator_actions WHERE order_id = :order_id ORDER BY at LIMIT :most""")


class Webhook(msgspec.Struct, frozen=True):
    """A verified delivery. `times`: how often it came; the versions around what it changed."""

    received_at: datetime
    message_id: str
    provider: str
    event_type: str
    verdict: str
    outcome: str | None
    version_before: int | None
    version_after: int | None
    bytes: int
    erased_at: datetime | None
    times: int
    last_at: datetime | None


class Said(msgspec.Struct, frozen=True):
    """A message that went out. `cause`: the id of the message that led to it."""

    position: int
    topic: str
    id: str
    type: str
    time: datetime
    version: int | None
    cause: str | None
    pending: bool


class TaskRow(msgspec.Struct, frozen=True):
    """A piece of outside work: open, or how it ended."""

    kind: str
    key: str
    claims: int
    due_at: datetime
    created_at: datetime
    closed_at: datetime | None
    outcome: str | None
    running: bool


class Action(msgspec.Struct, frozen=True):
    """What a person asked for, why, and what was decided."""

    person: str
    nonce: str
    at: datetime
    command: str
    reason: str
    message_id: str
    code: str
    detail: str


class Story(msgspec.Struct, frozen=True):
    """One payment with all that is known of it; no personal data of the buyer."""

    payment: Payment
    amounts: Amounts
    webhooks: tuple[Webhook, ...]
    said: tuple[Said, ...]
    tasks: tuple[TaskRow, ...]
    actions: tuple[Action, ...]


class Moment(msgspec.Struct, frozen=True):
    """One line of the story. `ref` names it where it can be looked at more closely."""

    at: datetime
    who: str
    what: str
    detail: str = ""
    ref: str = ""


async def read(connection: AsyncConnection, store: PaymentStore, order_id: str) -> Story | None:
    """The story, or None when no such order is held."""
    payment = await store.read(connection, order_id)
    if payment is None:
        return None
    wanted = {"order_id": order_id, "most": ROWS_MAX}
    webhooks = await connection.execute(_WEBHOOKS, wanted)
    said = [_said(row, decode(row.payload)) for row in await connection.execute(_EVENTS, wanted)]
    tasks = await connection.execute(_TASKS, wanted)
    actions = await connection.execute(_ACTIONS, wanted)
    return Story(
        payment=replace(payment, content=b"", fingerprint=b"", waiting=()),
        amounts=amounts_of(payment),
        webhooks=tuple(Webhook(**row) for row in webhooks.mappings()),
        said=tuple(said),
        tasks=tuple(TaskRow(**row) for row in tasks.mappings()),
        actions=tuple(Action(**row) for row in actions.mappings()),
    )


def _said(row: Row, envelope: Envelope) -> Said:
    return Said(
        position=row.position,
        topic=row.topic,
        id=envelope.id,
        type=envelope.type,
        time=envelope.time,
        version=envelope.version,
        cause=envelope.causationid,
        pending=row.pending,
    )


def moments(story: Story) -> list[Moment]:
    """Everything as one list in order of time; at one instant causes come before effects."""
    found: list[Moment] = []
    found += [
        Moment(a.created_at, "us", f"attempt {a.number} at {a.provider}", f"{a.why}, {a.state}", a.id)
        for a in story.payment.attempts
    ]
    found += [_webhook(w) for w in story.webhooks]
    found += [
        Moment(a.at, a.person, short(a.command), f"{a.reason} → {a.code} {a.detail}".strip(), a.nonce)
        for a in story.actions
    ]
    found += [
        Moment(t.closed_at, "task", t.kind, f"{t.outcome} after {_times(t.claims, 'claim')}", t.key)
        for t in story.tasks
        if t.closed_at is not None
    ]
    causes = _causes(story)
    found += [_event(s, causes) for s in story.said]
    found += [
        Moment(f.resolved_at, f.resolved_by, f"flag {f.reason} resolved", f.resolution, f.subject)
        for f in story.payment.flags
        if f.resolved_at is not None
    ]
    return sorted(found, key=lambda moment: moment.at.astimezone(UTC))


def _webhook(webhook: Webhook) -> Moment:
    changed = did(webhook.outcome, webhook.version_before, webhook.version_after)
    again = ""
    if webhook.times > 1 and webhook.last_at:
        again = f", came {webhook.times} times, last {webhook.last_at:%Y-%m-%d %H:%M:%S}"
    detail = f"{webhook.verdict}, {changed}{again}"
    what = f"webhook {webhook.event_type}"
    return Moment(webhook.received_at, webhook.provider, what, detail, webhook.message_id)


def did(outcome: str | None, before: int | None, after: int | None) -> str:
    """What a webhook did, in words."""
    if outcome == "changed":
        return f"changed it: v{before} → v{after}"
    return _OUTCOMES.get(outcome or "", "kept")


_OUTCOMES = {
    "nothing_new": "nothing new",
    "hint": "had the order read",
    "unmatched": "fits no order",
    "not_ours": "not ours to book",
}


def _event(said: Said, causes: dict[str, str]) -> Moment:
    version = f"v{said.version} " if said.version is not None else ""
    cause = (said.cause or "").partition(" ")[0]  # a result's begins with its task's key
    why = f"because of {causes[cause]}" if cause in causes else ""
    pending = " (waits for Kafka)" if said.pending else ""
    return Moment(said.time, "us", f"said {version}{short(said.type)}{pending}", why, said.id)


def _causes(story: Story) -> dict[str, str]:
    """What a message id in `cause` was, as far as it is on record."""
    causes = {t.key: f"the task {t.kind}" for t in story.tasks}
    causes |= {w.message_id: f"webhook {w.event_type}" for w in story.webhooks}
    return causes | {a.message_id: f"{a.person}'s {short(a.command)}" for a in story.actions}


def short(type_: str) -> str:
    """`payments.payment_paid.v1` as people say it: `payment_paid`."""
    parts: Sequence[str] = type_.split(".")
    return parts[1] if len(parts) == 3 else type_


def _times(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
