"""Orders, payments and refunds: the calls that the official SDK makes of them."""

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.gate import ApiCall
from devstack.simulator.ledger import Entry
from devstack.simulator.razorpay.account import Account
from devstack.simulator.razorpay.api import Act, Done
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.entities import Order, Payment
from devstack.simulator.razorpay.errors import ORDER_PAID, ApiError, unknown_id
from devstack.simulator.razorpay.ids import new_id
from devstack.simulator.razorpay.listing import expands, page, text_of
from devstack.simulator.razorpay.payments import Payments
from devstack.simulator.razorpay.requests import (
    currency_field,
    integer_field,
    json_object,
    notes_field,
    order_request,
)
from devstack.simulator.razorpay.views import (
    Json,
    card_json,
    collection,
    order_json,
    payment_json,
)


class OrderCalls:
    """/v1/orders."""

    def __init__(self, account: Account, books: Books, clock: Clock) -> None:
        self._account = account
        self._books = books
        self._clock = clock

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("POST", "/v1/orders", self.create),
            ("GET", "/v1/orders", self.list_all),
            ("GET", "/v1/orders/{order_id}", self.fetch),
            ("PATCH", "/v1/orders/{order_id}", self.edit),
            ("GET", "/v1/orders/{order_id}/payments", self.payments),
        ]

    def create(self, call: ApiCall, entry: Entry) -> Done:
        """Deliberately not idempotent: the same receipt again is another order."""
        request = order_request(call.body, self._account)
        number = len(self._books.orders) + 1
        order = Order(
            id=new_id("order"),
            amount=request.amount,
            currency=request.currency,
            receipt=request.receipt,
            notes=request.notes,
            capture=request.capture,
            partial_payment=request.partial_payment,
            status="created",
            attempts=0,
            amount_paid=0,
            name=request.receipt or f"order {number}",
            created_at=int(self._clock.now()),
        )
        entry.put(self._books.orders, order)
        return Done(order_json(order), order.id)

    def list_all(self, call: ApiCall, _entry: Entry) -> Done:
        receipt = text_of(call.query, "receipt")
        authorized = text_of(call.query, "authorized")
        rows = (
            order
            for order in self._books.orders.newest_first()
            if (receipt is None or order.receipt == receipt)
            and (authorized is None or self._was_authorized(order) == (authorized == "1"))
        )
        wanted = expands(call.query)
        return Done(page(rows, call.query, lambda o: o.created_at, lambda o: self._view(o, wanted)))

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        order = self._books.order(call.params["order_id"])
        return Done(self._view(order, expands(call.query)), order.id)

    def edit(self, call: ApiCall, entry: Entry) -> Done:
        """Only the notes can be changed."""
        order = self._books.order(call.params["order_id"])
        fields = json_object(call.body)
        if set(fields) != {"notes"}:
            raise ApiError("The notes field is required.", field="notes")
        order = msgspec.structs.replace(order, notes=notes_field(fields))
        entry.put(self._books.orders, order)
        return Done(order_json(order), order.id)

    def payments(self, call: ApiCall, _entry: Entry) -> Done:
        order = self._books.order(call.params["order_id"])
        return Done(self._payments_view(order, with_card=False), order.id)

    def _was_authorized(self, order: Order) -> bool:
        return any(p.authorized_at is not None for p in self._books.payments_of(order.id))

    def _view(self, order: Order, wanted: set[str]) -> Json:
        view = order_json(order)
        if wanted & {"payments", "payments.card"}:
            view["payments"] = self._payments_view(order, with_card="payments.card" in wanted)
        return view

    def _payments_view(self, order: Order, *, with_card: bool) -> Json:
        return collection([payment_json(p, with_card=with_card) for p in self._books.payments_of(order.id)])


class PaymentCalls:
    """/v1/payments, without refunds."""

    def __init__(self, books: Books, payments: Payments) -> None:
        self._books = books
        self._payments = payments

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/v1/payments", self.list_all),
            ("GET", "/v1/payments/{payment_id}", self.fetch),
            ("PATCH", "/v1/payments/{payment_id}", self.edit),
            ("GET", "/v1/payments/{payment_id}/card", self.card),
            ("POST", "/v1/payments/{payment_id}/capture", self.capture),
        ]

    def list_all(self, call: ApiCall, _entry: Entry) -> Done:
        with_card = "card" in expands(call.query)
        rows = self._books.payments.newest_first()
        return Done(
            page(
                rows,
                call.query,
                lambda payment: payment.created_at,
                lambda payment: payment_json(payment, with_card=with_card),
            )
        )

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        payment = self._payment(call)
        with_card = "card" in expands(call.query)
        return Done(payment_json(payment, with_card=with_card), payment.id)

    def edit(self, call: ApiCall, entry: Entry) -> Done:
        payment = msgspec.structs.replace(self._payment(call), notes=notes_field(json_object(call.body)))
        entry.put(self._books.payments, payment)
        return Done(payment_json(payment), payment.id)

    def card(self, call: ApiCall, _entry: Entry) -> Done:
        payment = self._payment(call)
        if payment.card is None:
            raise unknown_id()
        return Done(card_json(payment.card), payment.id)

    def capture(self, call: ApiCall, entry: Entry) -> Done:
        """Only from authorised, only the whole amount; not idempotent (docs, Capture a payment)."""
        payment = self._payment(call)
        fields = json_object(call.body)
        amount = integer_field(fields, "amount")
        currency = currency_field(fields) if "currency" in fields else payment.currency
        paid = self._books.order(payment.order_id).status == "paid"
        if payment.captured or (paid and payment.status == "authorized" and not payment.force):
            raise ApiError(ORDER_PAID)
        if payment.status != "authorized":
            raise ApiError("Only payments which have been authorized and not yet captured can be captured")
        if currency != payment.currency:
            raise ApiError("Payment currency does not match.", field="currency")
        if amount != payment.amount:
            raise ApiError("Capture amount must be equal to the amount authorized.", field="amount")
        payment = self._payments.capture(entry, payment, by="api")
        return Done(payment_json(payment), payment.id)

    def _payment(self, call: ApiCall) -> Payment:
        return self._books.payment(call.params["payment_id"])
