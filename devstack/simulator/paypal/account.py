"""The merchant and its REST app, and the switches that the documents leave open."""

import msgspec

HOUR_S = 3600.0
DAY_S = 86_400.0


class Account(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """PayPal's section of the configuration file."""

    client_id: str
    client_secret: str
    webhook_id: str
    merchant_id: str
    webhook_url: str
    # How buyers and the shop reach this simulator, when it is not by --host and --port.
    public_url: str | None = None

    token_lifetime_s: float = 32_400.0
    # Until the buyer comes, then until the shop captures (PayPal docs, Orders v2).
    approve_within_s: float = 3 * HOUR_S
    capture_within_s: float = 3 * HOUR_S
    # How long a key of an order stands for its first call (docs, Idempotency); payments' keys do so for ever.
    order_keys_s: float = 6 * HOUR_S
    # An e-cheque takes days to clear.
    pending_s: float = 3 * DAY_S
    # 0: refunds are answered as completed, as in the published samples; above: pending first.
    refund_pending_s: float = 0.0
    # A merchant may block a second payment with the same invoice id.
    block_duplicate_invoices: bool = True
    fee_percent: float = 3.49
    fee_fixed: int = 49  # minor units of a currency with decimals; none in the others
    # Transaction Search shows what is up to three hours old.
    report_lag_s: float = 3 * HOUR_S
    # 25 tries in 3 days are published, the intervals are not.
    webhook_first_retry_s: float = 60.0
    webhook_longest_retry_s: float = 4 * HOUR_S
