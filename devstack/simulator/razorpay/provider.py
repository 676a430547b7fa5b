"""Razorpay put together from its parts."""

from collections import Counter

from aiohttp import web

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.gate import Gate
from devstack.simulator.ledger import Ledger
from devstack.simulator.misbehaviour import Misbehaviour
from devstack.simulator.razorpay.account import DAY_S, Account
from devstack.simulator.razorpay.api import RazorpayApi, add_routes
from devstack.simulator.razorpay.bank_control import BankControl
from devstack.simulator.razorpay.books import NAME, Books
from devstack.simulator.razorpay.calls import OrderCalls, PaymentCalls
from devstack.simulator.razorpay.checkout import Checkout
from devstack.simulator.razorpay.control import RazorpayControl
from devstack.simulator.razorpay.disputes import Disputes
from devstack.simulator.razorpay.events import Events
from devstack.simulator.razorpay.payments import Payments
from devstack.simulator.razorpay.popup import Popup
from devstack.simulator.razorpay.refund_calls import RefundCalls
from devstack.simulator.razorpay.refunds import Refunds
from devstack.simulator.razorpay.settlements import Settlements
from devstack.simulator.webhooks import Policy


class Razorpay:
    """One merchant's account with its API, checkout, webhooks and control calls."""

    name = NAME

    def __init__(
        self,
        account: Account,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
        misbehaviour: Misbehaviour,
        deliveries: Deliveries,
        gate: Gate,
    ) -> None:
        self._gate = gate
        self._books = Books(ledger)
        events = Events(account, clock, deliveries)
        refunds = Refunds(account, self._books, events, ledger, clock, agenda)
        payments = Payments(account, self._books, events, refunds, ledger, clock, agenda)
        checkout = Checkout(account, self._books, payments, misbehaviour, ledger, clock)
        self._api = RazorpayApi(account, self._books, checkout)
        disputes = Disputes(self._books, events, ledger, clock)
        settlements = Settlements(self._books, events, ledger, clock)
        self._routes = [
            *OrderCalls(account, self._books, clock).routes(),
            *PaymentCalls(self._books, payments).routes(),
            *RefundCalls(self._books, refunds).routes(),
            *disputes.routes(),
            *settlements.routes(),
        ]
        self._control = RazorpayControl(account, ledger, self._books, events, checkout, payments, refunds)
        self._bank = BankControl(ledger, refunds, disputes, settlements, self._books)
        self._popup = Popup(account, self._books, payments, checkout, ledger)
        deliveries.policy(
            NAME,
            Policy(
                success=lambda status: 200 <= status < 300,
                deadline_s=5.0,
                first_retry_s=account.webhook_first_retry_s,
                longest_retry_s=account.webhook_longest_retry_s,
                give_up_after_s=DAY_S,
            ),
        )

    def start(self) -> None:
        """Once the ledger is open."""
        self._books.index()

    def add_routes(self, app: web.Application) -> None:
        self._control.add_routes(app)
        self._bank.add_routes(app)
        self._popup.add_routes(app)
        add_routes(app, self._gate, self._api, self._routes)

    def ledger_view(self) -> dict[str, list[object]]:
        """The truth about the money, as checkers read it."""
        books = self._books
        return {
            "orders": list(books.orders),
            "payments": list(books.payments),
            "captures": list(books.captures),
            "refunds": list(books.refunds),
            "disputes": list(books.disputes),
            "settlements": list(books.settlements),
        }

    def totals(self) -> dict[str, object]:
        captured: Counter[str] = Counter()
        for capture in self._books.captures:
            captured[capture.currency] += capture.amount
        return {
            "captured": captured,
            "captures": len(self._books.captures),
            "refunds": len(self._books.refunds),
        }
