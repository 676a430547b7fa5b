"""Amounts as an operator types them: in the currency's own decimals, or one clear line."""

import pytest

from services.payments.operate.money import minor_units
from shared.errors import Rejected


def test_an_amount_is_read_in_the_currencys_decimals() -> None:
    assert (minor_units("12.50", "INR"), minor_units("12", "JPY"), minor_units("1.005", "KWD")) == (
        1250, 12, 1005,
    )  # fmt: skip


@pytest.mark.parametrize("typed", ["", "ten", "nan", "inf", "0", "-1", "0.001", "1e999999", "9" * 40])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(Rejected, match="invalid-amount"):
        minor_units(typed, "INR")
