"""What the tasks of this service carry: the exact request, as it was decided."""

from datetime import datetime

import msgspec


class OpenRequest(msgspec.Struct, frozen=True):
    order_id: str
    attempt_id: str
    provider: str
    amount: int
    currency: str
    asked_at: datetime
    capture_automatically: bool
    lookup_first: bool
    tries: int
    only_look: bool = False


class LookRequest(msgspec.Struct, frozen=True):
    order_id: str
    attempt_id: str
    provider: str
    provider_order_id: str
    reason: str
    round: int = 0
    verify: int = 0


class CaptureTask(msgspec.Struct, frozen=True):
    order_id: str
    provider: str
    attempt_id: str
    provider_order_id: str
    charge_id: str
    amount: int
    currency: str
    authorized: int
    key: str
    number: int = 0
    tries: int = 0


class RefundTask(msgspec.Struct, frozen=True):
    order_id: str
    refund_id: str
    provider: str
    provider_order_id: str
    charge_id: str
    amount: int
    currency: str
    reason: str = ""
    tries: int = 0


class CancelTask(msgspec.Struct, frozen=True):
    order_id: str
    provider: str
    attempt_id: str
    provider_order_id: str
