"""What Razorpay's objects say, and what they cannot mean."""

import msgspec
import pytest

from shared.errors import Malformed
from shared.providers.razorpay import events, reading
from shared.providers.razorpay.entities import ReportLine


@pytest.mark.parametrize(
    ("kind", "dispute_id", "expected"),
    [
        ("payment", None, "payment"),
        ("payment", "disp_1", "payment"),
        ("refund", "disp_1", "refund"),
        ("adjustment", "disp_1", "dispute"),
        ("adjustment", None, "adjustment"),
        ("transfer", None, "adjustment"),
    ],
)
def test_a_disputed_payment_is_settled_all_the_same(kind: str, dispute_id: str | None, expected: str) -> None:
    """Read as its dispute, the payment would be missing in every settlement."""
    line = {
        "entity_id": "pay_1", "type": kind, "debit": 0, "credit": 976, "amount": 1000, "currency": "INR",
        "fee": 24, "settled_at": 1_767_398_400, "settlement_id": "setl_1", "dispute_id": dispute_id,
    }  # fmt: skip
    read = reading.settlement_line(msgspec.convert(line, ReportLine))
    assert (read.kind, read.amount, read.net) == (expected, 1000, 976)


PAYMENT = {"id": "pay_1", "amount": 1000, "currency": "INR", "status": "captured", "order_id": "order_1"}
REFUND = {"id": "rfnd_1", "amount": 100, "currency": "INR", "payment_id": "pay_1", "status": "processed"}
DISPUTE = REFUND | {"id": "disp_1", "status": "open", "phase": "chargeback"}


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (place, {name: value})
        for place in ("payment", "refund", "dispute")
        for name, value in (
            ("created_at", 1_767_225_600_000),  # milliseconds
            ("created_at", 10**17),
            ("created_at", 10**30),
            ("amount", -1),
            ("amount", 10**17),
        )
    ],
)
def test_a_number_that_is_none_makes_a_webhook_unreadable(place: str, change: dict[str, int]) -> None:
    """A time that no clock can hold is an error of the system: the whole batch would wait for it for ever."""
    event = {"payment": "payment.captured", "refund": "refund.processed"}
    boxes = {"payment": PAYMENT} | ({"refund": REFUND} if place == "refund" else {})
    boxes |= {"dispute": DISPUTE} if place == "dispute" else {}
    body = {
        "event": event.get(place, "payment.dispute.created"),
        "account_id": "acc_1",
        "payload": {name: {"entity": box} for name, box in boxes.items()},
    }
    assert events.webhook(msgspec.json.encode(body)).known
    body["payload"] = {
        name: {"entity": box | (change if name == place else {})} for name, box in boxes.items()
    }
    with pytest.raises(Malformed):
        events.webhook(msgspec.json.encode(body))
