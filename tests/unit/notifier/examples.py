"""Orders, payments and the shop that the notifier's tests start from."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from services.notifier.documents.sheet import Shop
from services.notifier.domain import issuing
from services.notifier.domain.issuing import Rules
from services.notifier.domain.mailing import on_document_rendered
from services.notifier.domain.results import DocumentRendered
from services.notifier.domain.state import Document, Order
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from shared.messages.payments import Amounts, PaymentPaid, PaymentSnapshot

NOW = datetime(2026, 3, 12, 14, 6, tzinfo=UTC)
PAID_AT = datetime(2026, 3, 12, 14, 5, 8, 123456, tzinfo=UTC)
RULES = Rules(series="R", zone=ZoneInfo("Asia/Kolkata"), mail_domain="shop.test")
SHOP = Shop(name="Bluebird Books", zone=ZoneInfo("Asia/Kolkata"), email="hello@shop.test")
EMPTY = Order("order-1")
SHA256 = "ab" * 32

PLACED = OrderPlaced(
    order_id="order-1",
    amount=49_900,
    currency="INR",
    lines=(OrderLine(name="Teapot", quantity=1, unit_amount=49_900),),
    customer=Customer(name="Asha Raman", email="asha@buyer.test"),
    locale="en-IN",
    revision=1,
)

PAID = PaymentPaid(
    payment=PaymentSnapshot(
        order_id="order-1",
        payment_id="payment-1",
        version=4,
        status="paid",
        detail="",
        amount=49_900,
        currency="INR",
        amounts=Amounts(captured=49_900, net=49_900),
        revision=1,
        created_at=PAID_AT,
        updated_at=PAID_AT,
        provider="razorpay",
        account="acc_1",
        provider_order_id="order_P1",
        charge_id="pay_1",
        paid_at=PAID_AT,
    )
)


def placed(**changes: object) -> OrderPlaced:
    return msgspec.structs.replace(PLACED, **changes)


def paid(**changes: object) -> PaymentPaid:
    return PaymentPaid(payment=msgspec.structs.replace(PAID.payment, **changes))


def numbered(order: Order, number: int = 7) -> Order:
    """The order as the store gives it back: its documents have numbers."""
    return replace(order, documents=tuple(replace(d, number=number) for d in order.documents))


def issued(order: OrderPlaced = PLACED) -> Order:
    """A paid order whose document was just claimed and numbered."""
    first = issuing.on_order_placed(EMPTY, order, RULES, NOW)
    return numbered(issuing.on_payment_paid(first.state, PAID, RULES, NOW).state)


def rendered(order: OrderPlaced = PLACED) -> Order:
    """The same with its PDF made: the mail may go."""
    before = issued(order)
    result = DocumentRendered(
        order_id="order-1", document_id=the_document(before).id, pdf=b"%PDF-", sha256=SHA256
    )
    return on_document_rendered(before, result, NOW).state


def the_document(order: Order) -> Document:
    (document,) = order.documents
    return document
