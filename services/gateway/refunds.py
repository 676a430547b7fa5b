"""Refunds: asked for by a server under its key, then with an id and a life of their own."""

import msgspec
from litestar import get, post

from services.gateway.commands import Commands
from services.gateway.fields import REFUND_ID, Amount, ChargeId, OrderId, Text, check_text
from services.gateway.idempotency import AskedByServer, read_key
from services.gateway.orders import Body
from services.gateway.reading import Payments
from services.gateway.strict import strict
from services.gateway.views import RefundDetails, RefundState, RefundStatus, View, refund_status
from shared.errors import NotFound
from shared.messages.payments import RefundPayment


class RefundInput(Body, frozen=True, kw_only=True):
    """Without an amount all that is left is given back.

    `chargeId` names a capture other than the one that stands.
    """

    order_id: OrderId
    amount: Amount | None = None
    reason: Text = ""
    charge_id: ChargeId | None = None


class RefundAnswer(View, frozen=True, kw_only=True):
    """A refund that is reserved. `refundable`: what is left after it, in minor units."""

    refund_id: str
    order_id: str
    charge_id: str
    status: RefundStatus
    amount: int
    currency: str
    refundable: int


class Reserved(msgspec.Struct, frozen=True):
    """Payments' answer to RefundPayment."""

    refund_id: str
    charge_id: str
    status: RefundState
    amount: int
    currency: str
    refundable: int


@post(
    "/api/payments/refund",
    dto=strict(RefundInput),
    access="payments:refund",
    command=True,
    keyed=True,
    refuses="order-not-found text-not-allowed not-paid nothing-to-refund refund-exceeds-remaining "
    "dispute-open outcome-unknown not-supported-by-provider amount-not-representable amount-out-of-range",
    status_code=201,
    summary="Give money back",
    description="Answered once the amount is reserved; the provider is asked next, and the refund's status "
    "tells how it went. The same key with the same body gets the first answer again.",
)
async def refund(data: RefundInput, request: AskedByServer, commands: Commands) -> RefundAnswer:
    check_text(data.reason, "$.reason")
    key = read_key(request, RefundPayment, data)
    command = RefundPayment(
        order_id=data.order_id,
        amount=data.amount,
        reason=data.reason,
        charge_id=data.charge_id,
        by=key.principal,
        idempotency=key,
    )
    reserved = await commands.ask(data.order_id, command, Reserved)
    return RefundAnswer(
        refund_id=reserved.refund_id,
        order_id=data.order_id,
        charge_id=reserved.charge_id,
        status=refund_status(reserved.status, needs_attention=False),
        amount=reserved.amount,
        currency=reserved.currency,
        refundable=reserved.refundable,
    )


@get(
    "/api/payments/refunds/{refund_id:str}",
    access="payments:read",
    refuses="refund-not-found database-unavailable",
    summary="What became of a refund",
)
async def read_refund(refund_id: str, payments: Payments) -> RefundDetails:
    found = await payments.refund(refund_id) if REFUND_ID.match(refund_id) else None
    if found is None:
        raise NotFound("refund-not-found")
    return found
