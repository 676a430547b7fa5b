"""The JSON that Razorpay's API and webhooks show, key order and oddities of its samples included."""

from collections.abc import Sequence

from devstack.simulator.razorpay.entities import (
    Card,
    Dispute,
    Order,
    Payment,
    Refund,
    Settlement,
)

Json = dict[str, object]


def notes_json(notes: dict[str, str]) -> object:
    """An object when set and an empty *array* when not, as in all of Razorpay's samples."""
    return notes or []


def collection(items: Sequence[Json]) -> Json:
    """No total and no has_more: clients page until a page is short."""
    return {"entity": "collection", "count": len(items), "items": items}


def order_json(order: Order) -> Json:
    return {
        "id": order.id,
        "entity": "order",
        "amount": order.amount,
        "amount_paid": order.amount_paid,
        "amount_due": order.amount - order.amount_paid,
        "currency": order.currency,
        "receipt": order.receipt,
        "offer_id": None,
        "status": order.status,
        "attempts": order.attempts,
        "notes": notes_json(order.notes),
        "created_at": order.created_at,
    }


def card_json(card: Card) -> Json:
    return {
        "id": card.id,
        "entity": "card",
        "name": card.name,
        "last4": card.last4,
        "network": card.network,
        "type": card.type,
        "issuer": card.issuer,
        "international": False,
        "emi": False,
        "sub_type": "consumer",
        "token_iin": None,
    }


def payment_json(payment: Payment, *, with_card: bool = False) -> Json:
    error = payment.error
    view: Json = {
        "id": payment.id,
        "entity": "payment",
        "amount": payment.amount,
        "currency": payment.currency,
        "status": payment.status,
        "order_id": payment.order_id,
        "invoice_id": None,
        "international": False,
        "method": payment.method,
        "amount_refunded": payment.amount_refunded,
        "refund_status": refund_status(payment),
        "captured": payment.captured,
        "description": payment.description,
        "card_id": payment.card.id if payment.card else None,
        "bank": payment.bank,
        "wallet": payment.wallet,
        "vpa": payment.vpa,
        "email": payment.email,
        "contact": payment.contact,
        "notes": notes_json(payment.notes),
        "fee": payment.fee,
        "tax": payment.tax,
        "error_code": error.code if error else None,
        "error_description": error.description if error else None,
        "error_source": error.source if error else None,
        "error_step": error.step if error else None,
        "error_reason": error.reason if error else None,
        "acquirer_data": _acquirer_data(payment),
        "created_at": payment.created_at,
    }
    if payment.method == "upi":
        view["upi"] = {
            "payer_account_type": "bank_account",
            "vpa": payment.vpa,
            "flow": "collect",
        }
    if with_card and payment.card is not None:
        view["card"] = card_json(payment.card)
    return view


def refund_status(payment: Payment) -> str | None:
    if payment.amount_refunded == 0:
        return None
    return "full" if payment.amount_refunded == payment.amount else "partial"


def _acquirer_data(payment: Payment) -> Json:
    reference = payment.bank_reference if payment.authorized_at is not None else None
    if payment.method == "card":
        return {"auth_code": reference[:6] if reference else None}
    if payment.method == "upi":
        return {"rrn": reference}
    if payment.method == "netbanking":
        return {"bank_transaction_id": reference}
    return {"transaction_id": reference}


def refund_json(refund: Refund) -> Json:
    return {
        "id": refund.id,
        "entity": "refund",
        "amount": refund.amount,
        "currency": refund.currency,
        "payment_id": refund.payment_id,
        "notes": notes_json(refund.notes),
        "receipt": refund.receipt,
        "acquirer_data": {"arn": None},
        "created_at": refund.created_at,
        "batch_id": None,
        "status": refund.status,
        "speed_processed": "normal",
        "speed_requested": refund.speed_requested,
    }


def dispute_json(dispute: Dispute) -> Json:
    evidence: Json = {
        "amount": dispute.amount,
        "summary": None,
        "shipping_proof": None,
        "billing_proof": None,
        "cancellation_proof": None,
        "customer_communication": None,
        "proof_of_service": None,
        "explanation_letter": None,
        "refund_confirmation": None,
        "access_activity_log": None,
        "refund_cancellation_policy": None,
        "term_and_conditions": None,
        "others": None,
        "submitted_at": None,
    }
    return {
        "id": dispute.id,
        "entity": "dispute",
        "payment_id": dispute.payment_id,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "amount_deducted": dispute.amount_deducted,
        "reason_code": dispute.reason_code,
        "respond_by": dispute.respond_by,
        "status": dispute.status,
        "phase": dispute.phase,
        "created_at": dispute.created_at,
        "evidence": {**evidence, **(dispute.evidence or {})},
    }


def settlement_json(settlement: Settlement) -> Json:
    return {
        "id": settlement.id,
        "entity": "settlement",
        "amount": settlement.amount,
        "status": "processed",
        "fees": settlement.fees,
        "tax": settlement.tax,
        "utr": settlement.utr,
        "created_at": settlement.created_at,
    }
