"""Refunds: of captured money on request, of uncaptured money by Razorpay itself."""

import hashlib
import re

import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.entities import Payment, Refund, RefundKey
from devstack.simulator.razorpay.errors import ApiError
from devstack.simulator.razorpay.events import Events
from devstack.simulator.razorpay.ids import new_id
from devstack.simulator.razorpay.requests import RefundRequest


class Refunds:
    """Makes, processes and fails refunds, and keeps payments' refunded amounts true."""

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
        self._in_progress: set[str] = set()
        agenda.watch(books.refunds, lambda refund: refund.due_at, self._on_due)

    def refund(self, entry: Entry, payment: Payment, request: RefundRequest) -> Refund:
        """Gives back captured money, all that is left when no amount is said."""
        left = payment.amount - payment.amount_refunded
        if payment.captured and left == 0:
            raise ApiError("The payment has been fully refunded already.")
        if not payment.captured:
            raise ApiError("The payment status should be captured for action to be taken")
        amount = left if request.amount is None else request.amount
        if amount > left:
            raise ApiError("The refund amount provided is greater than amount captured.")
        refund = self._make(payment, amount, request, automatic=False)
        return self._book(entry, payment, refund)

    def give_back(self, entry: Entry, payment: Payment) -> Payment:
        """Razorpay's own refund of an authorisation that was never captured."""
        refund = self._make(payment, payment.amount, RefundRequest(), automatic=True)
        self._book(entry, payment, refund)
        return self._books.payment(payment.id)

    def keyed(self, entry: Entry, key: str, payment: Payment, request: RefundRequest, body: bytes) -> Refund:
        """The refund that this key stands for; the same body may be sent again at any time."""
        _check_key(key)
        if key in self._in_progress:
            raise ApiError("Another request with the same idempotency key is still in progress.", status=409)
        text = payment.id.encode() + msgspec.json.encode(msgspec.json.decode(body or b"{}"), order="sorted")
        request_sha256 = hashlib.sha256(text).hexdigest()
        known = self._books.refund_keys.get(key)
        if known is None:
            refund = self.refund(entry, payment, request)
            row = RefundKey(id=key, request_sha256=request_sha256, refund_id=refund.id)
            entry.put(self._books.refund_keys, row)
        elif known.request_sha256 != request_sha256:
            raise ApiError(
                "Different request with the same idempotency key has already been processed.",
                status=409,
            )
        else:
            refund = self._books.refunds[known.refund_id]
        self._in_progress.add(key)
        return refund

    def answered(self, key: str) -> None:
        """The answer to a keyed request has left or was lost; the key may be used again."""
        self._in_progress.discard(key)

    def settle(self, refund_id: str, *, succeeded: bool) -> None:
        """The bank's word on a refund; a processed one can still fail when a test says so."""
        refund = self._books.refunds.get(refund_id)
        if refund is None:
            raise ApiError("The id provided does not exist")
        if refund.status == "failed" or (succeeded and refund.status == "processed"):
            raise ApiError(f"The refund is {refund.status} already.")
        with self._ledger.entry("refund settled by the bank") as entry:
            self._finish(entry, refund, succeeded=succeeded)

    def _make(self, payment: Payment, amount: int, request: RefundRequest, *, automatic: bool) -> Refund:
        now = self._clock.now()
        wait_s = self._clock.real(self._account.refund_pending_s)
        pending = wait_s > 0 and not automatic
        return Refund(
            id=new_id("rfnd"),
            payment_id=payment.id,
            amount=amount,
            currency=payment.currency,
            status="pending" if pending else "processed",
            receipt=request.receipt,
            notes=request.notes,
            speed_requested=request.speed,
            automatic=automatic,
            created_at=int(now),
            due_at=now + wait_s if pending else None,
        )

    def _book(self, entry: Entry, payment: Payment, refund: Refund) -> Refund:
        """Counts the refund at once, so that two cannot give back the same money."""
        entry.put(self._books.refunds, refund)
        refunded = payment.amount_refunded + refund.amount
        full = refunded == payment.amount
        payment = msgspec.structs.replace(
            payment,
            amount_refunded=refunded,
            status="refunded" if full else payment.status,
            due=None,
            due_at=None,
        )
        entry.put(self._books.payments, payment)
        self._events.refund(entry, "refund.created", refund, payment)
        if refund.status == "processed":
            self._events.refund(entry, "refund.processed", refund, payment)
        return refund

    def _finish(self, entry: Entry, refund: Refund, *, succeeded: bool) -> None:
        status = "processed" if succeeded else "failed"
        refund = msgspec.structs.replace(refund, status=status, due_at=None)
        entry.put(self._books.refunds, refund)
        payment = self._books.payment(refund.payment_id)
        if not succeeded:
            payment = msgspec.structs.replace(
                payment, status="captured", amount_refunded=payment.amount_refunded - refund.amount
            )
            entry.put(self._books.payments, payment)
        self._events.refund(entry, f"refund.{status}", refund, payment)

    def _on_due(self, refund_id: str) -> None:
        self.settle(refund_id, succeeded=True)


def _check_key(key: str) -> None:
    if len(key) < 10:
        raise ApiError("The idempotency key must be at least 10 characters long.")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", key):
        raise ApiError(
            "The idempotency key must only contain alphanumeric characters, underscores, and hyphens"
        )
