"""What arrives about an erased customer comes in blank: an order told late brings nothing back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.inbox import Incoming
from shared.privacy.customers import customer_hash, order_in, without_customer

log = structlog.get_logger()


# A lock until the transaction's end, one per schema: those who bring orders in share it, an erasure has it
# alone. Taken by a statement of its own, since a statement sees only what was committed before it began.
BRINGING_ORDERS = text("SELECT pg_advisory_xact_lock_shared(729431056, hashtext(current_schema()))")
ERASING = text("SELECT pg_advisory_xact_lock(729431056, hashtext(current_schema()))")

_TOMBSTONES = text("""
    SELECT order_id AS name, NULL::timestamptz AS erased_at FROM erased_orders
    WHERE order_id = ANY(CAST(:orders AS text[]))
    UNION ALL
    SELECT customer, erased_at FROM erased_customers WHERE customer = ANY(CAST(:customers AS text[]))""")

_LATE = text("""
    INSERT INTO erased_orders (order_id, erased_at)
    SELECT id, now() FROM unnest(CAST(:orders AS text[])) AS late (id) ORDER BY id ON CONFLICT DO NOTHING""")


@dataclass(frozen=True, slots=True)
class Screen:
    """Runs before the deciders, in their transaction.

    An order is blanked when it was erased itself, whenever it is told again, or when it was told before its
    customer was erased and arrives after. A customer who buys again later is a customer like any other.
    """

    key: SecretStr

    async def __call__(self, connection: AsyncConnection, fresh: Sequence[Incoming]) -> list[Incoming]:
        told = [(i, order) for i in fresh if (order := order_in(i.message)) is not None]
        if not told:
            return list(fresh)
        customers = {
            i.id: customer_hash(order.customer.email, self.key) for i, order in told if order.customer.email
        }
        orders = {i.id: order.order_id for i, order in told}
        await connection.execute(BRINGING_ORDERS)
        asked = {"orders": sorted(set(orders.values())), "customers": sorted(set(customers.values()))}
        known = {row.name: row.erased_at for row in await connection.execute(_TOMBSTONES, asked)}
        if not known:
            return list(fresh)
        late: set[str] = set()
        screened = []
        for incoming in fresh:
            erased_at = known.get(customers.get(incoming.id, ""))
            before_erasure = erased_at is not None and incoming.envelope.time <= erased_at
            if before_erasure or orders.get(incoming.id) in known:
                late.add(orders[incoming.id])
                incoming = replace(incoming, message=without_customer(incoming.message))  # noqa: PLW2901
            screened.append(incoming)
        if late:
            await connection.execute(_LATE, {"orders": sorted(late)})
            log.info("orders of erased customers came in blank", orders=len(late))
        return screened
