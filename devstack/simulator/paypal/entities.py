"""PayPal's objects as the simulator keeps them; `views` turns them into what its API shows."""

from typing import Literal

import msgspec

from devstack.simulator.ledger import Row

OrderStatus = Literal["CREATED", "PAYER_ACTION_REQUIRED", "APPROVED", "COMPLETED", "EXPIRED"]
CaptureStatus = Literal["COMPLETED", "PENDING", "DECLINED", "PARTIALLY_REFUNDED", "REFUNDED"]
RefundStatus = Literal["COMPLETED", "PENDING", "FAILED"]
DisputeStatus = Literal["OPEN", "WAITING_FOR_SELLER_RESPONSE", "UNDER_REVIEW", "RESOLVED"]
DisputeStage = Literal["INQUIRY", "CHARGEBACK"]
Outcome = Literal["success", "declined", "pending"]
Then = Literal["complete", "deny"]


class Order(Row, frozen=True, kw_only=True):
    """One purchase unit. EXPIRED is ours: PayPal answers as if such an order had never been."""

    amount: int
    currency: str
    reference_id: str
    custom_id: str | None
    invoice_id: str | None
    description: str | None
    brand_name: str | None
    return_url: str
    cancel_url: str
    wallet: bool  # made with `payment_source.paypal`: other words for the same states
    status: OrderStatus
    name: str  # the invoice id, or how many orders came before: the same from run to run
    created_at: float
    updated_at: float
    payer_id: str | None = None
    outcome: Outcome = "success"  # what the payer's bank will say to the capture
    then: Then | None = None  # how a pending capture ends, when it ends by itself
    then_after_s: float | None = None
    due_at: float | None = None  # when it expires


class Capture(Row, frozen=True, kw_only=True):
    """Money taken, or to be taken when it is pending."""

    order_id: str
    amount: int
    currency: str
    status: CaptureStatus
    reason: str | None
    fee: int
    refunded: int = 0
    custom_id: str | None
    invoice_id: str | None
    name: str
    created_at: float
    updated_at: float
    then: Then | None = None
    due_at: float | None = None


class Refund(Row, frozen=True, kw_only=True):
    capture_id: str
    order_id: str
    amount: int
    currency: str
    status: RefundStatus
    custom_id: str | None
    invoice_id: str | None
    note: str | None
    reversal: bool  # taken back by a bank, not given back by the shop
    created_at: float
    updated_at: float
    due_at: float | None = None


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """Money of the seller's that a dispute took or gave back."""

    type: Literal["DEBIT", "CREDIT"]
    amount: int
    at: float


class Dispute(Row, frozen=True, kw_only=True):
    capture_id: str
    amount: int
    currency: str
    reason: str
    status: DisputeStatus
    stage: DisputeStage
    outcome: str | None = None
    movements: list[Movement] = []
    respond_by: float
    created_at: float
    updated_at: float


class Withdrawal(Row, frozen=True, kw_only=True):
    """Balance that a person sent to the bank."""

    amount: int
    currency: str
    created_at: float


class RequestKey(Row, frozen=True, kw_only=True):
    """A `PayPal-Request-Id` of one kind of call, and the object that it made."""

    result: str
    at: float


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the report, as the other rows add up to it."""

    id: str
    code: str
    amount: int
    fee: int  # below zero when the shop pays it
    currency: str
    status: Literal["S", "P", "D", "V"]
    at: float
    updated_at: float
    reference: str = ""
    reference_type: str = ""
    invoice_id: str | None = None
    custom_id: str | None = None
    affects_balance: bool = True
