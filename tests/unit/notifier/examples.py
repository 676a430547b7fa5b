"""Orders, payments and the shop that the notifier's tests start from."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from services.notifier.documents.reader import languages_with
from services.notifier.documents.sheet import Sheet, sheet_of
from services.notifier.documents.shop import Shop
from services.notifier.domain import issuing
from services.notifier.domain.issuing import Rules
from services.notifier.domain.mailing import on_document_rendered
from services.notifier.domain.results import DocumentRendered
from services.notifier.domain.state import PAYMENT_DOCUMENTS, Document, Mail, Order
from services.notifier.handlers import decider
from shared.decision import Decision
from shared.inbox import Incoming
from shared.messages.base import Message, wrap
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from shared.messages.payments import (
    Amounts,
    DisputeClosed,
    DisputeOpened,
    DisputeUpdated,
    DisputeView,
    PaymentPaid,
    PaymentSnapshot,
    RefundFailed,
    RefundSucceeded,
    RefundView,
)

NOW = datetime(2026, 3, 12, 14, 6, tzinfo=UTC)
PAID_AT = datetime(2026, 3, 12, 14, 5, 8, 123456, tzinfo=UTC)
MERCHANT = "owner@shop.test"
RULES = Rules(zone=ZoneInfo("Asia/Kolkata"), mail_domain="shop.test", merchant_email=MERCHANT)
LANGUAGES = languages_with()
SHOP = Shop(
    name="Bluebird Books", zone=ZoneInfo("Asia/Kolkata"), languages=LANGUAGES, email="hello@shop.test"
)
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


REFUND = RefundView(
    refund_id="rf-1",
    charge_id="pay_1",
    provider="razorpay",
    state="succeeded",
    amount=9_900,
    currency="INR",
    origin="api",
    created_at=PAID_AT,
    provider_refund_id="rfnd_1",
    reason="lid broken",
)
DISPUTE = DisputeView(
    dispute_id="disp_1",
    charge_id="pay_1",
    provider="razorpay",
    kind="chargeback",
    state="open",
    money="none",
    amount=49_900,
    currency="INR",
    reason="goods_not_received",
    respond_by=NOW + timedelta(days=7),
)


def placed(**changes: object) -> OrderPlaced:
    return msgspec.structs.replace(PLACED, **changes)


def paid(**changes: object) -> PaymentPaid:
    return PaymentPaid(payment=msgspec.structs.replace(PAID.payment, **changes))


def refund_succeeded(**changes: object) -> RefundSucceeded:
    return RefundSucceeded(payment=PAID.payment, refund=msgspec.structs.replace(REFUND, **changes))


def refund_failed(**changes: object) -> RefundFailed:
    changes = {"state": "failed", "failure": "account_closed"} | changes
    return RefundFailed(payment=PAID.payment, refund=msgspec.structs.replace(REFUND, **changes))


def dispute_opened(**changes: object) -> DisputeOpened:
    return DisputeOpened(payment=PAID.payment, dispute=msgspec.structs.replace(DISPUTE, **changes))


def dispute_updated(**changes: object) -> DisputeUpdated:
    return DisputeUpdated(payment=PAID.payment, dispute=msgspec.structs.replace(DISPUTE, **changes))


def dispute_closed(**changes: object) -> DisputeClosed:
    changes = {"state": "won"} | changes
    return DisputeClosed(payment=PAID.payment, dispute=msgspec.structs.replace(DISPUTE, **changes))


def numbered(order: Order) -> Order:
    """The order as the store gives it back: its documents have numbers, each kind from 7 on."""
    counts: Counter[str] = Counter()
    documents = []
    for document in order.documents:
        documents.append(replace(document, number=7 + counts[document.kind]))
        counts[document.kind] += 1
    return replace(order, documents=tuple(documents))


def issued(order: OrderPlaced = PLACED) -> Order:
    """A paid order whose document was just claimed and numbered."""
    first = issuing.on_order_placed(EMPTY, order, RULES, NOW)
    return numbered(issuing.on_payment_paid(first.state, PAID, RULES, NOW).state)


def rendered(order: OrderPlaced = PLACED) -> Order:
    """The same with its PDF made: the mail may go."""
    before = issued(order)
    document = the_document(before)
    result = DocumentRendered(order_id="order-1", document_id=document.id, pdf=b"%PDF-", sha256=SHA256)
    return on_document_rendered(before, result, NOW).state


def the_document(order: Order, kind: str = "receipt") -> Document:
    (document,) = (d for d in order.documents if d.kind == kind)
    return document


def the_mail(order: Order, kind: str = "receipt") -> Mail:
    (mail,) = (m for m in order.mails if m.kind == kind)
    return mail


def play(
    *messages: Message, order: Order = EMPTY, rules: Rules = RULES
) -> tuple[Order, list[Decision[Order]]]:
    """The end state and each decision, with documents numbered as the store would."""
    decide, decisions = decider(rules), []
    for message in messages:
        envelope = wrap(message, source="payments", subject="order-1", time=NOW)
        decisions.append(decide(order, Incoming(envelope.id, envelope, message, b""), NOW))
        order = numbered(decisions[-1].state)
    return order, decisions


def sheet(order: Order, kind: str = "receipt", shop: Shop = SHOP) -> Sheet:
    """What the one document of this kind prints."""
    return printed(order, the_document(order, kind), shop)


def printed(order: Order, document: Document, shop: Shop = SHOP) -> Sheet:
    assert order.paid is not None
    return sheet_of(
        document,
        order.contents[document.revision],
        order.paid,
        shop,
        order.refunds.get(document.subject),
        {d.kind: d for d in order.documents if d.kind in PAYMENT_DOCUMENTS or d.subject == document.subject},
    )
