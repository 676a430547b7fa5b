"""Stripe's objects as the simulator keeps them; `views` turns them into what its API shows.

Amounts are in Stripe's own units, currencies in lower case.
"""

from typing import Literal

import msgspec

from devstack.simulator.ledger import Row

IntentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "canceled",
    "succeeded",
]
ChargeStatus = Literal["succeeded", "pending", "failed"]
RefundStatus = Literal["pending", "succeeded", "failed", "canceled"]
DisputeStatus = Literal[
    "warning_needs_response",
    "warning_under_review",
    "warning_closed",
    "needs_response",
    "under_review",
    "won",
    "lost",
]
Aftermath = Literal[
    "", "refund_pending", "refund_fail", "dispute_fraudulent", "dispute_not_received", "inquiry"
]


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """What the buyer pays with, and how their bank will behave."""

    id: str
    type: Literal["card", "sepa_debit", "ideal"]
    brand: str = ""
    last4: str = ""
    authentication: bool = False  # the bank asks for 3-D Secure, or for its own page
    decline_code: str = ""  # what the bank says no with, after any 3-D Secure
    code: str = "card_declined"
    aftermath: Aftermath = ""
    settles: Literal["succeeded", "failed"] = "succeeded"  # a bank debit, days later


class PaymentError(msgspec.Struct, frozen=True, kw_only=True):
    """`last_payment_error`."""

    code: str
    message: str
    type: str = "card_error"
    decline_code: str | None = None
    charge: str | None = None


class Intent(Row, frozen=True, kw_only=True):
    amount: int
    currency: str
    status: IntentStatus
    capture_method: Literal["automatic", "automatic_async", "manual"]
    client_secret: str
    metadata: dict[str, str]
    description: str | None = None
    receipt_email: str | None = None
    method_types: list[str]
    automatic_methods: bool
    method: Method | None = None
    latest_charge: str | None = None
    last_error: PaymentError | None = None
    return_url: str | None = None
    amount_capturable: int = 0
    amount_received: int = 0
    canceled_at: int | None = None
    cancellation_reason: str | None = None
    name: str  # the create's key, or how many intents came before: the same from run to run
    created: int
    due_at: float | None = None
    due: Literal["settle", "lapse"] | None = None


class Charge(Row, frozen=True, kw_only=True):
    intent_id: str
    amount: int
    currency: str
    status: ChargeStatus
    method: Method
    captured: bool = False
    amount_captured: int = 0
    amount_refunded: int = 0
    refunded: bool = False
    disputed: bool = False
    failure_code: str | None = None
    decline_code: str | None = None
    failure_message: str | None = None
    capture_before: int | None = None
    balance_transaction: str | None = None
    name: str  # intent's name and number of the try
    created: int


class Refund(Row, frozen=True, kw_only=True):
    charge_id: str
    intent_id: str
    amount: int
    currency: str
    status: RefundStatus
    reason: str | None
    metadata: dict[str, str]
    balance_transaction: str | None = None
    failure_balance_transaction: str | None = None
    failure_reason: str | None = None
    created: int
    due_at: float | None = None
    due: Literal["succeed", "fail"] | None = None


class Dispute(Row, frozen=True, kw_only=True):
    charge_id: str
    intent_id: str
    amount: int
    currency: str
    status: DisputeStatus
    reason: str
    due_by: int
    evidence: dict[str, str] = {}
    submissions: int = 0
    balance_transactions: list[str] = []
    created: int


class BalanceTransaction(Row, frozen=True, kw_only=True):
    """One movement of the account's balance: `net = amount - fee`."""

    amount: int
    fee: int
    net: int
    currency: str
    type: str
    reporting_category: str
    source: str
    created: int
    payout: str | None = None


class Payout(Row, frozen=True, kw_only=True):
    amount: int
    currency: str
    status: Literal["paid", "failed"]
    automatic: bool
    balance_transaction: str
    failure_balance_transaction: str | None = None
    created: int


class StoredAnswer(Row, frozen=True, kw_only=True):
    """What an idempotency key was first answered, whatever it was."""

    request_sha256: str
    status: int
    body: str
    result: str | None
    at: float
