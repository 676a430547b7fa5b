"""PayPal's tables, and the few questions that everything asks of them."""

from collections.abc import Iterator

from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.paypal.entities import Capture, Dispute, Order, Refund, RequestKey, Withdrawal
from devstack.simulator.paypal.errors import not_found

NAME = "paypal"


class Books:
    """All objects of the account, as the ledger adds them up."""

    def __init__(self, ledger: Ledger) -> None:
        self.orders = ledger.table(NAME, "order", Order)
        self.captures = ledger.table(NAME, "capture", Capture)
        self.refunds = ledger.table(NAME, "refund", Refund)
        self.disputes = ledger.table(NAME, "dispute", Dispute)
        self.withdrawals = ledger.table(NAME, "withdrawal", Withdrawal)
        self.keys = ledger.table(NAME, "request_key", RequestKey)
        self._captures_of: dict[str, dict[str, None]] = {}
        self._refunds_of: dict[str, dict[str, None]] = {}
        self._invoices: set[str] = set()

    def index(self) -> None:
        """Once after the ledger was opened."""
        for capture in self.captures:
            self._add_capture(capture)
        for refund in self.refunds:
            self._add_refund(refund)

    def put_capture(self, entry: Entry, capture: Capture) -> Capture:
        self._add_capture(capture)
        return entry.put(self.captures, capture)

    def put_refund(self, entry: Entry, refund: Refund) -> Refund:
        self._add_refund(refund)
        return entry.put(self.refunds, refund)

    def _add_capture(self, capture: Capture) -> None:
        self._captures_of.setdefault(capture.order_id, {})[capture.id] = None
        self._note_invoice("capture", capture.invoice_id, used=capture.status != "DECLINED")

    def _add_refund(self, refund: Refund) -> None:
        self._refunds_of.setdefault(refund.capture_id, {})[refund.id] = None
        self._note_invoice("refund", refund.invoice_id, used=refund.status != "FAILED")

    def _note_invoice(self, kind: str, invoice_id: str | None, *, used: bool) -> None:
        if used:
            self._invoices.add(f"{kind} {invoice_id}")
        else:
            self._invoices.discard(f"{kind} {invoice_id}")

    def invoice_is_used(self, kind: str, invoice_id: str | None) -> bool:
        return invoice_id is not None and f"{kind} {invoice_id}" in self._invoices

    def order(self, order_id: str) -> Order:
        """The order as callers may see it: one that expired is not there any more."""
        order = self.orders.get(order_id)
        if order is None or order.status == "EXPIRED":
            raise not_found()
        return order

    def capture(self, capture_id: str) -> Capture:
        capture = self.captures.get(capture_id)
        if capture is None:
            raise not_found()
        return capture

    def refund(self, refund_id: str) -> Refund:
        refund = self.refunds.get(refund_id)
        if refund is None:
            raise not_found()
        return refund

    def dispute(self, dispute_id: str) -> Dispute:
        dispute = self.disputes.get(dispute_id)
        if dispute is None:
            raise not_found()
        return dispute

    def captures_of(self, order_id: str) -> Iterator[Capture]:
        return (self.captures[each] for each in self._captures_of.get(order_id, {}))

    def refunds_of(self, capture_id: str) -> Iterator[Refund]:
        return (self.refunds[each] for each in self._refunds_of.get(capture_id, {}))
