"""Messages as payments and operators send them to the notifier."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec

from shared.envelope import Envelope, now_utc
from shared.messages.base import Message, wrap
from shared.messages.notifier import (
    RecordBounce,
    ResendDocument,
)
from shared.messages.orders import Customer, OrderLine, OrderPlaced
from shared.messages.payments import (
    Amounts,
    DisputeClosed,
    DisputeOpened,
    DisputeView,
    PaymentEvent,
    PaymentPaid,
    PaymentSnapshot,
    RefundFailed,
    RefundSucceeded,
    RefundView,
)

Sent = OrderPlaced | PaymentEvent | ResendDocument | RecordBounce


def placed(order_id: str, **changes: Any) -> OrderPlaced:
    """What payments publishes for an accepted order."""
    order = OrderPlaced(
        order_id=order_id,
        amount=49_900,
        currency="INR",
        lines=(OrderLine(name=f"Teapot of {order_id}", quantity=1, unit_amount=49_900),),
        customer=Customer(name="Asha Raman", email=f"{order_id}@buyer.test"),
        locale="en-IN",
        revision=1,
    )
    return msgspec.structs.replace(order, **changes)


def paid(order_id: str, **changes: Any) -> PaymentPaid:
    now = now_utc()
    payment = PaymentSnapshot(
        order_id=order_id,
        payment_id=f"payment-{order_id}",
        version=4,
        status="paid",
        detail="",
        amount=49_900,
        currency="INR",
        amounts=Amounts(captured=49_900, net=49_900),
        revision=1,
        created_at=now,
        updated_at=now,
        provider="razorpay",
        account="acc_1",
        provider_order_id=f"order_{order_id}",
        charge_id=f"pay_{order_id}",
        paid_at=now,
    )
    return PaymentPaid(payment=msgspec.structs.replace(payment, **changes))


def refund_view(order_id: str, **changes: Any) -> RefundView:
    refund = RefundView(
        refund_id=f"rf-{order_id}",
        charge_id=f"pay_{order_id}",
        provider="razorpay",
        state="succeeded",
        amount=9_900,
        currency="INR",
        origin="api",
        created_at=now_utc(),
        provider_refund_id=f"rfnd_{order_id}",
        reason="lid broken",
    )
    return msgspec.structs.replace(refund, **changes)


def refund_succeeded(order_id: str, **changes: Any) -> RefundSucceeded:
    return RefundSucceeded(payment=paid(order_id).payment, refund=refund_view(order_id, **changes))


def refund_failed(order_id: str, **changes: Any) -> RefundFailed:
    refund = refund_view(order_id, **({"state": "failed"} | changes))
    return RefundFailed(payment=paid(order_id).payment, refund=refund)


def dispute_view(order_id: str, **changes: Any) -> DisputeView:
    dispute = DisputeView(
        dispute_id=f"disp_{order_id}",
        charge_id=f"pay_{order_id}",
        provider="razorpay",
        kind="chargeback",
        state="open",
        money="none",
        amount=49_900,
        currency="INR",
        reason="goods_not_received",
        respond_by=now_utc() + timedelta(days=7),
    )
    return msgspec.structs.replace(dispute, **changes)


def dispute_opened(order_id: str, **changes: Any) -> DisputeOpened:
    return DisputeOpened(payment=paid(order_id).payment, dispute=dispute_view(order_id, **changes))


def dispute_closed(order_id: str, **changes: Any) -> DisputeClosed:
    dispute = dispute_view(order_id, **({"state": "won"} | changes))
    return DisputeClosed(payment=paid(order_id).payment, dispute=dispute)


def envelope(message: Sent) -> Envelope:
    """As its owner sends it."""
    subject = message.payment.order_id if isinstance(message, PaymentEvent) else message.order_id
    return wrap(message, source="payments", subject=subject, time=now_utc())


def kinds(events: Iterable[Message]) -> list[str]:
    return [type(event).__name__ for event in events]
