"""The payer's side: agrees to an order, or lets it lapse. Tests and demos without a browser call the same."""

from urllib.parse import urlencode

import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Ledger
from devstack.simulator.paypal.account import Account
from devstack.simulator.paypal.books import Books
from devstack.simulator.paypal.entities import Order, Outcome, Then
from devstack.simulator.paypal.errors import unprocessable
from devstack.simulator.paypal.events import Events
from devstack.simulator.paypal.ids import payer_id


class Form(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a payer chooses, and what the bank behind it will say to the capture."""

    outcome: Outcome = "success"
    then: Then | None = None  # how a pending capture ends by itself; without it somebody has to say
    after_s: float | None = None  # provider time until then


class Approved(msgspec.Struct, kw_only=True):
    """Where the payer's browser goes."""

    order_id: str
    payer_id: str
    redirect: str


class Checkout:
    """Orders from the payer's first look to the approval, and their expiry."""

    def __init__(
        self,
        account: Account,
        books: Books,
        events: Events,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
    ) -> None:
        self._account = account
        self._books = books
        self._events = events
        self._ledger = ledger
        self._clock = clock
        agenda.watch(books.orders, lambda order: order.due_at, self._on_due)

    def payable(self, order_id: str) -> Order:
        """An order that waits for its payer."""
        order = self._books.order(order_id)
        if order.status == "COMPLETED":
            raise unprocessable("ORDER_ALREADY_CAPTURED")
        return order

    def approve(self, order_id: str, form: Form) -> Approved:
        """The payer agrees. Once more before the capture is another choice of how to pay."""
        order = self.payable(order_id)
        now = self._clock.now()
        with self._ledger.entry("payer approves") as entry:
            order = entry.put(
                self._books.orders,
                msgspec.structs.replace(
                    order,
                    status="APPROVED",
                    payer_id=order.payer_id or payer_id(),
                    outcome=form.outcome,
                    then=form.then,
                    then_after_s=form.after_s,
                    updated_at=now,
                    due_at=now + self._clock.real(self._account.capture_within_s),
                ),
            )
            self._events.approved(entry, order)
        payer = order.payer_id or ""
        back = _with(order.return_url, {"token": order.id, "PayerID": payer})
        return Approved(order_id=order.id, payer_id=payer, redirect=back)

    def cancelled(self, order_id: str) -> str:
        """Where a payer goes who does not want to; the order stays as it is."""
        order = self.payable(order_id)
        return _with(order.cancel_url, {"token": order.id})

    def expire(self, order_id: str) -> Order:
        """Its time is over; an approval is taken back."""
        order = self.payable(order_id)
        with self._ledger.entry("order expires") as entry:
            expired = msgspec.structs.replace(
                order, status="EXPIRED", updated_at=self._clock.now(), due_at=None
            )
            entry.put(self._books.orders, expired)
            if order.status == "APPROVED":
                self._events.approval_reversed(entry, order)
        return expired

    def _on_due(self, order_id: str) -> None:
        self.expire(order_id)


def _with(url: str, query: dict[str, str]) -> str:
    if not url:
        return ""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
