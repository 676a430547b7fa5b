"""Capture by hand: takes money that a buyer's bank has authorised."""

import msgspec
import structlog
from litestar import post

from services.gateway.commands import Commands
from services.gateway.fields import Amount, OrderId, Text, check_text
from services.gateway.idempotency import AskedByServer, read_key
from services.gateway.orders import Body, StatusAnswer
from services.gateway.strict import strict
from shared.messages.payments import CapturePayment, Status

log = structlog.get_logger()


class CaptureInput(Body, frozen=True, kw_only=True):
    """Without an amount everything is taken; with less, the rest is released for good."""

    order_id: OrderId
    amount: Amount | None = None
    reason: Text = ""


class CaptureAnswer(StatusAnswer, frozen=True, kw_only=True):
    """The order's status, and the amount that is taken, in minor units."""

    amount: int


class Taken(msgspec.Struct, frozen=True):
    """Payments' answer to CapturePayment."""

    status: Status
    amount: int
    detail: str = ""
    version: int = 0


@post(
    "/api/payments/capture",
    dto=strict(CaptureInput),
    access="payments:capture",
    command=True,
    keyed=True,
    refuses="order-not-found text-not-allowed nothing-to-capture capture-exceeds-authorized already-paid "
    "order-closed capture-in-progress outcome-unknown not-supported-by-provider attempt-in-flight "
    "instrument-declined amount-not-representable amount-out-of-range",
    status_code=200,
    summary="Take authorised money",
    description="Answered once it is decided; the provider is asked next, and the order's status tells how "
    "it went. The same key with the same body gets the first answer again.",
)
async def capture(data: CaptureInput, request: AskedByServer, commands: Commands) -> CaptureAnswer:
    check_text(data.reason, "$.reason")
    key = read_key(request, CapturePayment, data)
    log.info("a capture is asked for", order_id=data.order_id, by=key.principal, reason=data.reason)
    command = CapturePayment(order_id=data.order_id, amount=data.amount, by=key.principal, idempotency=key)
    taken = await commands.ask(data.order_id, command, Taken)
    return CaptureAnswer(
        order_id=data.order_id,
        status=taken.status,
        detail=taken.detail,
        version=taken.version,
        amount=taken.amount,
    )
