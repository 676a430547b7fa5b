"""The JSON that Stripe's API and webhooks show; what hangs together is shown by id, or expanded."""

from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.entities import (
    BalanceTransaction,
    Charge,
    Dispute,
    Intent,
    Method,
    PaymentError,
    Payout,
    Refund,
)
from devstack.simulator.stripe.errors import ApiError

Json = dict[str, object]


def intent_json(intent: Intent) -> Json:
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_details": {"tip": {}},
        "amount_received": intent.amount_received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": (
            {"allow_redirects": "always", "enabled": True} if intent.automatic_methods else None
        ),
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": None,
        "description": intent.description,
        "last_payment_error": _error_json(intent.last_error, intent.method) if intent.last_error else None,
        "latest_charge": intent.latest_charge,
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": _next_action(intent),
        "on_behalf_of": None,
        "payment_method": intent.method.id if intent.method and not intent.last_error else None,
        "payment_method_options": {},
        "payment_method_types": intent.method_types,
        "processing": None,
        "receipt_email": intent.receipt_email,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": intent.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def _next_action(intent: Intent) -> Json | None:
    """What Stripe.js does next: its own 3-D Secure frame, or a page of the bank's."""
    if intent.status != "requires_action" or intent.method is None:
        return None
    if intent.method.type == "ideal":
        page = f"/stripe/v3/bank?payment_intent={intent.id}&client_secret={intent.client_secret}"
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": intent.return_url, "url": page},
        }
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}


def _error_json(error: PaymentError, method: Method | None) -> Json:
    view: Json = {"code": error.code, "message": error.message, "type": error.type}
    if error.decline_code is not None:
        view["decline_code"] = error.decline_code
    if error.charge is not None:
        view["charge"] = error.charge
    if method is not None:
        view["payment_method"] = {"id": method.id, "object": "payment_method", "type": method.type}
    return view


def charge_json(charge: Charge) -> Json:
    failed = charge.status == "failed"
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "application": None,
        "balance_transaction": charge.balance_transaction,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "calculated_statement_descriptor": "PAYSTREAM SHOP",
        "captured": charge.captured,
        "created": charge.created,
        "currency": charge.currency,
        "customer": None,
        "description": None,
        "disputed": charge.disputed,
        "failure_balance_transaction": None,
        "failure_code": charge.failure_code,
        "failure_message": charge.failure_message,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "outcome": {
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "reason": charge.decline_code,
            "risk_level": "normal",
            "seller_message": "The bank did not return any further details."
            if failed
            else "Payment complete.",
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": charge.status == "succeeded",
        "payment_intent": charge.intent_id,
        "payment_method": charge.method.id,
        "payment_method_details": _method_details(charge),
        "receipt_email": None,
        "refunded": charge.refunded,
        "status": charge.status,
    }


def _method_details(charge: Charge) -> Json:
    method = charge.method
    if method.type != "card":
        return {"type": method.type, method.type: {"last4": method.last4 or None}}
    card: Json = {
        "amount_authorized": charge.amount,
        "brand": method.brand,
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "funding": "credit",
        "last4": method.last4,
        "network": method.brand,
    }
    if charge.capture_before is not None and not charge.captured:
        card["capture_before"] = charge.capture_before
    return {"type": "card", "card": card}


def refund_json(refund: Refund) -> Json:
    view: Json = {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.balance_transaction,
        "charge": refund.charge_id,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": refund.metadata,
        "payment_intent": refund.intent_id,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
    }
    if refund.status == "failed":
        view["failure_reason"] = refund.failure_reason
        view["failure_balance_transaction"] = refund.failure_balance_transaction
    return view


def dispute_json(dispute: Dispute, books: Books) -> Json:
    """Its balance transactions are always shown whole."""
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": [
            balance_json(books.balance[transaction]) for transaction in dispute.balance_transactions
        ],
        "charge": dispute.charge_id,
        "created": dispute.created,
        "currency": dispute.currency,
        "evidence": dispute.evidence,
        "evidence_details": {
            "due_by": dispute.due_by,
            "has_evidence": bool(dispute.evidence),
            "past_due": False,
            "submission_count": dispute.submissions,
        },
        "is_charge_refundable": dispute.status.startswith("warning_"),
        "livemode": False,
        "metadata": {},
        "payment_intent": dispute.intent_id,
        "reason": dispute.reason,
        "status": dispute.status,
    }


def balance_json(transaction: BalanceTransaction) -> Json:
    fees: list[Json] = []
    if transaction.fee:
        fees = [
            {
                "amount": transaction.fee,
                "application": None,
                "currency": transaction.currency,
                "description": "Stripe processing fees",
                "type": "stripe_fee",
            }
        ]
    return {
        "id": transaction.id,
        "object": "balance_transaction",
        "amount": transaction.amount,
        "available_on": transaction.created,
        "balance_type": "payments",
        "created": transaction.created,
        "currency": transaction.currency,
        "description": None,
        "exchange_rate": None,
        "fee": transaction.fee,
        "fee_details": fees,
        "net": transaction.net,
        "reporting_category": transaction.reporting_category,
        "source": transaction.source,
        "status": "available",
        "type": transaction.type,
    }


def payout_json(payout: Payout) -> Json:
    return {
        "id": payout.id,
        "object": "payout",
        "amount": payout.amount,
        "arrival_date": payout.created,
        "automatic": payout.automatic,
        "balance_transaction": payout.balance_transaction,
        "created": payout.created,
        "currency": payout.currency,
        "description": "STRIPE PAYOUT",
        "destination": None,
        "failure_balance_transaction": payout.failure_balance_transaction,
        "failure_code": "account_closed" if payout.status == "failed" else None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed" if payout.automatic else "not_applicable",
        "status": payout.status,
        "type": "bank_account",
    }


def expand(view: Json, paths: list[str], books: Books) -> Json:
    """Puts objects where ids stand; `data.…` names a field of each item of a list."""
    for path in paths:
        _expand(view, path.split("."), path, books)
    return view


def _expand(view: object, parts: list[str], path: str, books: Books) -> None:
    name, *rest = parts
    if name == "data" and isinstance(view, dict) and isinstance(view.get("data"), list):
        for item in view["data"]:
            _expand(item, rest, path, books)
        return
    if not isinstance(view, dict) or name not in view:
        raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(view[name], str):
        view[name] = _object(view[name], path, books)
    if rest and view[name] is not None:
        _expand(view[name], rest, path, books)


def _object(row_id: str, path: str, books: Books) -> Json:
    match row_id.partition("_")[0]:
        case "pi":
            return intent_json(books.intents[row_id])
        case "ch" | "py":
            return charge_json(books.charges[row_id])
        case "re" | "pyr":
            return refund_json(books.refunds[row_id])
        case "du":
            return dispute_json(books.disputes[row_id], books)
        case "txn":
            return balance_json(books.balance[row_id])
        case "po":
            return payout_json(books.payouts[row_id])
    raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
