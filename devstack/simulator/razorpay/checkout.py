"""The server side of the checkout popup; tests and demos without a browser call the same."""

import secrets
from typing import Literal

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Ledger
from devstack.simulator.misbehaviour import Misbehaviour
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.cards import (
    SUCCESS_CARDS,
    SUCCESS_VPA,
    card,
    card_failure,
    vpa_failure,
)
from devstack.simulator.razorpay.entities import Method, Order, Payment
from devstack.simulator.razorpay.errors import FAILURES, ApiError
from devstack.simulator.razorpay.events import checkout_signature
from devstack.simulator.razorpay.ids import new_id
from devstack.simulator.razorpay.payments import Payments

Outcome = Literal["success", "declined", "late", "pending"]
LATE_AFTER_S = 900.0


class Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a buyer sends; without an `outcome` the card or UPI address decides."""

    method: Method = "card"
    outcome: Outcome | None = None
    reason: str | None = None
    card: str | None = None
    vpa: str | None = None
    otp: str | None = None
    name: str = "Gaurav Kumar"
    email: str | None = None
    contact: str | None = None
    description: str | None = None
    notes: dict[str, str] = {}
    late_after_s: float | None = None  # provider time until a late payment is authorised
    force: bool = False  # pay even a paid order, and keep the money: a duplicate capture


class Result(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the shop's page gets: the three handler fields, or the error."""

    outcome: Outcome
    payment_id: str
    razorpay_payment_id: str | None = None
    razorpay_order_id: str | None = None
    razorpay_signature: str | None = None
    error: dict[str, object] | None = None


class Checkout:
    """Turns a filled form into a payment."""

    def __init__(
        self,
        account: Account,
        books: Books,
        payments: Payments,
        misbehaviour: Misbehaviour,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._account = account
        self._books = books
        self._payments = payments
        self._misbehaviour = misbehaviour
        self._ledger = ledger
        self._clock = clock

    def pay(self, order_id: str, form: Form) -> Result:
        """One attempt at an order; raises `ApiError` when the order takes no payment."""
        order = self._books.order(order_id)
        if not form.force:
            self._payments.check_payable(order)
        reason = self._reason(form)
        with self._ledger.entry("checkout") as entry:
            payment = self._payments.begin(entry, self._payment(order, form))
            outcome: Outcome = form.outcome or ("declined" if reason else "success")
            late_s = form.late_after_s or LATE_AFTER_S
            if outcome == "success":
                asked = self._misbehaviour.late_authorization_s(entry, payment.name, payment.id)
                outcome, late_s = ("success", late_s) if asked is None else ("late", asked)
            if outcome == "pending":
                return Result(outcome=outcome, payment_id=payment.id)
            if outcome == "success":
                payment = self._payments.authorize(entry, payment)
                return self._success(payment)
            late_at = None
            if outcome == "late":
                reason = form.reason or "payment_timed_out"
                late_at = self._clock.now() + self._clock.real(late_s)
            payment = self._payments.fail(
                entry, payment, FAILURES[reason or "payment_failed"], late_at=late_at
            )
            return _failure(outcome, payment)

    def _reason(self, form: Form) -> str | None:
        """Why the bank says no, None when it says yes."""
        if form.reason is not None and form.reason not in FAILURES:
            raise ApiError(f"The reason must be one of {', '.join(FAILURES)}.", field="reason")
        if form.reason is not None:
            return form.reason
        if form.otp is not None and len(form.otp) < 4:
            return "incorrect_otp"
        if form.method == "card" and form.card is not None:
            return card_failure(form.card)
        return vpa_failure(form.vpa) if form.method == "upi" and form.vpa is not None else None

    def _payment(self, order: Order, form: Form) -> Payment:
        now = self._clock.now()
        number = form.card or next(iter(SUCCESS_CARDS))
        return Payment(
            id=new_id("pay"),
            order_id=order.id,
            amount=order.amount,
            currency=order.currency,
            status="created",
            method=form.method,
            card=card(number, form.name) if form.method == "card" else None,
            vpa=(form.vpa or SUCCESS_VPA) if form.method == "upi" else None,
            bank="HDFC" if form.method == "netbanking" else None,
            wallet="payzapp" if form.method == "wallet" else None,
            email=form.email or "gaurav.kumar@example.com",
            contact=form.contact or "+919876543210",
            description=form.description,
            notes=form.notes,
            bank_reference=str(secrets.randbelow(9 * 10**11) + 10**11),
            name=f"{order.name}#{order.attempts + 1}",
            created_at=int(now),
            began_at=now,
            force=form.force,
        )

    def _success(self, payment: Payment) -> Result:
        return Result(
            outcome="success",
            payment_id=payment.id,
            razorpay_payment_id=payment.id,
            razorpay_order_id=payment.order_id,
            razorpay_signature=checkout_signature(self._account.key_secret, payment.order_id, payment.id),
        )


def _failure(outcome: Outcome, payment: Payment) -> Result:
    """The error object that `payment.failed` hands to the page (docs, Standard checkout)."""
    error = payment.error or FAILURES["payment_failed"]
    return Result(
        outcome=outcome,
        payment_id=payment.id,
        error={
            "code": error.code,
            "description": error.description,
            "source": error.source,
            "step": error.step,
            "reason": error.reason,
            "metadata": {"payment_id": payment.id, "order_id": payment.order_id},
        },
    )
