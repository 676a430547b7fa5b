"""Where the order's money is, and how much of it may still be given back."""

from services.payments.domain.state import Charge, Dispute, Payment
from shared.messages.payments import Amounts


def amounts_of(payment: Payment) -> Amounts:
    """Sums over everything in the order's currency, surplus captures included."""
    charges = [c for c in payment.charges if c.currency == payment.currency]
    refunds = [r for r in payment.refunds_of_captures if r.currency == payment.currency]
    disputes = [d for d in payment.disputes if d.currency == payment.currency and d.holds_money]
    captured = sum(c.amount for c in charges if c.state == "captured")
    refunded = sum(r.amount for r in refunds if r.state == "succeeded")
    disputed = sum(d.amount for d in disputes if d.state != "lost")
    lost = sum(d.amount for d in disputes if d.state == "lost")
    return Amounts(
        authorized=sum(c.amount for c in charges if c.state == "authorized"),
        captured=captured,
        refunded=refunded,
        refund_pending=sum(r.amount for r in refunds if r.state in ("requested", "pending")),
        disputed=disputed,
        lost=lost,
        net=captured - refunded - disputed - lost,
    )


def refundable(payment: Payment, charge: Charge) -> int:
    """What of a capture was neither given back, nor reserved for it, nor taken by a dispute."""
    if charge.state != "captured":
        return 0
    given = sum(
        r.amount for r in payment.refunds if _of(charge, r.provider, r.charge_id, r.state != "failed")
    )
    taken = sum(d.amount for d in disputes_of(payment, charge) if d.holds_money)
    return max(0, charge.amount - given - taken)


def refunded(payment: Payment, charge: Charge) -> int:
    """What of a capture was given back."""
    back = (r for r in payment.refunds if _of(charge, r.provider, r.charge_id, r.state == "succeeded"))
    return sum(r.amount for r in back)


def disputes_of(payment: Payment, charge: Charge) -> tuple[Dispute, ...]:
    """The disputes of one charge."""
    return tuple(d for d in payment.disputes if (d.provider, d.charge_id) == charge.ref)


def _of(charge: Charge, provider: str, charge_id: str, counts: bool) -> bool:
    return counts and (provider, charge_id) == charge.ref
