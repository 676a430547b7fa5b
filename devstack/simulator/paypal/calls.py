"""Orders, captures and refunds: the calls that the shop and the official SDK make of them."""

from devstack.simulator.clock import Clock
from devstack.simulator.gate import ApiCall
from devstack.simulator.ledger import Entry
from devstack.simulator.paypal.account import Account
from devstack.simulator.paypal.api import Act, Done, Keys
from devstack.simulator.paypal.books import Books
from devstack.simulator.paypal.captures import Captures
from devstack.simulator.paypal.entities import Order
from devstack.simulator.paypal.ids import object_id
from devstack.simulator.paypal.refunds import Refunds
from devstack.simulator.paypal.requests import order_request, refund_request
from devstack.simulator.paypal.views import Json, Views


class OrderCalls:
    """/v2/checkout/orders."""

    def __init__(
        self,
        account: Account,
        books: Books,
        views: Views,
        captures: Captures,
        keys: Keys,
        clock: Clock,
    ) -> None:
        self._account = account
        self._books = books
        self._views = views
        self._captures = captures
        self._keys = keys
        self._clock = clock

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("POST", "/v2/checkout/orders", self.create),
            ("GET", "/v2/checkout/orders/{order_id}", self.fetch),
            ("POST", "/v2/checkout/orders/{order_id}/capture", self.capture),
        ]

    def create(self, call: ApiCall, entry: Entry) -> Done:
        wanted = order_request(call.body)

        def make() -> str:
            now = self._clock.now()
            order = Order(
                id=object_id(),
                amount=wanted.amount,
                currency=wanted.currency,
                reference_id=wanted.reference_id,
                custom_id=wanted.custom_id,
                invoice_id=wanted.invoice_id,
                description=wanted.description,
                brand_name=wanted.brand_name,
                return_url=wanted.return_url,
                cancel_url=wanted.cancel_url,
                wallet=wanted.wallet,
                status="PAYER_ACTION_REQUIRED" if wanted.wallet else "CREATED",
                name=wanted.invoice_id or f"order {len(self._books.orders) + 1}",
                created_at=now,
                updated_at=now,
                due_at=now + self._clock.real(self._account.approve_within_s),
            )
            return entry.put(self._books.orders, order).id

        order_id, status = self._keys.once(call, entry, "create", make)
        order = self._books.order(order_id)
        return Done(self._shown(call, order), order.id, status, self._keys.answered(call, "create"))

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        order = self._books.order(call.params["order_id"])
        return Done(self._whole(order), order.id)

    def capture(self, call: ApiCall, entry: Entry) -> Done:
        order_id = call.params["order_id"]
        order_id, status = self._keys.once(
            call, entry, "capture", lambda: self._captures.take(entry, order_id).id
        )
        order = self._books.order(order_id)
        capture = next(self._books.captures_of(order.id))
        view = self._shown(call, order)
        return Done(view, capture.id, status, self._keys.answered(call, "capture"))

    def _shown(self, call: ApiCall, order: Order) -> Json:
        """A capture is answered with its captures either way (PayPal docs, Prefer)."""
        if call.headers.get("prefer") == "return=representation" or order.status == "COMPLETED":
            return self._whole(order)
        return self._views.brief(order)

    def _whole(self, order: Order) -> Json:
        captures = list(self._books.captures_of(order.id))
        refunds = [refund for each in captures for refund in self._books.refunds_of(each.id)]
        return self._views.order(order, captures, refunds)


class PaymentCalls:
    """/v2/payments."""

    def __init__(self, books: Books, views: Views, refunds: Refunds, keys: Keys) -> None:
        self._books = books
        self._views = views
        self._refunds = refunds
        self._keys = keys

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/v2/payments/captures/{capture_id}", self.fetch),
            ("POST", "/v2/payments/captures/{capture_id}/refund", self.refund),
            ("GET", "/v2/payments/refunds/{refund_id}", self.fetch_refund),
        ]

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        capture = self._books.capture(call.params["capture_id"])
        return Done(self._views.capture(capture), capture.id)

    def refund(self, call: ApiCall, entry: Entry) -> Done:
        wanted = refund_request(call.body)
        capture = self._books.capture(call.params["capture_id"])
        refund_id, status = self._keys.once(
            call, entry, "refund", lambda: self._refunds.refund(entry, capture, wanted).id
        )
        refund = self._books.refund(refund_id)
        refunded = self._books.capture(refund.capture_id).refunded
        view = self._views.refund(refund, refunded)
        return Done(view, refund.id, status, self._keys.answered(call, "refund"))

    def fetch_refund(self, call: ApiCall, _entry: Entry) -> Done:
        refund = self._books.refund(call.params["refund_id"])
        return Done(self._views.refund(refund), refund.id)
