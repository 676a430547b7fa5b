"""Taxes as the order gives them, and their share in a part of it."""

from collections.abc import Sequence

from services.notifier.documents.plain import plain
from services.notifier.documents.reader import Reader
from shared.messages.orders import OrderLine


def taxes_of(lines: Sequence[OrderLine], reader: Reader) -> dict[str, int]:
    """The tax of the whole order per rate, by the label it is printed under; empty when none was given."""
    taxes: dict[str, int] = {}
    for line in lines:
        if line.tax_amount:
            rate = reader.rate(plain(line.tax_rate, 12)) if line.tax_rate else ""
            label = reader.words.tax_of.format(rate=rate) if rate else reader.words.tax
            taxes[label] = taxes.get(label, 0) + line.tax_amount
    return taxes


def shares(taxes: dict[str, int], part: int, whole: int) -> dict[str, int]:
    """The taxes in `part` of `whole`: in proportion, each rounded half up. All of it has exactly all."""
    if part == whole or whole <= 0:
        return taxes
    return {label: (2 * tax * part + whole) // (2 * whole) for label, tax in taxes.items()}
