"""Answers in the shapes of the providers' published examples."""

import json

from shared.providers.paypal import PayPalAdapter
from shared.providers.razorpay import RazorpayAdapter
from shared.providers.stripe import StripeAdapter
from tests.contract.providers.drivers.paypal import paypal_adapter_at
from tests.contract.providers.drivers.razorpay import razorpay_adapter_at
from tests.contract.providers.drivers.stripe import stripe_adapter_at

# Razorpay docs, Orders, Create an Order.
RAZORPAY_ORDER = {
    "id": "order_RB58MiP5SPFYyM", "entity": "order", "amount": 50_000, "amount_paid": 0, "amount_due": 50_000,
    "currency": "INR", "receipt": "attempt-0000000001", "offer_id": None, "status": "created", "attempts": 0,
    "notes": [], "created_at": 1756455561,
}  # fmt: skip

# The abridged object of Stripe's own documentation (PaymentIntents, The PaymentIntent object).
STRIPE_INTENT = {
    "id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "object": "payment_intent", "amount": 2000, "amount_capturable": 0,
    "amount_received": 0, "application": None, "application_fee_amount": None,
    "automatic_payment_methods": {"enabled": True}, "canceled_at": None, "cancellation_reason": None,
    "capture_method": "automatic",
    "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "confirmation_method": "automatic", "created": 1680800504, "currency": "usd", "customer": None,
    "description": None, "last_payment_error": None, "latest_charge": None, "livemode": False,
    "metadata": {"reference": "attempt-0000000001", "order_id": "o-1"}, "next_action": None,
    "payment_method": None, "payment_method_types": ["card", "link"], "processing": None,
    "status": "requires_payment_method",
}  # fmt: skip

# PayPal docs, Orders v2, Create order, with `Prefer: return=representation`.
PAYPAL_ORDER = {
    "id": "5O190127TN364715T", "intent": "CAPTURE", "status": "PAYER_ACTION_REQUIRED",
    "purchase_units": [{
        "reference_id": "default", "custom_id": "o-1", "invoice_id": "attempt-0000000001",
        "amount": {"currency_code": "USD", "value": "100.00"},
    }],
    "links": [{
        "rel": "payer-action", "method": "GET", "href": "https://www.paypal.com/checkoutnow?token=5O19",
    }],
}  # fmt: skip


def razorpay_error(code: str, description: str) -> bytes:
    """Razorpay docs, Errors."""
    return json.dumps({"error": {"code": code, "description": description}}).encode()


def stripe_error(kind: str, code: str | None = None, message: str = "said Stripe") -> bytes:
    """Stripe docs, Errors."""
    said = {"type": kind, "message": message, **({"code": code} if code else {})}
    return json.dumps({"error": said}).encode()


def paypal_error(name: str, issue: str = "") -> bytes:
    """PayPal docs, API responses."""
    details = [{"issue": issue, "description": "in PayPal's words"}] if issue else []
    body = {"name": name, "message": "…", "debug_id": "90957fca61718", "details": details, "links": []}
    return json.dumps(body).encode()


class RazorpayWording:
    name = "razorpay"
    currency = "INR"
    order = json.dumps(RAZORPAY_ORDER).encode()
    refused = razorpay_error("BAD_REQUEST_ERROR", "The amount must be an integer.")
    unauthorised = razorpay_error("BAD_REQUEST_ERROR", "Authentication failed")
    missing = razorpay_error("BAD_REQUEST_ERROR", "The id provided does not exist")
    under_way = (
        409,
        razorpay_error(
            "BAD_REQUEST_ERROR", "Another request with the same idempotency key is still in progress."
        ),
    )
    key_reused = (
        409,
        razorpay_error(
            "BAD_REQUEST_ERROR",
            "Different request with the same idempotency key has already been processed.",
        ),
    )
    unprocessable = (400, razorpay_error("BAD_REQUEST_ERROR", "The payment has been fully refunded already"))
    slow_down = razorpay_error("BAD_REQUEST_ERROR", "Too many requests")
    trouble = razorpay_error("SERVER_ERROR", "We are facing some trouble completing your request")
    renews_tokens = False
    cannot: frozenset[str] = frozenset()
    may_be_empty: frozenset[str] = frozenset()

    def adapter(self, url: str, timeout_s: float = 2.0) -> RazorpayAdapter:
        return razorpay_adapter_at(url, timeout_s)


class StripeWording:
    name = "stripe"
    currency = "USD"
    order = json.dumps(STRIPE_INTENT).encode()
    refused = stripe_error("invalid_request_error", "parameter_invalid_integer")
    unauthorised = stripe_error("invalid_request_error")
    missing = stripe_error("invalid_request_error", "resource_missing")
    under_way = (409, stripe_error("idempotency_error", "idempotency_key_in_use"))
    key_reused = (400, stripe_error("idempotency_error"))
    unprocessable = (402, stripe_error("card_error", "card_declined"))
    slow_down = stripe_error("invalid_request_error", "rate_limit")
    trouble = stripe_error("api_error")
    renews_tokens = False
    cannot: frozenset[str] = frozenset()
    may_be_empty: frozenset[str] = frozenset()

    def adapter(self, url: str, timeout_s: float = 2.0) -> StripeAdapter:
        return stripe_adapter_at(url, timeout_s)


class PayPalWording:
    name = "paypal"
    currency = "USD"
    order = json.dumps(PAYPAL_ORDER).encode()
    refused = paypal_error("INVALID_REQUEST", "MISSING_REQUIRED_PARAMETER")
    unauthorised = b'{"error":"invalid_token","error_description":"Token signature verification failed"}'
    missing = paypal_error("RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
    under_way = (409, paypal_error("RESOURCE_CONFLICT", "PREVIOUS_REQUEST_IN_PROGRESS"))
    key_reused = (409, paypal_error("RESOURCE_CONFLICT", "DUPLICATE_REQUEST_ID"))
    unprocessable = (422, paypal_error("UNPROCESSABLE_ENTITY", "PAYEE_ACCOUNT_RESTRICTED"))
    slow_down = paypal_error("RATE_LIMIT_REACHED")
    trouble = paypal_error("INTERNAL_SERVER_ERROR")
    renews_tokens = True
    cannot: frozenset[str] = frozenset()
    may_be_empty = frozenset({"list_disputes"})

    def adapter(self, url: str, timeout_s: float = 2.0) -> PayPalAdapter:
        return paypal_adapter_at(url, timeout_s)
