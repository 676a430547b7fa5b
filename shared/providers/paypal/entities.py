"""PayPal's objects as far as we read them. Unknown fields are ignored, wrong types are refused."""

from datetime import datetime

import msgspec


class Amount(msgspec.Struct, frozen=True):
    """A decimal text with its currency (PayPal docs, Money)."""

    currency_code: str
    value: str


class Link(msgspec.Struct, frozen=True):
    """Where an object's relations are: `up` of a capture is its order, of a refund its capture."""

    rel: str
    href: str = ""

    @property
    def last(self) -> str:
        """The id at the end of the address."""
        return self.href.rstrip("/").rsplit("/", 1)[-1]


class Breakdown(msgspec.Struct, frozen=True):
    paypal_fee: Amount | None = None


class Reason(msgspec.Struct, frozen=True):
    reason: str = ""


class RelatedIds(msgspec.Struct, frozen=True):
    order_id: str = ""
    capture_id: str = ""


class Supplementary(msgspec.Struct, frozen=True):
    related_ids: RelatedIds = RelatedIds()


class Capture(msgspec.Struct, frozen=True):
    """A captured payment (PayPal docs, Payments v2, Show captured payment details)."""

    id: str
    status: str
    amount: Amount
    invoice_id: str = ""
    status_details: Reason = Reason()
    seller_receivable_breakdown: Breakdown = Breakdown()
    supplementary_data: Supplementary = Supplementary()
    create_time: datetime | None = None
    links: list[Link] = []


class Refund(msgspec.Struct, frozen=True):
    """A refund (PayPal docs, Payments v2, Show refund details)."""

    id: str
    status: str
    amount: Amount | None = None
    invoice_id: str = ""
    custom_id: str = ""
    status_details: Reason = Reason()
    create_time: datetime | None = None
    links: list[Link] = []


class Payments(msgspec.Struct, frozen=True):
    captures: list[Capture] = []
    refunds: list[Refund] = []


class PurchaseUnit(msgspec.Struct, frozen=True):
    amount: Amount | None = None
    invoice_id: str = ""
    payments: Payments = Payments()


class Order(msgspec.Struct, frozen=True):
    """An order (PayPal docs, Orders v2, Show order details). One purchase unit, as we make them."""

    id: str
    status: str
    purchase_units: list[PurchaseUnit] = []
    links: list[Link] = []


class DisputedTransaction(msgspec.Struct, frozen=True):
    seller_transaction_id: str = ""


class Outcome(msgspec.Struct, frozen=True):
    outcome_code: str = ""
    amount_refunded: Amount | None = None


class Movement(msgspec.Struct, frozen=True):
    """Money held, taken or given back because of a dispute. Two generations of names are about."""

    amount: Amount
    type: str = ""  # DEBIT or CREDIT
    party: str = ""  # RECEIVER is the seller
    affected_party: str = ""  # SELLER
    initiated_time: datetime | None = None

    @property
    def ours(self) -> bool:
        return self.party == "RECEIVER" or self.affected_party == "SELLER"


class Dispute(msgspec.Struct, frozen=True):
    """A dispute (PayPal docs, Disputes v1, Show dispute details)."""

    dispute_id: str
    status: str
    dispute_amount: Amount
    reason: str = ""
    dispute_life_cycle_stage: str = "INQUIRY"
    disputed_transactions: list[DisputedTransaction] = []
    dispute_outcome: Outcome | None = None
    fund_movements: list[Movement] = []
    money_movements: list[Movement] = []
    create_time: datetime | None = None
    seller_response_due_date: datetime | None = None


class DisputeItem(msgspec.Struct, frozen=True):
    """What a list of disputes says of one."""

    dispute_id: str
    create_time: datetime | None = None


class DisputePage(msgspec.Struct, frozen=True):
    items: list[DisputeItem] = []
    links: list[Link] = []


class TransactionInfo(msgspec.Struct, frozen=True):
    """One line of the account (PayPal docs, Transaction Search). The fee is negative when we pay it."""

    transaction_id: str
    transaction_event_code: str
    transaction_initiation_date: datetime
    transaction_amount: Amount
    transaction_status: str = "S"
    fee_amount: Amount | None = None
    transaction_updated_date: datetime | None = None
    paypal_reference_id: str = ""
    paypal_reference_id_type: str = ""
    invoice_id: str = ""
    custom_field: str = ""


class TransactionDetail(msgspec.Struct, frozen=True):
    transaction_info: TransactionInfo


class TransactionPage(msgspec.Struct, frozen=True):
    transaction_details: list[TransactionDetail]  # an answer without it says nothing, not "none"
    total_pages: int = 1
    last_refreshed_datetime: datetime | None = None
