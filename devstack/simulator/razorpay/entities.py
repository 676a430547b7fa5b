"""Razorpay's objects as the simulator keeps them; `views` turns them into what its API shows."""

from typing import Literal

import msgspec

from devstack.simulator.ledger import Row

Method = Literal["card", "upi", "netbanking", "wallet"]
PaymentStatus = Literal["created", "authorized", "captured", "refunded", "failed"]
RefundStatus = Literal["pending", "processed", "failed"]
DisputeStatus = Literal["open", "under_review", "won", "lost", "closed"]
DisputePhase = Literal["fraud", "retrieval", "chargeback", "pre_arbitration", "arbitration"]


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an order's payments are captured; periods run from the payment's creation."""

    mode: Literal["automatic", "manual"]
    automatic_expiry_s: float
    manual_expiry_s: float


class PaymentError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a payment failed, in Razorpay's five words."""

    code: str
    description: str
    source: str
    step: str
    reason: str


class Order(Row, frozen=True, kw_only=True):
    amount: int
    currency: str
    receipt: str | None
    notes: dict[str, str]
    capture: CaptureSettings
    partial_payment: bool
    status: Literal["created", "attempted", "paid"]
    attempts: int
    amount_paid: int
    name: str  # the receipt, or how many orders came before: the same from run to run
    created_at: int


class Card(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    last4: str
    iin: str
    network: str
    type: str
    issuer: str | None
    name: str


class Payment(Row, frozen=True, kw_only=True):
    order_id: str
    amount: int
    currency: str
    status: PaymentStatus
    method: Method
    captured: bool = False
    amount_refunded: int = 0
    card: Card | None = None
    bank: str | None = None
    wallet: str | None = None
    vpa: str | None = None
    email: str | None = None
    contact: str | None = None
    description: str | None = None
    notes: dict[str, str] = {}
    fee: int | None = None
    tax: int | None = None
    fee_taken: int | None = None  # what its settlement keeps, when that is another
    error: PaymentError | None = None
    bank_reference: str
    name: str  # order's name and number of the attempt: the same from run to run
    created_at: int
    began_at: float  # `created_at` with its fraction: scaled periods are shorter than a second
    authorized_at: float | None = None
    captured_at: float | None = None
    late: bool = False  # authorised after it had failed
    force: bool = False  # captured even on an order that is paid, on request of a test
    due_at: float | None = None  # when the bank, the expiry or the late authorisation acts
    due: Literal["time_out", "authorize", "lapse"] | None = None
    settled_by: str | None = None


class Capture(Row, frozen=True, kw_only=True):
    """Money taken: one for each payment that was captured."""

    payment_id: str
    order_id: str
    amount: int
    currency: str
    by: str
    at: float


class Refund(Row, frozen=True, kw_only=True):
    payment_id: str
    amount: int
    currency: str
    status: RefundStatus
    receipt: str | None
    notes: dict[str, str]
    speed_requested: str
    automatic: bool  # of a payment that was never captured
    created_at: int
    due_at: float | None = None
    settled_by: str | None = None


class RefundKey(Row, frozen=True, kw_only=True):
    """An `X-Refund-Idempotency` key, the request it was used for and the refund it made."""

    request_sha256: str
    refund_id: str


class Dispute(Row, frozen=True, kw_only=True):
    payment_id: str
    amount: int
    currency: str
    amount_deducted: int
    reason_code: str
    respond_by: int
    status: DisputeStatus
    phase: DisputePhase
    created_at: int
    evidence: dict[str, object] | None = None
    closed_at: int | None = None
    settled_by: str | None = None


class Settlement(Row, frozen=True, kw_only=True):
    amount: int
    fees: int
    tax: int
    utr: str
    created_at: int
    settled_at: int
