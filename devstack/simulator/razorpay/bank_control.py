"""Control calls for what banks do: refunds, disputes, settlements."""

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.razorpay.acts import serve
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.disputes import Disputes, NewDispute
from devstack.simulator.razorpay.refunds import Refunds
from devstack.simulator.razorpay.settlements import Settlements


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

    def decide_dispute(self, request: web.Request, _body: bytes) -> object:
        return self._disputes.decide(request.match_info["dispute_id"], request.match_info["step"])

    def settle(self, _request: web.Request, _body: bytes) -> object:
        return self._settlements.run()

    def _settle_refund(self, request: web.Request, *, succeeded: bool) -> object:
        refund_id = request.match_info["refund_id"]
        self._refunds.settle(refund_id, succeeded=succeeded)
        return self._books.refunds[refund_id]
