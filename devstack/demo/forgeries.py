"""A stranger who knows the webhook's address and no secret."""

import hmac
import json
from hashlib import sha256

from devstack.demo.shopper import Shopper
from devstack.stack import Stack


async def forged(shopper: Shopper, stack: Stack) -> None:
    order = await shopper.open(
        await shopper.order("a stranger forged webhooks", "razorpay", expected="failed")  # it expires
    )
    body = json.dumps(
        {
            "entity": "event", "account_id": stack.wiring.secrets["razorpay_account"],
            "event": "payment.captured",
            "payload": {"payment": {"entity": {
                "id": "pay_forged", "order_id": order.provider_order_id, "status": "captured",
                "amount": order.amount, "currency": order.currency, "captured": True,
            }}},
        }
    ).encode()  # fmt: skip
    guess = hmac.new(b"a guess", body, sha256).hexdigest()
    tries = [
        ("razorpay", {"x-razorpay-signature": guess}),
        ("razorpay", {}),
        ("stripe", {"stripe-signature": f"t=1,v1={guess}"}),
        ("paypal", {"paypal-transmission-id": "1", "paypal-transmission-sig": "guess",
                    "paypal-cert-url": "https://api.paypal.com.attacker.example/cert"}),
    ]  # fmt: skip
    answers = [await shopper.forge(provider, body, headers) for provider, headers in tries]
    if set(answers) != {400}:
        raise RuntimeError(f"forged webhooks were answered {answers}, not 400")
