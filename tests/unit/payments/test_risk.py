"""Money at risk, by age."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from services.payments import risk
from services.payments.operate.money import minor_units, shown
from services.payments.risk import Case
from shared.errors import Rejected
from tests.unit.payments.examples import NOW


def case(kind: str = "refund", amount: int = 100, age_s: float = 0.0, currency: str = "INR") -> Case:
    since = NOW - timedelta(seconds=age_s)
    return Case(kind, "razorpay", "order-1", amount, currency, since, "subject", "")


@pytest.mark.parametrize(
    ("age_s", "group"),
    [(0, "5m"), (299, "5m"), (300, "1h"), (3599, "1h"), (3600, "1d"), (86_399, "1d"), (86_400, "older")],
)
def test_ages_have_exact_borders(age_s: float, group: str) -> None:
    assert case(age_s=age_s).age(NOW) == group


def test_amounts_add_up_per_kind_currency_and_age_and_never_across() -> None:
    found = [case(amount=100), case(amount=50), case(amount=7, currency="EUR"), case(amount=3, age_s=4000)]
    assert risk.grouped([*found, case("flag", 9)], NOW) == {
        ("refund", "razorpay", "INR", "5m"): (2, 150),
        ("refund", "razorpay", "EUR", "5m"): (1, 7),
        ("refund", "razorpay", "INR", "1d"): (1, 3),
        ("flag", "razorpay", "INR", "5m"): (1, 9),
    }


def test_the_gauges_forget_what_is_no_longer_at_risk() -> None:
    labels = {"kind": "refund", "provider": "razorpay", "currency": "INR", "age": "5m"}
    risk.show(risk.grouped([case(amount=100), case(amount=50)], NOW))
    assert REGISTRY.get_sample_value("paystream_money_at_risk", labels) == 150
    assert REGISTRY.get_sample_value("paystream_payments_at_risk", labels) == 2
    risk.show({})
    assert REGISTRY.get_sample_value("paystream_money_at_risk", labels) is None


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [("12.50", "INR", 1250), ("12", "INR", 1200), ("500", "JPY", 500), ("1.234", "KWD", 1234)],
)
def test_a_typed_amount_has_the_currencys_decimals(typed: str, currency: str, minor: int) -> None:
    assert minor_units(typed, currency) == minor


@pytest.mark.parametrize(
    ("typed", "currency"),
    [
        ("12.505", "INR"),
        ("1.5", "JPY"),
        ("-1", "INR"),
        ("0", "INR"),
        ("NaN", "INR"),
        ("1e99", "INR"),
        ("x", "INR"),
    ],
)
def test_an_amount_that_is_none_is_refused(typed: str, currency: str) -> None:
    with pytest.raises(Rejected):
        minor_units(typed, currency)


def test_amounts_are_shown_as_people_write_them() -> None:
    assert shown(123_450, "INR") == "₹1,234.50"
    assert shown(500, "JPY") == "¥500"
