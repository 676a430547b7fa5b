"""A payment's life: created, authorised, captured, or failed; late; lapsed and given back."""

import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.entities import Capture, Order, Payment, PaymentError
from devstack.simulator.razorpay.errors import FAILURES, ORDER_PAID, ApiError
from devstack.simulator.razorpay.events import Events
from devstack.simulator.razorpay.refunds import Refunds


class Payments:
    """The transitions; each writes its rows and sends its webhooks within the caller's entry."""

    def __init__(
        self,
        account: Account,
        books: Books,
        events: Events,
        refunds: Refunds,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
    ) -> None:
        self._account = account
        self._books = books
        self._events = events
        self._refunds = refunds
        self._ledger = ledger
        self._clock = clock
        agenda.watch(books.payments, lambda payment: payment.due_at, self._on_due)

    def check_payable(self, order: Order) -> None:
        """Raises what checkout shows when an order takes no further payment."""
        if order.status == "paid":
            raise ApiError(ORDER_PAID)
        if any(payment.status == "authorized" for payment in self._books.payments_of(order.id)):
            raise ApiError("Another payment on this order is already authorized.")

    def begin(self, entry: Entry, payment: Payment) -> Payment:
        """A buyer has sent the form; without the bank's answer it times out."""
        order = self._books.order(payment.order_id)
        payment = self._put(
            entry,
            payment,
            due="time_out",
            due_at=payment.began_at + self._clock.real(self._account.payment_timeout_s),
        )
        self._books.add_to_order(payment)
        status = "paid" if order.status == "paid" else "attempted"
        order = msgspec.structs.replace(order, attempts=order.attempts + 1, status=status)
        entry.put(self._books.orders, order)
        return payment

    def fail(
        self, entry: Entry, payment: Payment, error: PaymentError, *, late_at: float | None = None
    ) -> Payment:
        """The bank said no, or nothing; with `late_at` it will say yes after all."""
        payment = self._put(
            entry,
            payment,
            status="failed",
            error=error,
            due="authorize" if late_at else None,
            due_at=late_at,
        )
        self._events.payment(entry, "payment.failed", payment)
        return payment

    def authorize(self, entry: Entry, payment: Payment) -> Payment:
        """The bank said yes; captures at once where the order says so and may still be paid."""
        now = self._clock.now()
        settings = self._books.order(payment.order_id).capture
        payment = self._put(
            entry,
            payment,
            status="authorized",
            error=None,
            late=payment.status == "failed",
            authorized_at=now,
            due="lapse",
            due_at=payment.began_at + self._clock.real(settings.manual_expiry_s),
        )
        self._events.payment(entry, "payment.authorized", payment)
        paid = self._books.order(payment.order_id).status == "paid"
        if paid and not payment.force:
            if self._account.refund_second_payment:
                return self._refunds.give_back(entry, payment)
            return payment
        in_time = now <= payment.began_at + self._clock.real(settings.automatic_expiry_s)
        if settings.mode == "automatic" and in_time:
            return self.capture(entry, payment, by="automatic")
        return payment

    def capture(self, entry: Entry, payment: Payment, *, by: str) -> Payment:
        """Takes the money, with its fee, and marks the order paid."""
        now = self._clock.now()
        fee, tax = self._fee(payment.amount)
        payment = self._put(
            entry,
            payment,
            status="captured",
            captured=True,
            captured_at=now,
            fee=fee,
            tax=tax,
            due=None,
            due_at=None,
        )
        entry.put(
            self._books.captures,
            Capture(
                id=payment.id.replace("pay_", "capture_"),
                payment_id=payment.id,
                order_id=payment.order_id,
                amount=payment.amount,
                currency=payment.currency,
                by=by,
                at=now,
            ),
        )
        order = self._books.order(payment.order_id)
        first = order.status != "paid"
        order = msgspec.structs.replace(order, status="paid", amount_paid=order.amount)
        entry.put(self._books.orders, order)
        self._events.payment(entry, "payment.captured", payment)
        if first:
            self._events.order_paid(entry, payment, order)
        return payment

    def mark_late(self, payment_id: str, after_s: float) -> None:
        """A failed or unanswered payment will be authorised after `after_s` of provider time."""
        payment = self._books.payment(payment_id)
        late_at = self._clock.now() + self._clock.real(after_s)
        with self._ledger.entry("mark late") as entry:
            if payment.status == "created":
                self.fail(entry, payment, FAILURES["payment_timed_out"], late_at=late_at)
            elif payment.status == "failed":
                self._put(entry, payment, due="authorize", due_at=late_at)
            else:
                raise ApiError(f"A payment that is {payment.status} cannot be authorised late.")

    def _on_due(self, payment_id: str) -> None:
        payment = self._books.payment(payment_id)
        with self._ledger.entry(f"payment due: {payment.due}") as entry:
            if payment.due == "time_out":
                self.fail(entry, payment, FAILURES["payment_timed_out"])
            elif payment.due == "authorize":
                self.authorize(entry, payment)
            elif payment.due == "lapse":
                self._refunds.give_back(entry, payment)

    def _put(self, entry: Entry, payment: Payment, **changes: object) -> Payment:
        return entry.put(self._books.payments, msgspec.structs.replace(payment, **changes))

    def _fee(self, amount: int) -> tuple[int, int]:
        """Fee *including* tax, and the tax in it."""
        net = round(amount * self._account.fee_percent / 100)
        tax = round(net * self._account.tax_percent_of_fee / 100)
        return net + tax, tax
