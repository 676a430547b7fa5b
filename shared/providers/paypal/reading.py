"""PayPal's orders, captures and refunds, read into facts."""

from shared.errors import Malformed
from shared.messages.facts import ChargeFact, ChargeState, ProviderOrderFact, RefundFact, RefundState, Seen
from shared.providers.paypal.amounts import minor_units
from shared.providers.paypal.entities import Amount, Capture, Link, Order, PurchaseUnit, Refund

# A capture stays one whatever was refunded of it (PayPal docs, Payments v2, Capture status).
_CHARGES: dict[str, ChargeState] = {
    "COMPLETED": "captured",
    "PARTIALLY_REFUNDED": "captured",
    "REFUNDED": "captured",
    "PENDING": "pending",
    "DECLINED": "failed",
    "FAILED": "failed",
}
_REFUNDS: dict[str, RefundState] = {
    "COMPLETED": "succeeded",
    "PENDING": "pending",
    "FAILED": "failed",
    "CANCELLED": "failed",
}
APPROVE_LINKS = ("payer-action", "approve")  # which one depends on how the order was made


def order(entity: Order) -> ProviderOrderFact:
    """The fact an order states, with the address at which the buyer approves it while it is open."""
    unit = _unit(entity)
    if unit.amount is None:
        raise Malformed("provider-answer-unreadable", f"order {entity.id} has no amount")
    approve = next((link.href for link in entity.links if link.rel in APPROVE_LINKS), "")
    return ProviderOrderFact(
        provider_order_id=entity.id,
        reference=unit.invoice_id,
        amount=_positive(unit.amount),
        currency=_currency(unit.amount),
        paid=entity.status == "COMPLETED",
        secrets={"approveUrl": approve} if approve else {},
    )


def seen(entity: Order) -> Seen:
    """All that an order says, without disputes."""
    unit = _unit(entity)
    return Seen(
        charges=tuple(charge(each, entity.id) for each in unit.payments.captures),
        refunds=tuple(_refund_of(entity, unit, each) for each in unit.payments.refunds),
        provider_order_id=entity.id,
        approved=entity.status == "APPROVED",
        cancelled=entity.status == "VOIDED",
    )


def charge(entity: Capture, order_id: str = "") -> ChargeFact:
    """The fact a capture states. Its fee is known once it is completed."""
    state = _CHARGES.get(entity.status)
    if state is None:
        raise Malformed("unknown-status", f"capture {entity.id} has status {entity.status!r:.40}")
    fee = entity.seller_receivable_breakdown.paypal_fee
    reason = entity.status_details.reason or entity.status
    return ChargeFact(
        charge_id=entity.id,
        provider_order_id=order_id or order_of(entity),
        state=state,
        amount=_positive(entity.amount),
        currency=_currency(entity.amount),
        at=entity.create_time,
        failure=_slug(reason) if state == "failed" else "",
        fee=None if fee is None else minor_units(fee.value, _currency(fee)),
    )


def order_of(entity: Capture) -> str:
    """A capture's order; older ones say it only by their link."""
    return entity.supplementary_data.related_ids.order_id or _up(entity.links)


def refund(entity: Refund, charge_id: str, currency: str, amount: int) -> RefundFact:
    """The fact a refund states; `amount` and `currency` are what was asked, for one that repeats neither."""
    state = _REFUNDS.get(entity.status)
    if state is None:
        raise Malformed("unknown-status", f"refund {entity.id} has status {entity.status!r:.40}")
    return RefundFact(
        refund_id=entity.id,
        charge_id=charge_id,
        state=state,
        amount=amount if entity.amount is None else _positive(entity.amount),
        currency=currency if entity.amount is None else _currency(entity.amount),
        reference=refund_reference(entity.invoice_id, entity.custom_id),
        at=entity.create_time,
        failure=_slug(entity.status_details.reason or entity.status) if state == "failed" else "",
    )


def refund_reference(invoice_id: str, custom_id: str) -> str:
    """Our refund's id, which we write into both. One made in the dashboard repeats the payment's two."""
    return invoice_id if invoice_id == custom_id else ""


def _refund_of(entity: Order, unit: PurchaseUnit, refunded: Refund) -> RefundFact:
    """One of an order's refunds."""
    if refunded.amount is None:
        raise Malformed("provider-answer-unreadable", f"refund {refunded.id} has no amount")
    captures = unit.payments.captures
    charge_id = _up(refunded.links) or (captures[0].id if len(captures) == 1 else "")
    if not charge_id:
        raise Malformed("provider-answer-unreadable", f"refund {refunded.id} of {entity.id} has no capture")
    return refund(refunded, charge_id, "", 0)


def _unit(entity: Order) -> PurchaseUnit:
    if len(entity.purchase_units) != 1:
        raise Malformed("provider-answer-unreadable", f"order {entity.id} has not one purchase unit")
    return entity.purchase_units[0]


def _positive(amount: Amount) -> int:
    value = minor_units(amount.value, _currency(amount))
    if value < 0:
        raise Malformed("amount-out-of-range", f"{amount.value!r:.40} is below zero")
    return value


def _currency(amount: Amount) -> str:
    return amount.currency_code.upper()


def _up(links: list[Link]) -> str:
    return next((link.last for link in links if link.rel == "up"), "")


def _slug(reason: str) -> str:
    return reason.lower()[:64]
