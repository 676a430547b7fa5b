"""Requests as services make them, each with keys of its own."""

import itertools
import uuid
from datetime import UTC, datetime

from shared.messages.facts import ChargeFact, ProviderOrderFact
from shared.providers.base import CaptureRequest, OrderRequest, RefundRequest

_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:8]


def request(currency: str, amount: int = 50_000, *, capture_automatically: bool = True) -> OrderRequest:
    number = next(_numbers)
    return OrderRequest(
        reference=f"attempt-{_run}-{number:06d}",
        order_id=f"o-{number}",
        amount=amount,
        currency=currency,
        asked_at=datetime.now(UTC),
        capture_automatically=capture_automatically,
    )


def taking(opened: ProviderOrderFact, charge_id: str = "", amount: int | None = None) -> CaptureRequest:
    """All of it unless said; without a charge where the capture makes it."""
    amount = opened.amount if amount is None else amount
    return CaptureRequest(
        key=f"capture-{opened.reference}-{amount}",
        provider_order_id=opened.provider_order_id,
        charge_id=charge_id,
        amount=amount,
        currency=opened.currency,
        authorized=opened.amount,
    )


def giving_back(charge: ChargeFact, amount: int) -> RefundRequest:
    return RefundRequest(
        key=f"refund-{_run}-{next(_numbers):06d}",
        order_id="o-1",
        provider_order_id=charge.provider_order_id,
        charge_id=charge.charge_id,
        amount=amount,
        currency=charge.currency,
        reason="does not fit",
    )
