"""Refunds of captured money, and reversals by a bank."""

import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.paypal.account import Account
from devstack.simulator.paypal.books import Books
from devstack.simulator.paypal.entities import Capture, CaptureStatus, Refund
from devstack.simulator.paypal.errors import ApiError, unprocessable
from devstack.simulator.paypal.events import Events
from devstack.simulator.paypal.ids import object_id
from devstack.simulator.paypal.requests import RefundRequest


class Refunds:
    """Makes, completes and fails refunds, and keeps captures' refunded amounts true."""

    def __init__(
        self,
        account: Account,
        books: Books,
        events: Events,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
    ) -> None:
        self._account = account
        self._books = books
        self._events = events
        self._ledger = ledger
        self._clock = clock
        agenda.watch(books.refunds, lambda refund: refund.due_at, self._on_due)

    def refund(self, entry: Entry, capture: Capture, wanted: RefundRequest) -> Refund:
        """Gives back captured money, all that is left when no amount is said."""
        amount = self._allowed(capture, wanted)
        now = self._clock.now()
        wait_s = self._clock.real(self._account.refund_pending_s)
        pending = wait_s > 0
        refund = Refund(
            id=object_id(),
            capture_id=capture.id,
            order_id=capture.order_id,
            amount=amount,
            currency=capture.currency,
            status="PENDING" if pending else "COMPLETED",
            custom_id=wanted.custom_id or capture.custom_id,
            invoice_id=wanted.invoice_id or capture.invoice_id,
            note=wanted.note,
            reversal=False,
            created_at=now,
            updated_at=now,
            due_at=now + wait_s if pending else None,
        )
        capture = self._book(entry, capture, refund)
        event = "PAYMENT.REFUND.PENDING" if pending else "PAYMENT.CAPTURE.REFUNDED"
        self._events.refund(entry, event, refund, capture)
        return refund

    def reverse(self, capture_id: str) -> Refund:
        """A bank takes back all that is left, whatever the shop thinks of it."""
        capture = self._books.capture(capture_id)
        amount = self._allowed(capture, RefundRequest())
        now = self._clock.now()
        refund = Refund(
            id=object_id(),
            capture_id=capture.id,
            order_id=capture.order_id,
            amount=amount,
            currency=capture.currency,
            status="COMPLETED",
            custom_id=capture.custom_id,
            invoice_id=capture.invoice_id,
            note=None,
            reversal=True,
            created_at=now,
            updated_at=now,
        )
        with self._ledger.entry("capture reversed by the bank") as entry:
            capture = self._book(entry, capture, refund)
            self._events.refund(entry, "PAYMENT.CAPTURE.REVERSED", refund, capture)
        return refund

    def settle(self, refund_id: str, *, succeeded: bool) -> Refund:
        """The bank's word on a refund; a completed one can still fail when a test says so."""
        refund = self._books.refund(refund_id)
        if refund.status == "FAILED" or (succeeded and refund.status == "COMPLETED"):
            raise ApiError(422, [{"issue": "REFUND_IS_DECIDED", "description": f"It is {refund.status}."}])
        with self._ledger.entry("refund settled by the bank") as entry:
            refund = self._books.put_refund(
                entry,
                msgspec.structs.replace(
                    refund,
                    status="COMPLETED" if succeeded else "FAILED",
                    updated_at=self._clock.now(),
                    due_at=None,
                ),
            )
            capture = self._books.capture(refund.capture_id)
            if not succeeded:
                capture = self._count(entry, capture, -refund.amount)
            event = "PAYMENT.CAPTURE.REFUNDED" if succeeded else "PAYMENT.REFUND.FAILED"
            self._events.refund(entry, event, refund, capture)
        return refund

    def _allowed(self, capture: Capture, wanted: RefundRequest) -> int:
        """The amount that may be given back, or why none."""
        if capture.status == "PENDING":
            raise unprocessable("PENDING_CAPTURE")
        if capture.status == "DECLINED":
            raise unprocessable("REFUND_NOT_ALLOWED")
        left = capture.amount - capture.refunded
        if left == 0:
            raise unprocessable("CAPTURE_FULLY_REFUNDED")
        if wanted.currency not in (None, capture.currency):
            raise unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH", "/amount/currency_code")
        amount = left if wanted.amount is None else wanted.amount
        if amount > left:
            raise unprocessable("REFUND_AMOUNT_EXCEEDED", "/amount/value")
        used = self._books.invoice_is_used("refund", wanted.invoice_id)
        if self._account.block_duplicate_invoices and wanted.invoice_id is not None and used:
            raise unprocessable("DUPLICATE_INVOICE_ID", "/invoice_id")
        return amount

    def _book(self, entry: Entry, capture: Capture, refund: Refund) -> Capture:
        """Counts the refund at once, so that two cannot give back the same money."""
        self._books.put_refund(entry, refund)
        return self._count(entry, capture, refund.amount)

    def _count(self, entry: Entry, capture: Capture, amount: int) -> Capture:
        refunded = capture.refunded + amount
        status: CaptureStatus = "PARTIALLY_REFUNDED" if refunded else "COMPLETED"
        if refunded == capture.amount:
            status = "REFUNDED"
        return self._books.put_capture(
            entry,
            msgspec.structs.replace(capture, refunded=refunded, status=status, updated_at=self._clock.now()),
        )

    def _on_due(self, refund_id: str) -> None:
        self.settle(refund_id, succeeded=True)
