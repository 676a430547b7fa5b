"""Stripe's objects as far as we read them. Unknown fields are ignored; wrong types are Malformed.

What an API call expands is an object, elsewhere its id (Stripe docs, Expanding responses).
"""

from decimal import Decimal
from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, lt=10**15)]  # beyond any real amount: nonsense stays out
Signed = Annotated[int, msgspec.Meta(gt=-(10**15), lt=10**15)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Time = Annotated[int, msgspec.Meta(ge=0, lt=10**11)]  # Unix seconds
Metadata = dict[str, str]


class Declined(msgspec.Struct, frozen=True):
    """`last_payment_error` of an intent. `charge` is missing when none was made (a failed 3-D Secure)."""

    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    charge: str | None = None


class Card(msgspec.Struct, frozen=True):
    capture_before: Time | None = None


class MethodDetails(msgspec.Struct, frozen=True):
    card: Card | None = None


class Outcome(msgspec.Struct, frozen=True):
    reason: str | None = None


class BalanceLine(msgspec.Struct, frozen=True):
    """A balance transaction (Stripe docs, Balance Transactions): `net = amount - fee`, signed."""

    id: Id
    amount: Signed
    fee: Signed
    net: Signed
    currency: str
    type: str
    created: Time
    reporting_category: str = ""
    exchange_rate: Decimal | None = None
    source: "str | Source | None" = None


class Source(msgspec.Struct, frozen=True):
    """What a balance transaction is about, expanded: a charge, refund, dispute or payout."""

    id: Id
    object: str
    charge: str | None = None


class Charge(msgspec.Struct, frozen=True):
    """A charge (Stripe docs, Charges). `refunded` without `captured`: an authorisation given back."""

    id: Id
    amount: Count
    currency: str
    status: str
    captured: bool = False
    amount_captured: Count = 0
    amount_refunded: Count = 0
    refunded: bool = False
    disputed: bool = False
    payment_intent: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    outcome: Outcome | None = None
    payment_method_details: MethodDetails | None = None
    balance_transaction: str | BalanceLine | None = None
    created: Time = 0


class Intent(msgspec.Struct, frozen=True):
    """A PaymentIntent (Stripe docs, PaymentIntents). It never fails: a decline puts it back to the start."""

    id: Id
    amount: Count
    currency: str
    status: str
    amount_capturable: Count = 0
    amount_received: Count = 0
    client_secret: str | None = None
    latest_charge: str | Charge | None = None
    last_payment_error: Declined | None = None
    metadata: Metadata = {}
    created: Time = 0


class Refund(msgspec.Struct, frozen=True):
    """A refund (Stripe docs, Refunds). One that succeeded can fail later."""

    id: Id
    amount: Count
    currency: str
    status: str | None = None
    charge: str | None = None
    payment_intent: str | None = None
    failure_reason: str | None = None
    metadata: Metadata | None = None
    created: Time = 0


class Evidence(msgspec.Struct, frozen=True):
    due_by: Time | None = None


class Moved(msgspec.Struct, frozen=True):
    """What a dispute did to our balance: negative when taken, positive when given back."""

    amount: Signed
    created: Time = 0


class Dispute(msgspec.Struct, frozen=True):
    """A dispute (Stripe docs, Disputes). `warning_…`: an inquiry, in which no money moves."""

    id: Id
    amount: Count
    currency: str
    status: str
    charge: str
    payment_intent: str | None = None
    reason: str | None = None
    evidence_details: Evidence | None = None
    balance_transactions: tuple[Moved, ...] = ()
    created: Time = 0


class Payout(msgspec.Struct, frozen=True):
    """Money sent to our bank. Only what an automatic one paid out can be listed."""

    id: Id
    automatic: bool = False
    created: Time = 0


class Page(msgspec.Struct, frozen=True):
    """A page of a list, newest first; its items are decoded by who asked."""

    data: tuple[msgspec.Raw, ...]
    has_more: bool


class Cursor(msgspec.Struct, frozen=True):
    """Of any listed object only what the next page begins after."""

    id: Id
