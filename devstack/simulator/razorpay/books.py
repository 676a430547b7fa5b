"""Razorpay's tables, and the few questions that everything asks of them."""

from collections.abc import Iterator

from devstack.simulator.ledger import Ledger
from devstack.simulator.razorpay.entities import (
    Capture,
    Dispute,
    Order,
    Payment,
    Refund,
    RefundKey,
    Settlement,
)
from devstack.simulator.razorpay.errors import unknown_id

NAME = "razorpay"


class Books:
    """All objects of the account, as the ledger adds them up."""

    def __init__(self, ledger: Ledger) -> None:
        self.orders = ledger.table(NAME, "order", Order)
        self.payments = ledger.table(NAME, "payment", Payment)
        self.captures = ledger.table(NAME, "capture", Capture)
        self.refunds = ledger.table(NAME, "refund", Refund)
        self.refund_keys = ledger.table(NAME, "refund_key", RefundKey)
        self.disputes = ledger.table(NAME, "dispute", Dispute)
        self.settlements = ledger.table(NAME, "settlement", Settlement)
        self._payments_of: dict[str, list[str]] = {}

    def index(self) -> None:
        """Once after the ledger was opened: which payments belong to which order."""
        for payment in self.payments:
            self.add_to_order(payment)

    def add_to_order(self, payment: Payment) -> None:
        self._payments_of.setdefault(payment.order_id, []).append(payment.id)

    def order(self, order_id: str) -> Order:
        order = self.orders.get(order_id)
        if order is None:
            raise unknown_id()
        return order

    def payment(self, payment_id: str) -> Payment:
        payment = self.payments.get(payment_id)
        if payment is None:
            raise unknown_id()
        return payment

    def payments_of(self, order_id: str) -> Iterator[Payment]:
        """An order's payments, newest first."""
        for payment_id in reversed(self._payments_of.get(order_id, [])):
            yield self.payments[payment_id]

    def refunds_of(self, payment_id: str) -> Iterator[Refund]:
        """A payment's refunds, newest first."""
        return (refund for refund in self.refunds.newest_first() if refund.payment_id == payment_id)
