"""Control calls for what banks, payers and PayPal's agents do: captures, refunds, disputes, withdrawals."""

import msgspec
from aiohttp import web

from devstack.simulator.ledger import Ledger
from devstack.simulator.paypal.acts import named, serve
from devstack.simulator.paypal.captures import Captures
from devstack.simulator.paypal.disputes import Disputes, NewDispute, Resolution
from devstack.simulator.paypal.refunds import Refunds
from devstack.simulator.paypal.reporting import Reporting


class BankControl:
    """The bank's side of /_sim/paypal."""

    def __init__(
        self,
        ledger: Ledger,
        captures: Captures,
        refunds: Refunds,
        disputes: Disputes,
        reporting: Reporting,
    ) -> None:
        self._ledger = ledger
        self._captures = captures
        self._refunds = refunds
        self._disputes = disputes
        self._reporting = reporting

    def add_routes(self, app: web.Application) -> None:
        base = "/_sim/paypal"
        for path, act in (
            ("/captures/{id}/complete", self.complete),
            ("/captures/{id}/deny", self.deny),
            ("/captures/{id}/reverse", self.reverse),
            ("/captures/{id}/dispute", self.dispute),
            ("/refunds/{id}/complete", self.complete_refund),
            ("/refunds/{id}/fail", self.fail_refund),
            ("/disputes/{id}/escalate", self.escalate),
            ("/disputes/{id}/review", self.review),
            ("/disputes/{id}/resolve", self.resolve),
            ("/withdraw", self.withdraw),
        ):
            app.router.add_post(base + path, serve(self._ledger, act))

    def complete(self, request: web.Request, _body: bytes) -> object:
        return self._captures.end(named(request), completed=True)

    def deny(self, request: web.Request, _body: bytes) -> object:
        return self._captures.end(named(request), completed=False)

    def reverse(self, request: web.Request, _body: bytes) -> object:
        return self._refunds.reverse(named(request))

    def dispute(self, request: web.Request, body: bytes) -> object:
        return self._disputes.open(named(request), msgspec.json.decode(body or b"{}", type=NewDispute))

    def complete_refund(self, request: web.Request, _body: bytes) -> object:
        return self._refunds.settle(named(request), succeeded=True)

    def fail_refund(self, request: web.Request, _body: bytes) -> object:
        return self._refunds.settle(named(request), succeeded=False)

    def escalate(self, request: web.Request, _body: bytes) -> object:
        return self._disputes.escalate(named(request))

    def review(self, request: web.Request, _body: bytes) -> object:
        return self._disputes.review(named(request))

    def resolve(self, request: web.Request, body: bytes) -> object:
        return self._disputes.resolve(named(request), msgspec.json.decode(body or b"{}", type=Resolution))

    def withdraw(self, _request: web.Request, _body: bytes) -> object:
        return self._reporting.withdraw()
