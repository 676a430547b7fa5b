"""Webhooks as they came: found again, judged again by today's code, applied again."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.operate.carry_out import Person, record
from services.payments.operate.desk import store, webhooks_applier
from services.payments.operate.story import short
from shared.decision import Answer
from shared.envelope import Envelope, decode, fingerprint, now_utc
from shared.errors import NotFound, Rejected
from shared.inbox import Incoming
from shared.messages.base import wrap
from shared.messages.payments import ProviderEventReceived
from shared.service import Kit

CONSUMER = "payments.payments.webhooks"
REPLAY = "payments.replay_webhook.v1"  # on record like a command, though nobody else may send it
REPLAYED = 0  # the id of no task: what comes back from the archive is not archived again

_COLUMNS = """
    e.received_at, e.message_id, e.provider, e.account, e.event_type, e.verdict, e.provider_order_id,
    e.charge_id, e.order_id, e.outcome, e.version_before, e.version_after, e.erased_at,
    1 + coalesce(r.times, 0) AS times, r.last_at"""
_FROM = "FROM provider_events e LEFT JOIN provider_event_repeats r USING (message_id)"
_LIST = text(f"""
    SELECT {_COLUMNS} {_FROM}
    WHERE e.received_at >= :since AND e.received_at < :until
      AND e.order_id IS NOT DISTINCT FROM coalesce(:order_id, e.order_id)
      AND e.provider = coalesce(:provider, e.provider) AND e.verdict = coalesce(:verdict, e.verdict)
    ORDER BY e.received_at DESC LIMIT :most""")  # noqa: S608 - constants of this module
_OF_ORDER = text(f"""
    SELECT {_COLUMNS} {_FROM} WHERE e.order_id = :order_id
    ORDER BY e.received_at DESC LIMIT :most""")
_ONE = text(f"""
    SELECT {_COLUMNS}, e.headers::text AS headers, e.body, e.body_sha256, e.facts::text AS facts {_FROM}
    WHERE e.message_id = :id AND e.received_at BETWEEN :since AND :until""")
_APPLIED_AT = text("SELECT received_at FROM inbox WHERE consumer = :consumer AND message_id = :id")
_EFFECTS = text("SELECT payload FROM outbox WHERE record_key = :order_id ORDER BY position LIMIT 1000")


class Delivery(msgspec.Struct, frozen=True):
    """One verified webhook: when it came and how often, whose it was, what it changed."""

    received_at: datetime
    message_id: str
    provider: str
    account: str
    event_type: str
    verdict: str
    provider_order_id: str | None
    charge_id: str | None
    order_id: str | None
    outcome: str | None
    version_before: int | None
    version_after: int | None
    erased_at: datetime | None
    times: int
    last_at: datetime | None


class Whole(Delivery, frozen=True):
    """With its bytes, or with their hash and what was read from them once their time is over."""

    headers: str = "{}"
    body: bytes = b""
    body_sha256: bytes | None = None
    facts: str | None = None


class Judged(msgspec.Struct, frozen=True):
    """What today's code makes of a webhook, beside what was done. Nothing was written."""

    verdict: str
    order_id: str | None
    said_then: tuple[str, ...]
    would_say: tuple[str, ...]
    would_do: tuple[str, ...]
    status: str | None
    differences: tuple[str, ...]


async def listed(
    connection: AsyncConnection,
    *,
    order_id: str | None,
    provider: str | None,
    verdict: str | None,
    since: datetime,
    most: int,
) -> list[Delivery]:
    """The newest first. Those of one order whenever they came; else those since a moment."""
    wanted: dict[str, object] = {"order_id": order_id, "most": most}
    if order_id is None:
        wanted |= {"provider": provider, "verdict": verdict, "since": since, "until": now_utc() + _HOUR}
    rows = await connection.execute(_OF_ORDER if order_id is not None else _LIST, wanted)
    return [Delivery(**row) for row in rows.mappings()]


_HOUR = timedelta(hours=1)
# An id alone says nothing of the day: it is looked for around the moment at which it was applied.
_AROUND = (timedelta(minutes=1), _HOUR, timedelta(days=1), timedelta(days=8))


async def whole(connection: AsyncConnection, message_id: str) -> Whole:
    """One webhook with all that is kept of it. Raises NotFound."""
    applied = await connection.execute(_APPLIED_AT, {"consumer": CONSUMER, "id": message_id})
    at = applied.scalar_one_or_none()
    windows = [(at - around, at + _HOUR) for around in _AROUND] if at else [(_ANCIENT, now_utc() + _HOUR)]
    for since, until in windows:
        wanted = {"id": message_id, "since": since, "until": until}
        row = (await connection.execute(_ONE, wanted)).mappings().one_or_none()
        if row is not None:
            return Whole(**row)
    raise NotFound("webhook-not-found", f"no webhook {message_id} is kept here: see paystream webhook list")


_ANCIENT = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


async def effects(connection: AsyncConnection, delivery: Delivery) -> list[Envelope]:
    """The messages that went out because of it."""
    if delivery.order_id is None:
        return []
    rows = await connection.execute(_EFFECTS, {"order_id": delivery.order_id})
    envelopes = (decode(row.payload) for row in rows)
    return [e for e in envelopes if e.causationid == delivery.message_id]


def _incoming(delivery: Whole) -> Incoming:
    if delivery.erased_at is not None:
        detail = f"its bytes were erased {delivery.erased_at:%Y-%m-%d}: look at the provider instead"
        raise Rejected("bytes-erased", f"{detail} (paystream payment look ORDER_ID)")
    message = ProviderEventReceived(
        provider=delivery.provider,
        account=delivery.account,
        body=delivery.body,
        headers=msgspec.json.decode(delivery.headers, type=dict[str, str]),
        received_at=delivery.received_at,
    )
    envelope = wrap(
        message, source="operator", subject="replay", time=delivery.received_at, id=delivery.message_id
    )
    return Incoming(delivery.message_id, envelope, message, fingerprint(delivery.body), task_id=REPLAYED)


async def judge(kit: Kit, delivery: Whole) -> Judged:
    """Decides it again on the payment as it stands, in a transaction that is rolled back."""
    applier, incoming = webhooks_applier(kit), _incoming(delivery)
    verdict, _ = store(kit).webhooks.read_body(delivery.provider, delivery.body)
    said: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    status = None
    async with kit.engine.connect() as connection:
        (order_id,) = await applier.store.resolve(connection, [incoming])
        if order_id is not None:
            payment = (await applier.store.load(connection, [order_id]))[order_id]
            decision = applier.decide(payment, incoming, now_utc())
            said = tuple(short(out.message.TYPE) for out in decision.events)
            tasks = tuple(task.key for task in decision.tasks)
            status = f"{payment.status} → {decision.state.status}"
        then = tuple(short(e.type) for e in await effects(connection, delivery))
        await connection.rollback()
    differences = _differences(delivery, verdict, order_id, said)
    return Judged(verdict, order_id, then, said, tasks, status, differences)


def _differences(
    delivery: Delivery, verdict: str, order_id: str | None, said: tuple[str, ...]
) -> tuple[str, ...]:
    """Today's code against what was done. Facts join: what was learned then adds nothing now."""
    found = []
    if verdict != delivery.verdict:
        found.append(f"it was {delivery.verdict}, today it is {verdict}")
    if order_id != delivery.order_id:
        found.append(f"it was matched to {delivery.order_id or 'no order'}, today to {order_id or 'none'}")
    if said:
        found.append(f"today it would add what the books do not have yet: {', '.join(said)}")
    return tuple(found)


async def apply_again(kit: Kit, delivery: Whole, by: Person) -> tuple[int, int]:
    """Applies it now, on record; (version before, version after). What was learned before changes nothing."""
    applier, incoming = webhooks_applier(kit), _incoming(delivery)
    async with kit.engine.begin() as connection:
        (order_id,) = await applier.store.resolve(connection, [incoming])
        if order_id is None:
            raise Rejected("no-order", "it fits no order of ours: see paystream webhook replay --dry-run")
        before = (await applier.store.load(connection, [order_id]))[order_id].version
        await applier.within(connection, [incoming])
        after = (await applier.store.load(connection, [order_id]))[order_id].version
        answer = Answer(None, "ok", detail=f"v{before} → v{after}")
        await record(connection, REPLAY, {"webhook": incoming.id}, order_id, by, incoming.id, answer)
    applier.after_commit([])
    return before, after
