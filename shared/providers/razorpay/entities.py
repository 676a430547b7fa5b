"""Razorpay's objects as far as we read them. Unknown fields are ignored; wrong types are Malformed."""

from typing import Literal

import msgspec


class Payment(msgspec.Struct, frozen=True):
    """A payment entity (Razorpay docs, Payments, Entity). Amounts in minor units."""

    id: str
    amount: int
    currency: str
    status: str
    order_id: str | None = None
    captured: bool | None = None
    created_at: int = 0
    error_code: str | None = None
    error_reason: str | None = None
    error_description: str | None = None
    fee: int | None = None
    amount_refunded: int | None = None


class Refund(msgspec.Struct, frozen=True):
    """A refund entity (Razorpay docs, Refunds, Entity). `receipt` is our reference."""

    id: str
    amount: int
    currency: str
    payment_id: str
    status: str
    receipt: str | None = None
    created_at: int = 0


class Dispute(msgspec.Struct, frozen=True):
    """A dispute entity (Razorpay docs, Disputes, Entity). `amount_deducted` stays 0 until it is lost."""

    id: str
    amount: int
    currency: str
    payment_id: str
    status: Literal["open", "under_review", "won", "lost", "closed"]
    phase: str
    amount_deducted: int = 0
    reason_code: str | None = None
    respond_by: int | None = None
    created_at: int = 0


class ReportLine(msgspec.Struct, frozen=True):
    """A line of the settlement report (Razorpay docs, Settlement Recon). `fee` includes `tax`."""

    entity_id: str
    type: Literal["payment", "refund", "transfer", "adjustment"]
    debit: int
    credit: int
    amount: int
    currency: str
    fee: int = 0
    created_at: int = 0
    settled_at: int | None = None
    settlement_id: str | None = None
    payment_id: str | None = None
    dispute_id: str | None = None


class Settlement(msgspec.Struct, frozen=True):
    """Money sent to our bank, in rupees (Razorpay docs, Settlements, Entity)."""

    id: str
    amount: int
    status: Literal["created", "processed", "failed"]
    created_at: int


class Order(msgspec.Struct, frozen=True):
    """An order entity (Razorpay docs, Orders, Entity)."""

    id: str
    amount: int
    currency: str
    status: str
    receipt: str | None = None
