"""PayPal put together from its parts."""

from collections import Counter
from pathlib import Path

from aiohttp import web

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.gate import Answer, ApiCall, Gate
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.paypal.account import DAY_S, Account
from devstack.simulator.paypal.api import Keys, PayPalApi, add_routes
from devstack.simulator.paypal.approve_page import ApprovePage
from devstack.simulator.paypal.bank_control import BankControl
from devstack.simulator.paypal.books import NAME, Books
from devstack.simulator.paypal.calls import OrderCalls, PaymentCalls
from devstack.simulator.paypal.captures import Captures
from devstack.simulator.paypal.certificates import PATH, Certificates
from devstack.simulator.paypal.checkout import Checkout
from devstack.simulator.paypal.control import PayPalControl
from devstack.simulator.paypal.disputes import Disputes
from devstack.simulator.paypal.errors import not_found
from devstack.simulator.paypal.events import Events
from devstack.simulator.paypal.refunds import Refunds
from devstack.simulator.paypal.reporting import Reporting
from devstack.simulator.paypal.tokens import Tokens
from devstack.simulator.paypal.views import Views
from devstack.simulator.webhooks import Policy


class PayPal:
    """One merchant's account with its API, approve page, webhooks and control calls."""

    name = NAME

    def __init__(
        self,
        account: Account,
        base: str,
        folder: Path,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
        deliveries: Deliveries,
        gate: Gate,
    ) -> None:
        self._gate = gate
        self._books = books = Books(ledger)
        self._certificates = Certificates(folder)
        views = Views((account.public_url or base).rstrip("/"), account.merchant_id)
        events = Events(account, books, views, self._certificates, clock, deliveries)
        checkout = Checkout(account, books, events, ledger, clock, agenda)
        captures = Captures(account, books, events, ledger, clock, agenda)
        refunds = Refunds(account, books, events, ledger, clock, agenda)
        disputes = Disputes(books, views, events, ledger, clock)
        self._reporting = reporting = Reporting(account, books, ledger, clock)
        self._tokens = Tokens(account, clock)
        keys = Keys(account, books, clock)
        self._api = PayPalApi(self._tokens, books, checkout)
        self._routes = [
            *OrderCalls(account, books, views, captures, keys, clock).routes(),
            *PaymentCalls(books, views, refunds, keys).routes(),
            *disputes.routes(),
            *reporting.routes(),
        ]
        self._control = PayPalControl(ledger, books, events, checkout, refunds, self._tokens)
        self._bank = BankControl(ledger, captures, refunds, disputes, reporting)
        self._page = ApprovePage(checkout, ledger)
        deliveries.policy(
            NAME,
            Policy(
                success=lambda status: 200 <= status < 300,
                deadline_s=10.0,
                first_retry_s=account.webhook_first_retry_s,
                longest_retry_s=account.webhook_longest_retry_s,
                give_up_after_s=3 * DAY_S,
                disables=False,
            ),
        )

    def start(self) -> None:
        """Once the ledger is open."""
        self._books.index()
        self._certificates.start()

    def add_routes(self, app: web.Application) -> None:
        self._control.add_routes(app)
        self._bank.add_routes(app)
        self._page.add_routes(app)
        token, certificate = "/v1/oauth2/token", f"{PATH}{{name}}"
        app.router.add_post(token, self._gate.route(self._api, token, self._tokens.issue))
        app.router.add_get(certificate, self._gate.route(self._api, certificate, self._certificate))
        add_routes(app, self._gate, self._api, self._routes)

    def _certificate(self, call: ApiCall, _entry: Entry) -> Answer:
        if call.path != self._certificates.path:
            return Answer(status=404, body=not_found().body(""))
        return Answer(status=200, body=self._certificates.pem, content_type="application/x-pem-file")

    def ledger_view(self) -> dict[str, list[object]]:
        """The truth about the money, as checkers read it."""
        books = self._books
        return {
            "orders": list(books.orders),
            "captures": list(books.captures),
            "refunds": list(books.refunds),
            "disputes": list(books.disputes),
            "withdrawals": list(books.withdrawals),
            "transactions": list(self._reporting.lines()),
        }

    def totals(self) -> dict[str, object]:
        taken = [each for each in self._books.captures if each.status not in ("PENDING", "DECLINED")]
        captured: Counter[str] = Counter()
        for capture in taken:
            captured[capture.currency] += capture.amount
        return {"captured": captured, "captures": len(taken), "refunds": len(self._books.refunds)}
