"""Refunds over HTTP, with Razorpay's only idempotency key."""

import msgspec

from devstack.simulator.gate import ApiCall
from devstack.simulator.ledger import Entry
from devstack.simulator.razorpay.api import Act, Done
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.entities import Payment, Refund
from devstack.simulator.razorpay.errors import ApiError, unknown_id
from devstack.simulator.razorpay.listing import page
from devstack.simulator.razorpay.refunds import Refunds
from devstack.simulator.razorpay.requests import json_object, notes_field, refund_request
from devstack.simulator.razorpay.views import refund_json


class RefundCalls:
    """/v1/refunds and the refunds of a payment."""

    def __init__(self, books: Books, refunds: Refunds) -> None:
        self._books = books
        self._refunds = refunds

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("POST", "/v1/payments/{payment_id}/refund", self.create),
            ("POST", "/v1/refunds", self.create_for),
            ("GET", "/v1/payments/{payment_id}/refunds", self.list_of_payment),
            ("GET", "/v1/payments/{payment_id}/refunds/{refund_id}", self.fetch_of_payment),
            ("GET", "/v1/refunds", self.list_all),
            ("GET", "/v1/refunds/{refund_id}", self.fetch),
            ("PATCH", "/v1/refunds/{refund_id}", self.edit),
        ]

    def create(self, call: ApiCall, entry: Entry) -> Done:
        return self._create(call, entry, self._books.payment(call.params["payment_id"]))

    def create_for(self, call: ApiCall, entry: Entry) -> Done:
        """The same with the payment named in the body."""
        payment_id = json_object(call.body).get("payment_id")
        if not isinstance(payment_id, str):
            raise ApiError("The payment id field is required.", field="payment_id")
        return self._create(call, entry, self._books.payment(payment_id))

    def list_of_payment(self, call: ApiCall, _entry: Entry) -> Done:
        payment = self._books.payment(call.params["payment_id"])
        rows = self._books.refunds_of(payment.id)
        return Done(page(rows, call.query, lambda refund: refund.created_at, refund_json))

    def fetch_of_payment(self, call: ApiCall, _entry: Entry) -> Done:
        refund = self._refund(call)
        if refund.payment_id != call.params["payment_id"]:
            raise unknown_id()
        return Done(refund_json(refund), refund.id)

    def list_all(self, call: ApiCall, _entry: Entry) -> Done:
        rows = self._books.refunds.newest_first()
        return Done(page(rows, call.query, lambda refund: refund.created_at, refund_json))

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        refund = self._refund(call)
        return Done(refund_json(refund), refund.id)

    def edit(self, call: ApiCall, entry: Entry) -> Done:
        """Only the notes can be changed."""
        notes = notes_field(json_object(call.body))
        refund = msgspec.structs.replace(self._refund(call), notes=notes)
        entry.put(self._books.refunds, refund)
        return Done(refund_json(refund), refund.id)

    def _create(self, call: ApiCall, entry: Entry, payment: Payment) -> Done:
        request = refund_request(call.body, payment.currency)
        key = call.headers.get("x-refund-idempotency")
        if key is None:
            refund = self._refunds.refund(entry, payment, request)
            return Done(refund_json(refund), refund.id)
        refund = self._refunds.keyed(entry, key, payment, request, call.body)
        return Done(refund_json(refund), refund.id, lambda: self._refunds.answered(key))

    def _refund(self, call: ApiCall) -> Refund:
        refund = self._books.refunds.get(call.params["refund_id"])
        if refund is None:
            raise unknown_id()
        return refund
