"""The account's balance: a line for each movement of money, paid out when somebody says so."""

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.stripe.account import Account
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.currencies import WHOLE_ONLY
from devstack.simulator.stripe.entities import BalanceTransaction, Payout
from devstack.simulator.stripe.errors import ApiError
from devstack.simulator.stripe.events import Events
from devstack.simulator.stripe.ids import new_id


class PayoutRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which balance to pay out; an automatic payout knows its lines, one by hand does not."""

    currency: str | None = None
    automatic: bool = True


class Balance:
    """Lines with `net = amount - fee`, and payouts of all that no payout holds yet."""

    def __init__(self, account: Account, books: Books, events: Events, ledger: Ledger, clock: Clock) -> None:
        self._account = account
        self._books = books
        self._events = events
        self._ledger = ledger
        self._clock = clock

    def book(
        self,
        entry: Entry,
        amount: int,
        currency: str,
        kind: str,
        source: str,
        *,
        fee: int = 0,
        category: str | None = None,
    ) -> BalanceTransaction:
        """One signed line; the category is the type's own unless said."""
        line = BalanceTransaction(
            id=new_id("txn"),
            amount=amount,
            fee=fee,
            net=amount - fee,
            currency=currency,
            type=kind,
            reporting_category=category or kind,
            source=source,
            created=int(self._clock.now()),
        )
        return entry.put(self._books.balance, line)

    def fee(self, amount: int, currency: str) -> int:
        """In whole units where the currency has no smaller ones in use."""
        fee = round(amount * self._account.fee_percent / 100) + self._account.fee_fixed
        return -(-fee // 100) * 100 if currency in WHOLE_ONLY else fee

    def pay_out(self, wanted: PayoutRequest) -> Payout:
        """Sends the net of every open line of one currency to the shop's bank."""
        open_lines = [line for line in self._books.balance if line.payout is None]
        currency = wanted.currency or (open_lines[0].currency if open_lines else "")
        lines = [line for line in open_lines if line.currency == currency]
        amount = sum(line.net for line in lines)
        if amount <= 0:
            raise ApiError("You have insufficient funds in your Stripe account.", code="balance_insufficient")
        payout_id = new_id("po")
        with self._ledger.entry("payout") as entry:
            sent = self.book(entry, -amount, currency, "payout", payout_id)
            payout = Payout(
                id=payout_id,
                amount=amount,
                currency=currency,
                status="paid",
                automatic=wanted.automatic,
                balance_transaction=sent.id,
                created=int(self._clock.now()),
            )
            entry.put(self._books.payouts, payout)
            for line in [*lines, sent]:
                entry.put(self._books.balance, msgspec.structs.replace(line, payout=payout_id))
            self._events.payout(entry, "payout.created", payout)
            self._events.payout(entry, "payout.paid", payout)
        return payout

    def fail(self, payout_id: str) -> Payout:
        """The bank sends the money back, days after it was paid."""
        payout = self._books.payout(payout_id)
        if payout.status == "failed":
            raise ApiError("The payout has failed already.")
        with self._ledger.entry("payout failed") as entry:
            back = self.book(entry, payout.amount, payout.currency, "payout_failure", payout.id)
            payout = msgspec.structs.replace(payout, status="failed", failure_balance_transaction=back.id)
            entry.put(self._books.payouts, payout)
            self._events.payout(entry, "payout.failed", payout)
        return payout
