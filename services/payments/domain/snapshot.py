"""What the public may know of a payment: the snapshot that every event carries."""

from services.payments.domain.amounts import amounts_of, refundable
from services.payments.domain.state import Charge, Dispute, Payment, Refund
from shared.messages.payments import ChargeView, DisputeView, PaymentSnapshot, RefundView


def snapshot(payment: Payment) -> PaymentSnapshot:
    """What the public may know of this state."""
    standing, attempt = payment.standing, payment.current
    if payment.created_at is None:
        raise AssertionError(f"{payment.order_id} is not registered")
    declined = next((c for c in reversed(payment.charges) if c.state == "failed"), None)
    return PaymentSnapshot(
        order_id=payment.order_id,
        payment_id=payment.id,
        version=payment.version,
        status=payment.status,
        detail=payment.detail,
        amount=payment.amount,
        currency=payment.currency,
        amounts=amounts_of(payment),
        revision=payment.revision,
        created_at=payment.created_at,
        updated_at=payment.updated_at or payment.created_at,
        provider=standing.provider if standing else attempt.provider if attempt else None,
        account=standing.account if standing else attempt.account if attempt else None,
        provider_order_id=(
            standing.provider_order_id if standing else attempt.provider_order_id if attempt else None
        ),
        charge_id=standing.charge_id if standing else None,
        charges=tuple(_charge(c) for c in payment.charges),
        refunds=tuple(refund_view(r) for r in payment.refunds_of_captures),
        disputes=tuple(dispute_view(d) for d in payment.disputes),
        refundable=refundable(payment, standing) if standing else 0,
        capture=payment.capture,
        closes_at=payment.closes_at,
        closed=payment.closed,
        can_retry=can_retry(payment),
        paid_at=payment.paid_at,
        failure=declined.failure_text or declined.failure if declined and not standing else "",
        needs_attention=tuple(f.reason for f in payment.flags if f.resolved_at is None),
    )


def can_retry(payment: Payment) -> bool:
    """Whether a buyer may try (again) now."""
    return payment.closed is None and payment.status in ("created", "pending_payment", "failed")


def _charge(charge: Charge) -> ChargeView:
    return ChargeView(
        charge_id=charge.charge_id,
        provider=charge.provider,
        account=charge.account,
        provider_order_id=charge.provider_order_id,
        state=charge.state,
        amount=charge.amount,
        currency=charge.currency,
        at=charge.at,
        surplus=charge.state == "captured" and not charge.stands,
        failure=charge.failure,
        capture_before=charge.capture_before if charge.state == "authorized" else None,
        by=charge.by,
    )


def refund_view(refund: Refund) -> RefundView:
    """One refund, as events and answers show it."""
    return RefundView(
        refund_id=refund.id,
        charge_id=refund.charge_id,
        provider=refund.provider,
        state=refund.state,
        amount=refund.amount,
        currency=refund.currency,
        origin=refund.origin,
        created_at=refund.created_at,
        provider_refund_id=refund.provider_refund_id,
        reason=refund.reason,
        failure=refund.failure,
        needs_attention=refund.unknown,
    )


def dispute_view(dispute: Dispute) -> DisputeView:
    """One dispute, as events show it."""
    return DisputeView(
        dispute_id=dispute.dispute_id,
        charge_id=dispute.charge_id,
        provider=dispute.provider,
        kind=dispute.kind,
        state=dispute.state,
        money=dispute.money,
        amount=dispute.amount,
        currency=dispute.currency,
        reason=dispute.reason,
        respond_by=dispute.respond_by,
        at=dispute.at,
    )
