"""Where this service holds customers' data, and how each place is blanked when a customer is erased."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.orders import fingerprint
from services.payments.erasure import blank_rows
from services.payments.webhooks import Webhooks
from shared.envelope import decode, encode
from shared.errors import Unavailable
from shared.messages.base import Catalogue
from shared.messages.facts import Rematch
from shared.messages.orders import OrderPlaced
from shared.messages.payments import ProviderEventReceived
from shared.privacy.customers import blanked
from shared.privacy.eraser import Place, Wanted
from shared.privacy.parked import names_one_of

# The orders' rows, locked in the order of everyone: who holds one of them commits first, and is then seen.
MARK = (
    text("""
        SELECT FROM payments WHERE order_id = ANY(CAST(:order_ids AS text[]))
        ORDER BY order_id FOR NO KEY UPDATE"""),
    text("UPDATE payments SET erased = true WHERE order_id = ANY(CAST(:order_ids AS text[])) AND NOT erased"),
)

ORDERS_OF = text("""
    SELECT order_id FROM payments WHERE customer_email(content, '{customer,email}') = :email
    UNION
    SELECT record_key FROM outbox
    WHERE topic = 'orders.events' AND customer_email(payload, '{data,customer,email}') = :email
    ORDER BY 1""")

_ADDRESSES = text("""
    SELECT DISTINCT customer_email(payload, '{data,customer,email}') AS email FROM outbox
    WHERE topic = 'orders.events' AND record_key = ANY(CAST(:order_ids AS text[]))
    UNION
    SELECT customer_email(content, '{customer,email}') FROM payments
    WHERE order_id = ANY(CAST(:order_ids AS text[]))""")

_WEBHOOKS = text("""
    SELECT received_at, message_id, provider, body FROM provider_events
    WHERE order_id = ANY(CAST(:order_ids AS text[])) AND erased_at IS NULL
    ORDER BY received_at, message_id LIMIT 1000""")
# Those of other accounts are among them, and may be many: a page at a time, and bytes only of what matches.
_UNMATCHED = text("""
    SELECT received_at, message_id, provider, CASE WHEN EXISTS (
               SELECT FROM unnest(CAST(:addresses AS text[])) AS a (one),
                           lower(encode(body, 'escape')) AS said
               WHERE position(encode(convert_to(one, 'UTF8'), 'escape') IN said) > 0)
           THEN body END AS body
    FROM provider_events
    WHERE order_id IS NULL AND erased_at IS NULL AND (received_at, message_id) > (:at, :id)
    ORDER BY received_at, message_id LIMIT :some""")
_SEARCHES = text("""
    SELECT id, key, payload FROM tasks
    WHERE subject = 'unmatched' AND kind = 'match' AND payload <> '{}' AND id > :after
    ORDER BY id LIMIT :some""")
_MATCHED = text("""
    SELECT message_id FROM provider_events
    WHERE order_id = ANY(CAST(:order_ids AS text[])) AND message_id = ANY(CAST(:ids AS text[]))""")
# One still open is given up: if it is ours after all, a look at the provider finds the same. Not while it
# runs: who runs it holds the bytes, and would write them into the task that comes next.
_BLANK_TASKS = text("""
    UPDATE tasks SET payload = '{}', closed_at = coalesce(closed_at, now()),
                     outcome = coalesce(outcome, 'dropped'), lease_owner = NULL, lease_until = NULL
    WHERE id = ANY(CAST(:ids AS bigint[])) AND (lease_until IS NULL OR lease_until < clock_timestamp())""")
_SAID = text("""
    SELECT position, payload FROM outbox
    WHERE topic = 'orders.events' AND record_key = ANY(CAST(:order_ids AS text[]))""")
_BLANK_SAID = text("UPDATE outbox SET payload = :payload WHERE position = :position")
# Locked: what is blanked is the content that stands, not one that the shop was just replacing.
_CONTENTS = text("""
    SELECT order_id, content FROM payments WHERE order_id = ANY(CAST(:order_ids AS text[]))
    ORDER BY order_id FOR NO KEY UPDATE""")
_BLANK_CONTENT = text("""
    UPDATE payments SET content = :content, fingerprint = :fingerprint WHERE order_id = :order_id""")

SEARCHES_AT_ONCE = 500  # some MB
UNMATCHED_AT_ONCE = 2000
_FIRST: dict[str, Any] = {"at": datetime.min.replace(tzinfo=UTC), "id": ""}

_orders = Catalogue(OrderPlaced)
_webhooks = Catalogue(ProviderEventReceived)
_content = msgspec.json.Decoder(OrderPlaced)
_search = msgspec.json.Decoder(Rematch)


async def addresses(connection: AsyncConnection, order_ids: Sequence[str]) -> Sequence[str]:
    """The e-mail addresses that these orders were placed with, in any of their contents."""
    rows = await connection.execute(_ADDRESSES, {"order_ids": list(order_ids)})
    return [row.email for row in rows if row.email]


def places(webhooks: Webhooks) -> tuple[Place, ...]:
    """Every place but the parked messages, which each service has. Contents last: they name the customer.

    A search through the webhooks of nobody's order may take longer than one try has: it goes on where the try
    before it was cut off, as long as this process lives.
    """
    reached: dict[tuple[str, ...], dict[str, Any]] = {}  # by the addresses that are looked for

    async def raw(connection: AsyncConnection, wanted: Wanted) -> int:
        count, asked = 0, {"order_ids": list(wanted.order_ids)}
        while rows := (await connection.execute(_WEBHOOKS, asked)).all():
            count += await blank_rows(connection, webhooks, rows)
            await connection.commit()
        who = tuple(sorted(wanted.addresses))
        named = {"addresses": list(who), "some": UNMATCHED_AT_ONCE}
        after = reached.get(who, _FIRST)
        while who and (rows := (await connection.execute(_UNMATCHED, after | named)).all()):
            count += await blank_rows(connection, webhooks, [row for row in rows if row.body is not None])
            await connection.commit()
            after = reached[who] = {"at": rows[-1].received_at, "id": rows[-1].message_id}
        reached.pop(who, None)
        return count

    return (
        Place("tasks", "webhooks that waited for their order", _searches),
        Place("provider_events", "bytes and headers of webhooks", raw),
        Place("outbox", "orders as they were announced", _said),
        Place("payments", "orders as they were placed", _contents),
    )


async def _searches(connection: AsyncConnection, wanted: Wanted) -> int:
    """Closed ones too: a task keeps what it was about until it is cleaned away. A page at a time, since
    those of other accounts are among them.
    """
    count, after = 0, 0
    while rows := (await connection.execute(_SEARCHES, {"after": after, "some": SEARCHES_AT_ONCE})).all():
        count += await _blank_theirs(connection, rows, wanted)
        await connection.commit()
        after = rows[-1].id
    return count


async def _blank_theirs(connection: AsyncConnection, rows: Sequence[Any], wanted: Wanted) -> int:
    about = {row.id: row.key.removeprefix("match:") for row in rows}  # several tries of one webhook
    asked = {"order_ids": list(wanted.order_ids), "ids": sorted(set(about.values()))}
    matched = {row.message_id for row in await connection.execute(_MATCHED, asked)}
    theirs = [
        row.id for row in rows if about[row.id] in matched or names_one_of(_bytes_in(row), wanted.addresses)
    ]
    if not theirs:
        return 0
    blanked_now = (await connection.execute(_BLANK_TASKS, {"ids": theirs})).rowcount
    if blanked_now < len(theirs):
        raise Unavailable("webhook-under-way", "a webhook of theirs is just being looked up: once more soon")
    return blanked_now


def _bytes_in(row: Any) -> bytes:
    webhook = _webhooks.decode(decode(_search.decode(row.payload).envelope))
    return webhook.body if isinstance(webhook, ProviderEventReceived) else b""


async def _said(connection: AsyncConnection, wanted: Wanted) -> int:
    """A blanked announcement has an id of its own: it is not the message that was published under the old."""
    count = 0
    for row in (await connection.execute(_SAID, {"order_ids": list(wanted.order_ids)})).all():
        envelope = decode(row.payload)
        order = _orders.decode(envelope) if envelope.type in _orders else None
        if not isinstance(order, OrderPlaced) or order.erased:
            continue
        renamed = str(uuid5(NAMESPACE_URL, f"blanked:{envelope.id}"))
        envelope = replace(envelope, id=renamed, data=msgspec.Raw(blanked(order).encode()))
        await connection.execute(_BLANK_SAID, {"position": row.position, "payload": encode(envelope)})
        count += 1
    return count


async def _contents(connection: AsyncConnection, wanted: Wanted) -> int:
    count = 0
    for row in (await connection.execute(_CONTENTS, {"order_ids": list(wanted.order_ids)})).all():
        order = _content.decode(row.content)
        if order.erased:
            continue
        order = blanked(order)
        new = {"order_id": row.order_id, "content": order.encode(), "fingerprint": fingerprint(order)}
        await connection.execute(_BLANK_CONTENT, new)
        count += 1
    return count
