"""The merchant account: keys, webhook address, and the switches that the documents leave open."""

import msgspec

DAY_S = 86_400.0
API_VERSION = "2026-10-28.endive"  # of the webhook endpoint; what the SDK 16.1.0 pins


class Account(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Stripe's section of the configuration file."""

    secret_key: str
    publishable_key: str
    webhook_secret: str
    account_id: str
    webhook_url: str
    old_webhook_secret: str | None = None
    # Until then each webhook bears a second `v1`, of the old secret; Unix seconds.
    old_secret_until: float = 0.0

    # "usually 7 days" for online cards (docs, Place a hold on a payment method).
    authorization_life_s: float = 7 * DAY_S
    # Bank debits take days (docs, SEPA Direct Debit).
    debit_settles_after_s: float = 3 * DAY_S
    # 0: refunds succeed at once, as with cards; above: pending first.
    refund_pending_s: float = 0.0
    # Keys may go once they are at least 24 hours old (docs, Idempotent requests).
    key_life_s: float = DAY_S
    respond_within_s: float = 9 * DAY_S
    fee_percent: float = 2.9
    fee_fixed: int = 30
    dispute_fee: int = 1500
    # Intervals and deadline are not published, only "exponential, up to three days".
    webhook_first_retry_s: float = 60.0
    webhook_longest_retry_s: float = 12 * 3600.0
    webhook_give_up_after_s: float = 3 * DAY_S
    webhook_deadline_s: float = 10.0
