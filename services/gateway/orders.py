"""`POST /api/orders` and its cancel: what a shop's server says, checked and turned into commands."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, post
from msgspec import Meta

from services.gateway.access import CheckoutTokens, check_id
from services.gateway.commands import Commands
from services.gateway.fields import (
    Amount,
    Country,
    Currency,
    Locale,
    Name,
    OrderId,
    Percent,
    Text,
    check_currency,
    check_email,
    check_new_id,
    check_text,
)
from services.gateway.offer import Capture, Offer
from services.gateway.strict import strict
from services.gateway.views import View
from shared.errors import Rejected
from shared.messages.orders import BillingAddress, Customer, OrderLine, OrderPlaced
from shared.messages.payments import CancelOrder, RegisterOrder, Status
from shared.money import AMOUNT_MAX

LINES_MAX = 200
QUANTITY_MAX = 1_000_000


class Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """camelCase, and not one field more than documented."""


class CustomerInput(Body, frozen=True, kw_only=True):
    name: Name
    email: Annotated[str, Meta(min_length=3, max_length=254, examples=["asha@example.com"])]


class BillingInput(Body, frozen=True, kw_only=True):
    name: Text = ""
    lines: Annotated[tuple[Text, ...], Meta(max_length=6)] = ()
    country: Country | None = None
    tax_id: Text = ""


class LineInput(Body, frozen=True, kw_only=True):
    """`taxAmount` is part of the unit amounts, for the whole line."""

    name: Name
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
    unit_amount: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
    tax_rate: Percent | None = None
    tax_amount: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)] | None = None


class OrderInput(Body, frozen=True, kw_only=True):
    order_id: OrderId
    amount: Amount
    currency: Currency
    customer: CustomerInput
    lines: Annotated[tuple[LineInput, ...], Meta(min_length=1, max_length=LINES_MAX)]
    locale: Locale = "en"
    billing: BillingInput | None = None
    capture: Capture = "automatic"


class CancelInput(Body, frozen=True, kw_only=True):
    reason: Text = ""


NO_REASON = CancelInput()


class OrderAnswer(View, frozen=True, kw_only=True):
    order_id: str
    status: Status
    checkout_token: str


class StatusAnswer(View, frozen=True, kw_only=True):
    """The order's status when the command was done. The whole view is at `GET /api/payments/{orderId}`."""

    order_id: str
    status: Status
    detail: str = ""
    version: int = 0


class Registered(msgspec.Struct, frozen=True):
    """Payments' answer to RegisterOrder."""

    status: Status
    change: Literal["created", "replaced", "unchanged"]


class Told(msgspec.Struct, frozen=True):
    """Payments' answer to CancelOrder and ConfirmCheckout."""

    status: Status
    detail: str = ""
    version: int = 0

    def answer(self, order_id: str) -> StatusAnswer:
        return StatusAnswer(order_id=order_id, status=self.status, detail=self.detail, version=self.version)


@post(
    "/api/orders",
    dto=strict(OrderInput),
    access="orders:write",
    command=True,
    refuses="text-not-allowed amount-mismatch amount-out-of-range amount-not-representable "
    "currency-not-supported not-supported-by-provider order-already-started",
    status_code=201,
    summary="Hold an order so that it can be paid",
    description="201 when it is new, 200 when it was held already or replaced before any payment attempt.",
)
async def place_order(
    data: OrderInput, commands: Commands, tokens: CheckoutTokens, offer: Offer
) -> Response[OrderAnswer]:
    order = checked(data)
    offer.check_payable(order.amount, order.currency, order.capture)
    held = await commands.ask(order.order_id, RegisterOrder(order=order), Registered)
    answer = OrderAnswer(
        order_id=order.order_id, status=held.status, checkout_token=tokens.mint(order.order_id)
    )
    return Response(answer, status_code=201 if held.change == "created" else 200)


@post(
    "/api/orders/{order_id:str}/cancel",
    dto=strict(CancelInput),
    access="orders:write",
    command=True,
    refuses="order-not-found text-not-allowed",
    status_code=200,
    summary="Close an order for payment",
    description="Moves no money: a paid order is flagged for a person.",
)
async def cancel_order(
    order_id: str, commands: Commands, data: CancelInput = NO_REASON
) -> Response[StatusAnswer]:
    check_id(order_id)
    check_text(data.reason, "$.reason")
    told = await commands.ask(order_id, CancelOrder(order_id=order_id, reason=data.reason), Told)
    return Response(told.answer(order_id))


def checked(order: OrderInput) -> OrderPlaced:
    """The order as a message, or Rejected with the first thing that is not allowed."""
    check_new_id(order.order_id)
    check_currency(order.currency)
    check_text(order.customer.name, "$.customer.name")
    check_email(order.customer.email, "$.customer.email")
    for n, line in enumerate(order.lines):
        _check_line(line, f"$.lines[{n}]")
    if sum(line.quantity * line.unit_amount for line in order.lines) != order.amount:
        raise Rejected("amount-mismatch", "the sum of quantity × unitAmount must be the amount")
    return OrderPlaced(
        order_id=order.order_id,
        amount=order.amount,
        currency=order.currency,
        lines=tuple(msgspec.convert(line, OrderLine, from_attributes=True) for line in order.lines),
        customer=Customer(name=order.customer.name, email=order.customer.email),
        billing=_billing(order.billing),
        locale=order.locale,
        capture=order.capture,
    )


def _check_line(line: LineInput, path: str) -> None:
    check_text(line.name, f"{path}.name")
    if line.tax_amount is not None and line.tax_amount > line.quantity * line.unit_amount:
        raise Rejected("amount-mismatch", f"{path}.taxAmount: more than the line itself")


def _billing(billing: BillingInput | None) -> BillingAddress | None:
    if billing is None:
        return None
    check_text(billing.name, "$.billing.name")
    check_text(billing.tax_id, "$.billing.taxId")
    for n, line in enumerate(billing.lines):
        check_text(line, f"$.billing.lines[{n}]")
    return BillingAddress(
        name=billing.name, lines=billing.lines, country=billing.country or "", tax_id=billing.tax_id
    )
