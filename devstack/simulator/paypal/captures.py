"""Captures: money taken for an approved order, at once or when a cheque has cleared."""

import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.paypal.account import Account
from devstack.simulator.paypal.amounts import NO_DECIMALS
from devstack.simulator.paypal.books import Books
from devstack.simulator.paypal.entities import Capture, Order
from devstack.simulator.paypal.errors import ApiError, not_found, unprocessable
from devstack.simulator.paypal.events import Events
from devstack.simulator.paypal.ids import object_id


class Captures:
    """The transitions; each writes its rows and sends its webhooks within the caller's entry."""

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
        agenda.watch(books.captures, lambda capture: capture.due_at, self._on_due)

    def take(self, entry: Entry, order_id: str) -> Order:
        """Captures an approved order, or says why not."""
        order = self._capturable(order_id)
        now = self._clock.now()
        if order.outcome == "declined":
            self._ask_again(entry, order, now)
            raise unprocessable("INSTRUMENT_DECLINED")
        used = self._books.invoice_is_used("capture", order.invoice_id)
        if self._account.block_duplicate_invoices and used:
            raise unprocessable("DUPLICATE_INVOICE_ID", "/purchase_units/0/invoice_id")
        capture = self._books.put_capture(entry, self._capture(order, now))
        order = msgspec.structs.replace(order, status="COMPLETED", updated_at=now, due_at=None)
        entry.put(self._books.orders, order)
        self._events.capture(entry, capture.status, capture)
        return order

    def end(self, capture_id: str, *, completed: bool) -> Capture:
        """The bank's word on a pending capture."""
        capture = self._books.capture(capture_id)
        if capture.status != "PENDING":
            raise ApiError(422, [{"issue": "CAPTURE_NOT_PENDING", "description": f"It is {capture.status}."}])
        with self._ledger.entry("pending capture ends") as entry:
            capture = self._books.put_capture(
                entry,
                msgspec.structs.replace(
                    capture,
                    status="COMPLETED" if completed else "DECLINED",
                    reason=None if completed else "DECLINED_BY_RISK_FRAUD_FILTERS",
                    updated_at=self._clock.now(),
                    due_at=None,
                ),
            )
            self._events.capture(entry, "COMPLETED" if completed else "DENIED", capture)
        return capture

    def _capturable(self, order_id: str) -> Order:
        order = self._books.orders.get(order_id)
        if order is None:
            raise not_found()
        if order.status == "EXPIRED":
            raise unprocessable("ORDER_EXPIRED")
        if order.status == "COMPLETED":
            raise unprocessable("ORDER_ALREADY_CAPTURED")
        if order.status != "APPROVED":
            raise unprocessable("ORDER_NOT_APPROVED")
        return order

    def _ask_again(self, entry: Entry, order: Order, now: float) -> None:
        """The payer has to choose another way to pay."""
        entry.put(
            self._books.orders,
            msgspec.structs.replace(
                order,
                status="PAYER_ACTION_REQUIRED" if order.wallet else "CREATED",
                updated_at=now,
                due_at=now + self._clock.real(self._account.approve_within_s),
            ),
        )

    def _capture(self, order: Order, now: float) -> Capture:
        pending = order.outcome == "pending"
        due_at = None
        if pending and order.then is not None:
            after_s = self._account.pending_s if order.then_after_s is None else order.then_after_s
            due_at = now + self._clock.real(after_s)
        return Capture(
            id=object_id(),
            order_id=order.id,
            amount=order.amount,
            currency=order.currency,
            status="PENDING" if pending else "COMPLETED",
            reason="ECHECK" if pending else None,
            fee=self._fee(order.amount, order.currency),
            custom_id=order.custom_id,
            invoice_id=order.invoice_id,
            name=f"capture of {order.name}",
            created_at=now,
            updated_at=now,
            then=order.then,
            due_at=due_at,
        )

    def _fee(self, amount: int, currency: str) -> int:
        """A share and a fixed part; whole units where PayPal knows no others."""
        share = round(amount * self._account.fee_percent / 100)
        if currency in NO_DECIMALS:
            return share if currency == "JPY" else share // 100 * 100
        return min(amount, share + self._account.fee_fixed)

    def _on_due(self, capture_id: str) -> None:
        capture = self._books.capture(capture_id)
        self.end(capture_id, completed=capture.then == "complete")
