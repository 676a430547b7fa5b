"""Control calls for what banks do: refunds, disputes, settlements."""

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.razorpay.acts import serve
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.disputes import Disputes, NewDispute
from devstack.simulator.razorpay.refunds import Refunds
from devstack.simulator.razorpay.settlements import Settlements


class AnotherFee(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a settlement is to keep of a payment, whatever the payment says."""

    fee: int


class BankControl:
    """The bank's side of /_sim/razorpay."""

    def __init__(
        self,
        ledger: Ledger,
        refunds: Refunds,
        disputes: Disputes,
        settlements: Settlements,
        books: Books,
    ) -> None:
        self._ledger = ledger
        self._refunds = refunds
        self._disputes = disputes
        self._settlements = settlements
        self._books = books

    def add_routes(self, app: web.Application) -> None:
        base = "/_sim/razorpay"
        for path, act in (
            ("/refunds/{refund_id}/process", self.process_refund),
            ("/refunds/{refund_id}/fail", self.fail_refund),
            ("/payments/{payment_id}/dispute", self.raise_dispute),
            ("/payments/{payment_id}/fee", self.take_another_fee),
            ("/disputes/{dispute_id}/{step}", self.decide_dispute),
            ("/settle", self.settle),
        ):
            app.router.add_post(base + path, serve(self._ledger, act))

    def process_refund(self, request: web.Request, _body: bytes) -> object:
        return self._settle_refund(request, succeeded=True)

    def fail_refund(self, request: web.Request, _body: bytes) -> object:
        return self._settle_refund(request, succeeded=False)

    def raise_dispute(self, request: web.Request, body: bytes) -> object:
        wanted = msgspec.json.decode(body or b"{}", type=NewDispute)
        return self._disputes.open(request.match_info["payment_id"], wanted)

    def take_another_fee(self, request: web.Request, body: bytes) -> object:
        wanted = msgspec.json.decode(body, type=AnotherFee)
        payment = self._books.payment(request.match_info["payment_id"])
        with self._ledger.entry("another fee is taken") as entry:
            return entry.put(self._books.payments, msgspec.structs.replace(payment, fee_taken=wanted.fee))

    def decide_dispute(self, request: web.Request, _body: bytes) -> object:
        return self._disputes.decide(request.match_info["dispute_id"], request.match_info["step"])

    def settle(self, _request: web.Request, _body: bytes) -> object:
        return self._settlements.run()

    def _settle_refund(self, request: web.Request, *, succeeded: bool) -> object:
        refund_id = request.match_info["refund_id"]
        self._refunds.settle(refund_id, succeeded=succeeded)
        return self._books.refunds[refund_id]
