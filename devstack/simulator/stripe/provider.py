"""Stripe put together from its parts."""

from collections import Counter

import msgspec
from aiohttp import web

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.deliveries import Deliveries
from devstack.simulator.gate import Gate
from devstack.simulator.ledger import Ledger
from devstack.simulator.stripe.account import Account
from devstack.simulator.stripe.api import StripeApi, add_routes
from devstack.simulator.stripe.balance import Balance
from devstack.simulator.stripe.books import NAME, Books
from devstack.simulator.stripe.buyers import Buyers, Form
from devstack.simulator.stripe.calls import ChargeCalls, IntentCalls
from devstack.simulator.stripe.control import MoneyControl, PaymentControl
from devstack.simulator.stripe.currencies import WHOLE_ONLY
from devstack.simulator.stripe.disputes import Disputes
from devstack.simulator.stripe.element import Element
from devstack.simulator.stripe.events import Events
from devstack.simulator.stripe.intents import Intents
from devstack.simulator.stripe.money_calls import AccountCalls, BalanceCalls, DisputeCalls, RefundCalls
from devstack.simulator.stripe.refunds import Refunds
from devstack.simulator.webhooks import Policy


class Stripe:
    """One merchant's account with its API, Payment Element, webhooks and control calls."""

    name = NAME

    def __init__(
        self,
        account: Account,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
        deliveries: Deliveries,
        gate: Gate,
    ) -> None:
        self._gate = gate
        self._books = books = Books(ledger)
        events = Events(account, books, clock, deliveries)
        balance = Balance(account, books, events, ledger, clock)
        disputes = Disputes(account, books, events, balance, ledger, clock)
        intents = Intents(account, books, events, balance, disputes, ledger, clock, agenda)
        refunds = Refunds(account, books, events, balance, ledger, clock, agenda)
        buyers = Buyers(books, intents, ledger)
        self._buyers = buyers
        self._api = StripeApi(account, books, clock, self._pay)
        self._routes = [
            *IntentCalls(books, intents, clock).routes(),
            *ChargeCalls(books).routes(),
            *RefundCalls(books, refunds).routes(),
            *DisputeCalls(books, disputes).routes(),
            *BalanceCalls(books).routes(),
            *AccountCalls(account, events).routes(),
        ]
        self._payments = PaymentControl(account, ledger, clock, books, events, intents, buyers)
        self._money = MoneyControl(ledger, books, refunds, disputes, balance)
        self._element = Element(books, intents, ledger)
        deliveries.policy(
            NAME,
            Policy(
                success=lambda status: 200 <= status < 300,
                deadline_s=account.webhook_deadline_s,
                first_retry_s=account.webhook_first_retry_s,
                longest_retry_s=account.webhook_longest_retry_s,
                give_up_after_s=account.webhook_give_up_after_s,
                sign=events.sign_again,
            ),
        )

    def start(self) -> None:
        """Once the ledger is open."""
        self._books.index()

    def add_routes(self, app: web.Application) -> None:
        self._payments.add_routes(app)
        self._money.add_routes(app)
        self._element.add_routes(app)
        add_routes(app, self._gate, self._api, self._routes)

    def ledger_view(self) -> dict[str, list[object]]:
        """The truth about the money, as checkers read it."""
        books = self._books
        return {
            "payment_intents": list(books.intents),
            "charges": list(books.charges),
            "refunds": list(books.refunds),
            "disputes": list(books.disputes),
            "balance_transactions": list(books.balance),
            "payouts": list(books.payouts),
        }

    def totals(self) -> dict[str, object]:
        """Sums as other providers count them: where Stripe adds two decimals, without them."""
        captured: Counter[str] = Counter()
        charges = [charge for charge in self._books.charges if charge.captured]
        for charge in charges:
            scale = 100 if charge.currency in WHOLE_ONLY else 1
            captured[charge.currency.upper()] += charge.amount_captured // scale
        return {"captured": captured, "captures": len(charges), "refunds": len(self._books.refunds)}

    def _pay(self, intent_id: str, form: dict[str, object]) -> None:
        self._buyers.pay(intent_id, msgspec.convert(form, Form))
