"""Events as payments publishes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.messages.payments import (
    Amounts,
    ChargeView,
    DisputeOpened,
    DisputeView,
    PaymentCreated,
    PaymentFailed,
    PaymentFlagged,
    PaymentPaid,
    PaymentPending,
    PaymentSnapshot,
    RefundRequested,
    RefundView,
)

BEGAN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
CHARGE = ChargeView(
    charge_id="pay_29QQoUBi66xm2f",
    provider="razorpay",
    account="acc_BFQ7uQEaa7j2z7",
    provider_order_id="order_9A33XWu170gUtm",
    state="captured",
    amount=49900,
    currency="INR",
)


def snapshot(order_id: str, version: int, **changes: Any) -> PaymentSnapshot:
    fields: dict[str, Any] = {
        "order_id": order_id,
        "payment_id": "0d1f0cb4-7b4b-4d7a-9a44-0f3c3b1c8d7e",
        "version": version,
        "status": "created",
        "detail": "",
        "amount": 49900,
        "currency": "INR",
        "amounts": Amounts(),
        "revision": 1,
        "created_at": BEGAN,
        "updated_at": BEGAN + timedelta(minutes=version),
        "can_retry": True,
        **changes,
    }
    return PaymentSnapshot(**fields)


def created(order_id: str, **changes: Any) -> PaymentCreated:
    return PaymentCreated(payment=snapshot(order_id, 1, **changes))


def pending(order_id: str, version: int = 2) -> PaymentPending:
    return PaymentPending(
        payment=snapshot(
            order_id, version, status="pending_payment", detail="awaiting_buyer", provider="razorpay"
        )
    )


def failed(order_id: str, version: int = 3) -> PaymentFailed:
    payment = snapshot(order_id, version, status="failed", detail="declined", failure="card_declined")
    return PaymentFailed(payment=payment, charge_id="pay_1", failure="card_declined")


def paid(order_id: str, version: int = 4) -> PaymentPaid:
    payment = snapshot(
        order_id,
        version,
        status="paid",
        can_retry=False,
        amounts=Amounts(authorized=49900, captured=49900, net=49900),
        provider="razorpay",
        account=CHARGE.account,
        charge_id=CHARGE.charge_id,
        charges=(CHARGE,),
        paid_at=BEGAN + timedelta(minutes=version),
    )
    return PaymentPaid(payment=payment)


def flagged(order_id: str, version: int = 5) -> PaymentFlagged:
    payment = snapshot(order_id, version, status="paid", needs_attention=("amount_differs",))
    return PaymentFlagged(payment=payment, reason="amount_differs", subject="pay_1")


def refund(refund_id: str, amount: int = 19900, **changes: Any) -> RefundView:
    fields: dict[str, Any] = {
        "refund_id": refund_id,
        "charge_id": CHARGE.charge_id,
        "provider": "razorpay",
        "state": "requested",
        "amount": amount,
        "currency": "INR",
        "origin": "api",
        "created_at": BEGAN + timedelta(minutes=5),
        **changes,
    }
    return RefundView(**fields)


def refunding(order_id: str, version: int, *refunds: RefundView) -> RefundRequested:
    """The last of these refunds is asked for."""
    left = 49900 - sum(r.amount for r in refunds)
    payment = snapshot(
        order_id, version, status="paid", charges=(CHARGE,), refunds=refunds, refundable=left, can_retry=False
    )
    return RefundRequested(payment=payment, refund=refunds[-1])


def disputed(order_id: str, version: int) -> DisputeOpened:
    dispute = DisputeView(
        dispute_id="disp_EsIAlDcoUr8CaQ",
        charge_id=CHARGE.charge_id,
        provider="razorpay",
        kind="chargeback",
        state="open",
        money="withdrawn",
        amount=49900,
        currency="INR",
        respond_by=BEGAN + timedelta(days=7),
    )
    payment = snapshot(
        order_id,
        version,
        status="paid",
        disputes=(dispute,),
        can_retry=False,
        amounts=Amounts(captured=49900, disputed=49900),
    )
    return DisputeOpened(payment=payment, dispute=dispute)
