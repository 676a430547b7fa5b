"""Parked messages are kept whole: those that bring a customer's data are blanked with the customer."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.envelope import decode
from shared.errors import Malformed
from shared.kafka import NOTIFIER_COMMANDS, ORDERS_EVENTS, PAYMENTS_COMMANDS, PAYMENTS_WEBHOOKS
from shared.messages.base import Catalogue
from shared.messages.notifier import RecordBounce
from shared.messages.orders import OrderPlaced
from shared.messages.payments import ProviderEventReceived, RegisterOrder
from shared.privacy.customers import normalised, order_in

_BRINGING_DATA = Catalogue(OrderPlaced, RegisterOrder, ProviderEventReceived, RecordBounce)
_TOPICS = [ORDERS_EVENTS.name, PAYMENTS_COMMANDS.name, PAYMENTS_WEBHOOKS.name, NOTIFIER_COMMANDS.name]

_READ = text("""
    SELECT consumer, message_id, body, record_key FROM inbox
    WHERE outcome = 'parked' AND topic = ANY(CAST(:topics AS text[]))""")
_ERASED = text("SELECT order_id FROM erased_orders WHERE order_id = ANY(CAST(:order_ids AS text[]))")
# It is nobody's to replay any more; its id stays, so that a repetition does nothing.
_BLANK = text("""
    UPDATE inbox SET outcome = 'ignored', body = '', headers = '[]', error = 'erased: personal data'
    WHERE consumer = :consumer AND message_id = :message_id AND outcome = 'parked'""")


@dataclass(frozen=True, slots=True)
class Held:
    """What a message holds of a customer: an order's id and content, or words from outside."""

    order_id: str | None
    raw: bytes
    email: str = ""


def held_in(body: bytes) -> Held:
    """What a record holds; one that cannot be read may hold anything, and is all raw."""
    try:
        envelope = decode(body)
        if envelope.type not in _BRINGING_DATA:
            return Held(None, b"")
        message = _BRINGING_DATA.decode(envelope)
    except Malformed:
        return Held(None, body)
    if isinstance(message, ProviderEventReceived):
        return Held(None, message.body)
    if isinstance(message, RecordBounce):
        return Held(None, message.reason.encode())
    order = order_in(message)
    return Held(order.order_id, body, normalised(order.customer.email)) if order else Held(None, body)


# `a@shop.test` is neither in `anna@shop.test` nor in `a@shop.test.example`, yet in `\u003ca@shop.test\u003e`,
# `\na@shop.test` and `%3Ca%40shop.test`, as JSON and forms write it.
_BEFORE = r"(?:^|[^\w.+%'-]|\\u[0-9a-f]{4}|\\[bfnrt]|%[0-9a-f]{2})"
_AFTER = r"(?![\w-]|\.\w)"
_AT = r"(?:@|%40|\\u0040)"


def names_one_of(raw: bytes, addresses: Collection[str]) -> bool:
    """Whether bytes from outside hold one of these addresses, whole, in whatever spelling of its letters."""
    lowered = raw.decode("utf-8", "replace").lower()
    return any(re.search(_pattern(address), lowered, re.MULTILINE) for address in addresses)


def _pattern(address: str) -> str:
    local, _, domain = address.lower().rpartition("@")
    return f"{_BEFORE}{re.escape(local)}{_AT}{re.escape(domain)}{_AFTER}"


async def blank_parked(
    connection: AsyncConnection, order_ids: Sequence[str], addresses: Sequence[str]
) -> int:
    """Blanks the parked messages that bring these orders or another one of these customers, which nobody
    holds while it is parked; or raw bytes that hold one of the addresses.
    """
    keys, customers, count = {id_.encode() for id_ in order_ids}, {normalised(a) for a in addresses}, 0
    for row in (await connection.execute(_READ, {"topics": _TOPICS})).all():
        held = held_in(row.body)
        unread = held.order_id is None and held.raw  # of anyone: its key or an address in it says of whom
        if (
            held.order_id in order_ids
            or held.email in customers
            or (unread and (row.record_key in keys or names_one_of(held.raw, addresses)))
        ):
            await connection.execute(_BLANK, {"consumer": row.consumer, "message_id": row.message_id})
            count += 1
    return count


async def blank_parked_late(connection: AsyncConnection) -> int:
    """Blanks what was parked after its order was erased; what cannot be read is its key's."""
    rows = (await connection.execute(_READ, {"topics": _TOPICS})).all()
    brought = sorted({held_in(row.body).order_id or _text(row.record_key) for row in rows})
    if not brought:
        return 0
    erased = [row.order_id for row in await connection.execute(_ERASED, {"order_ids": brought})]
    return await blank_parked(connection, erased, ()) if erased else 0


def _text(key: bytes | None) -> str:
    """A record's key as an order id: what is in none, such as NUL, is left out."""
    return (key or b"").decode(errors="ignore").replace("\0", "")
