"""Orders, tokens, proofs and webhooks as the outside makes them; typed from the documentation, not from
the code under test.
"""

import hmac
import json
import secrets
import time
from typing import Any

import jwt

from tests.integration.gateway.process import KEY_SECRET, SIGNING_KEY, WEBHOOK_SECRETS


def new_order_id() -> str:
    return f"order-{secrets.token_hex(6)}"


def order(order_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """A good body for POST /api/orders."""
    return {
        "orderId": order_id or new_order_id(),
        "amount": 49900,
        "currency": "INR",
        "customer": {"name": "Asha Rao", "email": "asha@example.com"},
        "lines": [
            {"name": "Gyokuro, 100 g", "quantity": 2, "unitAmount": 20000, "taxRate": "5", "taxAmount": 1905},
            {"name": "Teapot", "quantity": 1, "unitAmount": 9900},
        ],
        **changes,
    }


def key(value: str | None = None) -> dict[str, str]:
    """The header of a keyed request; a fresh key unless one is given."""
    return {"idempotency-key": value or secrets.token_hex(16)}


def token(order_id: str, **claims: Any) -> dict[str, str]:
    """The Authorization header of a buyer of this order, minted as a shop would."""
    body = {"sub": order_id, "aud": "paystream-checkout", "exp": int(time.time()) + 600, **claims}
    return {"authorization": "Bearer " + jwt.encode(body, SIGNING_KEY, algorithm="HS256")}


def proof(
    payment_id: str = "pay_29QQoUBi66xm2f", provider_order_id: str = "order_9A33XWu170gUtm"
) -> dict[str, str]:
    """What Razorpay's checkout hands over (Razorpay docs, Integration Steps, 1.5)."""
    message = f"{provider_order_id}|{payment_id}".encode()
    return {
        "razorpay_payment_id": payment_id,
        "razorpay_order_id": provider_order_id,
        "razorpay_signature": hmac.new(KEY_SECRET.encode(), message, "sha256").hexdigest(),
    }


def webhook(body: bytes, secret: str = WEBHOOK_SECRETS[0]) -> dict[str, str]:
    """The headers of a signed webhook (Razorpay docs, Webhooks, Validate)."""
    return {
        "content-type": "application/json",
        "x-razorpay-signature": hmac.new(secret.encode(), body, "sha256").hexdigest(),
        "x-razorpay-event-id": "evt_" + secrets.token_hex(7),
    }


def captured(payment_id: str | None = None) -> bytes:
    """A payment.captured event (Razorpay docs, Webhooks, Payloads)."""
    payment_id = payment_id or "pay_" + secrets.token_hex(7)
    entity = {
        "id": payment_id, "entity": "payment", "amount": 49900, "currency": "INR", "status": "captured",
        "order_id": "order_9A33XWu170gUtm", "captured": True, "notes": [], "created_at": 1567674599,
    }  # fmt: skip
    event = {
        "entity": "event", "account_id": "acc_BFQ7uQEaa7j2z7", "event": "payment.captured",
        "contains": ["payment"], "payload": {"payment": {"entity": entity}}, "created_at": 1567674606,
    }  # fmt: skip
    return json.dumps(event).encode()
