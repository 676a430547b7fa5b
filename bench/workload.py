"""The workload: one signed webhook per distinct open order, 1.7 kB, some of them sent twice.

Everything is typed from Razorpay's published examples and signed here; nothing is taken from `shared`.
"""

import hmac
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

DUPLICATES = 0.05
DUPLICATE_WITHIN = 500  # a repetition follows its original within so many requests
AMOUNT = 129_900
CURRENCY = "INR"
CREATED_AT = 1_767_225_600  # any fixed second: the bodies of two runs are the same

_FILL = "Two hand-thrown cups, a teapot with a bamboo handle, and a linen cloth. "


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs, and where to."""

    account: str
    webhook_secret: str


def order_id(n: int) -> str:
    return f"bench-{n:09d}"


def provider_order_id(n: int) -> str:
    return f"order_B{n:013d}"


def charge_id(n: int) -> str:
    return f"pay_B{n:013d}"


def body(n: int, account: str) -> bytes:
    """`payment.captured` for order `n` (Razorpay docs, Webhooks, Payments), 1.7 kB."""
    payment = {
        "id": charge_id(n),
        "entity": "payment",
        "amount": AMOUNT,
        "currency": CURRENCY,
        "status": "captured",
        "order_id": provider_order_id(n),
        "invoice_id": None,
        "international": False,
        "method": "card",
        "amount_refunded": 0,
        "refund_status": None,
        "captured": True,
        "description": "",
        "card_id": "card_EIMiplqRLBOZDC",
        "card": {
            "id": "card_EIMiplqRLBOZDC",
            "entity": "card",
            "name": "Gaurav Kumar",
            "last4": "0008",
            "network": "Visa",
            "type": "credit",
            "issuer": None,
            "international": False,
            "emi": False,
        },
        "bank": None,
        "wallet": None,
        "vpa": None,
        "email": "gaurav.kumar@example.com",
        "contact": "+919876543210",
        "notes": {"order_id": order_id(n)},
        "fee": 2_598,
        "tax": 396,
        "error_code": None,
        "error_description": None,
        "error_source": None,
        "error_step": None,
        "error_reason": None,
        "acquirer_data": {"auth_code": "564321", "rrn": "204810023411"},
        "created_at": CREATED_AT,
    }
    event = {
        "entity": "event",
        "account_id": account,
        "event": "payment.captured",
        "contains": ["payment"],
        "payload": {"payment": {"entity": payment}},
        "created_at": CREATED_AT + 5,
    }
    bare = len(json.dumps(event))
    payment["description"] = (_FILL * 30)[: 1_700 - bare]
    return json.dumps(event).encode()


def request(n: int, account: Account, port: int) -> bytes:
    """One whole HTTP/1.1 request, ready to be written to a socket."""
    content = body(n, account.account)
    signature = hmac.new(account.webhook_secret.encode(), content, sha256).hexdigest()
    head = (
        f"POST /api/payments/webhook/razorpay HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"user-agent: Razorpay-Webhook/v1\r\naccept: */*\r\ncontent-type: application/json\r\n"
        f"x-razorpay-event-id: bench{n:014d}\r\nx-razorpay-signature: {signature}\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def plan(first: int, count: int) -> Sequence[int]:
    """The orders whose webhooks are sent, in this order: each once, five in a hundred twice."""
    draw = random.Random(first)
    places = [(float(i), n) for i, n in enumerate(range(first, first + count))]
    twice = draw.sample(places, int(count * DUPLICATES))
    places += [(place + draw.uniform(1, DUPLICATE_WITHIN), n) for place, n in twice]
    return [n for _, n in sorted(places)]
