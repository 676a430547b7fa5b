"""The Store of all loops: the aggregate is the order."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.results import Result
from services.notifier.domain.state import Order
from services.notifier.loading import load_orders
from services.notifier.saving import save_orders
from shared.inbox import Incoming
from shared.messages.notifier import RecordBounce, ResendDocument
from shared.messages.orders import OrderPlaced
from shared.messages.payments import PaymentEvent


class OrderStore:
    """Orders, loaded under their lock and saved in bulk."""

    async def resolve(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - part of the protocol; our messages name their order
        batch: Sequence[Incoming],
    ) -> Sequence[str | None]:
        """Every message of ours names its order."""
        return [_order_of(incoming) for incoming in batch]

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> dict[str, Order]:
        """Locks the orders (sorted), then reads what hangs under them."""
        return await load_orders(connection, keys)

    async def save(
        self, connection: AsyncConnection, before: dict[str, Order], after: dict[str, Order]
    ) -> None:
        """Writes what changed; new documents get the next numbers of their series here."""
        await save_orders(connection, [(before[key], after[key]) for key in sorted(after)])


def _order_of(incoming: Incoming) -> str:
    message = incoming.message
    if isinstance(message, PaymentEvent):
        return message.payment.order_id
    if isinstance(message, OrderPlaced | Result | ResendDocument | RecordBounce):
        return message.order_id
    raise TypeError(f"no order is known for {type(message).__name__}")
