"""What the public may know of an order's payment: the snapshot in every event, and its parts."""

from datetime import datetime
from typing import Literal

import msgspec

Status = Literal[
    "created", "pending_payment", "processing", "paid", "partially_refunded", "refunded", "failed"
]  # fmt: skip


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the order's money is, in minor units of its currency."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refund_pending: int = 0
    disputed: int = 0
    lost: int = 0
    net: int = 0


class ChargeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One payment at the provider. `surplus`: captured beside the one that stands.

    `by`: who marked it by hand, and why; the provider is `hand` then, and the account where the money is.
    """

    charge_id: str
    provider: str
    account: str
    provider_order_id: str
    state: Literal["pending", "failed", "authorized", "lapsed", "captured"]
    amount: int
    currency: str
    at: datetime | None = None
    surplus: bool = False
    failure: str = ""
    capture_before: datetime | None = None
    by: str = ""


class RefundView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refund. `requested`: reserved with us, and the provider has not said that it has it.

    `origin`: a caller of ours (`api`), our own rules (`policy`: surplus or late money), or somebody at the
    provider (`provider`: its dashboard). `refund_id` is ours, `provider_refund_id` the provider's.
    """

    refund_id: str
    charge_id: str
    provider: str
    state: Literal["requested", "pending", "succeeded", "failed"]
    amount: int
    currency: str
    origin: Literal["api", "policy", "provider"]
    created_at: datetime
    provider_refund_id: str | None = None
    reason: str = ""
    failure: str = ""
    needs_attention: bool = False  # nobody knows whether the provider did it: a person has to look


class DisputeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dispute of a charge. `respond_by`: the provider's deadline for evidence."""

    dispute_id: str
    charge_id: str
    provider: str
    kind: Literal["inquiry", "chargeback"]
    state: Literal["open", "under_review", "closed", "won", "lost"]
    money: Literal["none", "withdrawn", "reinstated"]
    amount: int
    currency: str
    reason: str = ""
    respond_by: datetime | None = None
    at: datetime | None = None


class PaymentSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that the public may know of an order's payment at one version; no personal data."""

    order_id: str
    payment_id: str
    version: int
    status: Status
    detail: str
    amount: int
    currency: str
    amounts: Amounts
    revision: int
    created_at: datetime
    updated_at: datetime
    provider: str | None = None
    account: str | None = None
    provider_order_id: str | None = None
    charge_id: str | None = None
    charges: tuple[ChargeView, ...] = ()
    refunds: tuple[RefundView, ...] = ()
    disputes: tuple[DisputeView, ...] = ()
    refundable: int = 0  # of the capture that stands: neither given back, reserved nor disputed
    capture: Literal["automatic", "manual"] = "automatic"
    closes_at: datetime | None = None
    closed: str | None = None
    can_retry: bool = False
    paid_at: datetime | None = None
    failure: str = ""
    needs_attention: tuple[str, ...] = ()
