"""Razorpay's objects as far as we read them. Unknown fields are ignored; wrong types are Malformed."""

from typing import Annotated, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, lt=10**15)]  # beyond any real amount: nonsense stays out
Signed = Annotated[int, msgspec.Meta(gt=-(10**15), lt=10**15)]
Time = Annotated[int, msgspec.Meta(ge=0, lt=10**11)]  # Unix seconds


class Payment(msgspec.Struct, frozen=True):
    """A payment entity (Razorpay docs, Payments, Entity). Amounts in minor units."""

    id: str
    amount: Count
    currency: str
    status: str
    order_id: str | None = None
    captured: bool | None = None
    created_at: Time = 0
    error_code: str | None = None
    error_reason: str | None = None
    error_description: str | None = None
    fee: Count | None = None
    amount_refunded: Count | None = None


class Refund(msgspec.Struct, frozen=True):
    """A refund entity (Razorpay docs, Refunds, Entity). `receipt` is our reference."""

    id: str
    amount: Count
    currency: str
    payment_id: str
    status: str
    receipt: str | None = None
    created_at: Time = 0


class Dispute(msgspec.Struct, frozen=True):
    """A dispute entity (Razorpay docs, Disputes, Entity). `amount_deducted` stays 0 until it is lost."""

    id: str
    amount: Count
    currency: str
    payment_id: str
    status: Literal["open", "under_review", "won", "lost", "closed"]
    phase: str
    amount_deducted: Count = 0
    reason_code: str | None = None
    respond_by: Time | None = None
    created_at: Time = 0


class ReportLine(msgspec.Struct, frozen=True):
    """A line of the settlement report (Razorpay docs, Settlement Recon). `fee` includes `tax`."""

    entity_id: str
    type: Literal["payment", "refund", "transfer", "adjustment"]
    debit: Signed
    credit: Signed
    amount: Signed
    currency: str
    fee: Signed = 0
    created_at: Time = 0
    settled_at: Time | None = None
    settlement_id: str | None = None
    payment_id: str | None = None
    dispute_id: str | None = None


class Settlement(msgspec.Struct, frozen=True):
    """Money sent to our bank, in rupees (Razorpay docs, Settlements, Entity)."""

    id: str
    amount: Signed
    status: Literal["created", "processed", "failed"]
    created_at: Time


class Order(msgspec.Struct, frozen=True):
    """An order entity (Razorpay docs, Orders, Entity)."""

    id: str
    amount: Count
    currency: str
    status: str
    receipt: str | None = None
