"""What the lines of Razorpay's settlement report are."""

import pytest

from shared.providers.razorpay import reading
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
    line = ReportLine(
        entity_id="pay_1", type=kind, debit=0, credit=976, amount=1000, currency="INR", fee=24,
        created_at=1_767_225_600, settled_at=1_767_398_400, settlement_id="setl_1", dispute_id=dispute_id,
    )  # fmt: skip
    read = reading.settlement_line(line)
    assert (read.kind, read.amount, read.net) == (expected, 1000, 976)
