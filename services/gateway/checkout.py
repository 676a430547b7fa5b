"""The buyer's way through a checkout: options, create-order, verify, and the return from a redirect."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
import structlog
from litestar import Request, Response, get, post
from litestar.datastructures import State
from msgspec import UNSET, Meta, UnsetType

from services.gateway.access import ANYONE, BUYER, READERS, Buyer, Caller, check_order
from services.gateway.commands import Commands
from services.gateway.fields import END, ORDER_ID, OrderId, ProviderName
from services.gateway.live import Live
from services.gateway.offer import RETURN_PATH, Offer, OptionView, with_order
from services.gateway.orders import Body, StatusAnswer, Told
from services.gateway.reading import Payments
from services.gateway.settings import ShopSettings
from services.gateway.strict import strict
from services.gateway.views import View
from shared.errors import Malformed, NotFound, Unavailable
from shared.messages.payments import ConfirmCheckout, CreatePayment, PaymentSnapshot
from shared.providers.registry import PROOFS

log = structlog.get_logger()

APPEARS_WITHIN_S = 0.5  # from the commit at payments to our projection: 80 ms at the slowest, as a rule
FORM_FIELDS_MAX = 30
RAZORPAY_PROOF = PROOFS["razorpay"]

Proof = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,200}" + END)]
Asked = Request[Any, Caller, State]


class CreateOrderInput(Body, frozen=True, kw_only=True):
    """Without a provider the shop's own order of preference decides."""

    order_id: OrderId
    provider: ProviderName | None = None


class ReturnInput(Body, frozen=True, kw_only=True):
    """Whose buyer came back."""

    order_id: OrderId


# One field for each thing that any provider's checkout hands over, under the provider's own name for it.
VerifyInput = msgspec.defstruct(
    "VerifyInput",
    [
        (name, Proof | UnsetType, msgspec.field(name=name, default=UNSET))
        for fields in PROOFS.values()
        for name in fields
    ],
    bases=(ReturnInput,),
    namespace={"__doc__": "What one provider's checkout handed over, unchanged."},
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
)


class CreateOrderAnswer(View, frozen=True, kw_only=True):
    provider: str
    key_id: str
    provider_order_id: str
    amount: int
    currency: str
    checkout: dict[str, Any]


class Opened(msgspec.Struct, frozen=True):
    """Payments' answer to CreatePayment. `opened` may hold secrets for the browser: never logged."""

    provider: str
    provider_order_id: str
    amount: int
    currency: str
    prefill: dict[str, str] = {}
    opened: dict[str, str] = {}


@get(
    "/api/payments/{order_id:str}/options",
    access=READERS,
    refuses="order-not-found order-on-its-way database-unavailable",
    summary="The providers that can take this order",
)
async def options(
    order_id: str, request: Asked, payments: Payments, live: Live, offer: Offer
) -> list[OptionView]:
    check_order(request.auth, order_id)
    payment = await appearing(order_id, request.auth, payments, live)
    return offer.options(payment.amount, payment.currency, payment.capture)


@post(
    "/api/payments/create-order",
    dto=strict(CreateOrderInput),
    access=BUYER,
    command=True,
    refuses="order-not-found order-closed already-paid attempt-in-flight provider-unknown "
    "amount-out-of-range amount-not-representable currency-not-supported provider-rejected "
    "not-supported-by-provider outcome-unknown "
    "provider-unavailable provider-rate-limited provider-misconfigured provider-outcome-unknown",
    status_code=200,
    summary="Open a payment attempt at a provider, or get the open one again",
)
async def create_order(
    data: CreateOrderInput, request: Asked, commands: Commands, offer: Offer
) -> CreateOrderAnswer:
    check_order(request.auth, data.order_id)
    command = CreatePayment(order_id=data.order_id, provider=data.provider)
    opened = await commands.ask(data.order_id, command, Opened)
    return CreateOrderAnswer(
        provider=opened.provider,
        key_id=offer.key_id(opened.provider),
        provider_order_id=opened.provider_order_id,
        amount=opened.amount,
        currency=opened.currency,
        checkout=offer.checkout(opened.provider, data.order_id, opened.prefill, opened.opened),
    )


@post(
    "/api/payments/verify",
    dto=strict(VerifyInput, wrong_shape="bad-proof"),
    access=BUYER,
    command=True,
    refuses="order-not-found bad-proof bad-signature attempt-mismatch provider-unknown instrument-declined",
    status_code=200,
    summary="The buyer came back: look at the provider now",
    description="The ids are only compared with this order's attempts; the provider's own word decides.",
)
async def verify(data: ReturnInput, request: Asked, commands: Commands, offer: Offer) -> StatusAnswer:
    check_order(request.auth, data.order_id)
    given = msgspec.to_builtins(data)
    proof = {name: given[name] for fields in PROOFS.values() for name in fields if name in given}
    told = await commands.ask(data.order_id, _confirmed(data.order_id, proof, offer), Told)
    return told.answer(data.order_id)


@post(
    RETURN_PATH + "razorpay",
    access=ANYONE,
    refuses="bad-proof bad-signature",
    query={"orderId": "put there by us, in the callbackUrl"},
    form=RAZORPAY_PROOF,
    status_code=303,
    summary="Where Razorpay's redirect checkout sends the browser, with a form",
    description="Its signature is the proof. Leads to the shop and nowhere else.",
)
async def return_razorpay(
    request: Request[Any, Any, State], commands: Commands, offer: Offer, shop: ShopSettings
) -> Response[None]:
    order_id, form = await _returned(request)
    if not any(name.startswith("error[") for name in form):
        try:
            proof = {name: form[name] for name in RAZORPAY_PROOF}
            await commands.tell(order_id, _confirmed(order_id, proof, offer))
        except Unavailable as error:  # the schedule of looks will find it; the buyer must not see this
            log.warning("a buyer's return could not be passed on", order_id=order_id, reason=error.code)
    return Response(None, status_code=303, headers={"location": with_order(shop.return_url, order_id)})


def _confirmed(order_id: str, proof: Mapping[str, str], offer: Offer) -> ConfirmCheckout:
    provider, provider_order_id, charge_id = offer.check_proof(proof)
    return ConfirmCheckout(
        order_id=order_id, provider=provider, provider_order_id=provider_order_id, charge_id=charge_id
    )


async def _returned(request: Request[Any, Any, State]) -> tuple[str, dict[str, str]]:
    """(order id of the address, form fields); an unsigned report of a failure is told by `error[…]`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Malformed("bad-proof", "a form is needed")
    form = _fields(await request.body())
    order_id = _fields(request.scope["query_string"]).get("orderId", "")
    failed = any(name.startswith("error[") for name in form)
    if not ORDER_ID.match(order_id) or not (failed or all(form.get(name) for name in RAZORPAY_PROOF)):
        raise Malformed("bad-proof", "fields are missing")
    return order_id, form


def _fields(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), max_num_fields=FORM_FIELDS_MAX, errors="strict")
    except ValueError:
        raise Malformed("bad-proof", "the form cannot be read") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("bad-proof", "a field occurs twice")
    return fields


async def appearing(order_id: str, caller: Caller, payments: Payments, live: Live) -> PaymentSnapshot:
    """The payment, waiting a moment for one that was accepted just now.

    After that a server gets NotFound. A buyer's token proves that the shop knows the order, so it is on
    its way to us: Unavailable, ask again.
    """
    found: list[PaymentSnapshot] = []

    async def look() -> bool:
        snapshot = await payments.snapshot(order_id)
        found.extend([snapshot] if snapshot else [])
        return bool(found)

    if await live.changed(order_id, look, APPEARS_WITHIN_S):
        return found[0]
    if isinstance(caller, Buyer):
        raise Unavailable("order-on-its-way", "the order is not here yet", retry_after_s=1.0)
    raise NotFound("order-not-found")
