"""`orders.events`: what was ordered, by whom. The only topic that carries a customer's data."""

from typing import ClassVar, Literal

import msgspec

from shared.messages.base import Event


class Customer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Personal data. Kept for days in the topic, and erasable wherever it is stored."""

    name: str = ""
    email: str = ""


class BillingAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As it shall stand on the document."""

    name: str = ""
    lines: tuple[str, ...] = ()
    country: str = ""  # ISO 3166-1 alpha-2
    tax_id: str = ""


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One position. `unit_amount` and `tax_amount` in minor units; the tax is part of the unit amounts."""

    name: str
    quantity: int
    unit_amount: int
    tax_rate: str | None = None  # percent as decimal text, e.g. "18" or "7.7"
    tax_amount: int | None = None  # for the whole line


class OrderPlaced(Event, frozen=True, kw_only=True):
    """An order that may be paid. Published by the shop or, for orders placed over HTTP, by payments.

    `revision` numbers the accepted contents of one order and is given by payments alone. `erased`: what this
    content said of its customer was blanked on request; amounts and quantities stay.
    """

    TYPE: ClassVar[str] = "orders.order_placed.v1"

    order_id: str
    amount: int
    currency: str
    lines: tuple[OrderLine, ...]
    customer: Customer = Customer()
    billing: BillingAddress | None = None
    locale: str = "en"
    capture: Literal["automatic", "manual"] = "automatic"
    revision: int | None = None
    erased: bool = False


class OrderCancelled(Event, frozen=True, kw_only=True):
    """The shop no longer wants this order paid."""

    TYPE: ClassVar[str] = "orders.order_cancelled.v1"

    order_id: str
    reason: str = ""
    revision: int | None = None
