"""The merchant account: keys, webhook address, and the switches that the documents leave open."""

from typing import Literal

import msgspec

DAY_S = 86_400.0


class Account(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Razorpay's section of the configuration file."""

    key_id: str
    key_secret: str
    webhook_secret: str
    account_id: str
    webhook_url: str
    old_webhook_secret: str | None = None

    # "Account default: auto-capture everything" (Razorpay docs, capture settings).
    default_capture: Literal["automatic", "manual"] = "automatic"
    # 3 days on two pages of the documents, 5 on two others.
    uncaptured_refund_after_s: float = 3 * DAY_S
    # "created" payments time out after about 10 minutes (docs, late authorisation).
    payment_timeout_s: float = 600.0
    # 0: refunds are answered as processed, as in the published samples; above: pending first.
    refund_pending_s: float = 0.0
    # A late authorisation on an order that is paid is refunded at once (docs, late authorisation).
    refund_second_payment: bool = True
    fee_percent: float = 2.0
    tax_percent_of_fee: float = 18.0
    order_amount_max: int = 1_000_000_000
    # Retry intervals are not published, only "exponential, for 24 hours".
    webhook_first_retry_s: float = 30.0
    webhook_longest_retry_s: float = 4 * 3600.0
