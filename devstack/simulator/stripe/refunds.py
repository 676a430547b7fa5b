"""Refunds: pending or done at once, and now and then failed after they had succeeded."""

from typing import Literal

import msgspec

from devstack.simulator.agenda import Agenda
from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.stripe.account import Account
from devstack.simulator.stripe.balance import Balance
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.currencies import shown
from devstack.simulator.stripe.entities import Charge, Refund
from devstack.simulator.stripe.errors import ApiError
from devstack.simulator.stripe.events import Events
from devstack.simulator.stripe.ids import new_id

Due = Literal["succeed", "fail"] | None
PENDING_CARD_S = 60.0  # of the published cards whose refunds wait or fail


class RefundRequest(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A refund; no amount means all that is left."""

    amount: int | None = None
    reason: str | None = None
    metadata: dict[str, str] = {}


class Refunds:
    """Makes, settles and fails refunds, and keeps charges' refunded amounts true."""

    def __init__(
        self,
        account: Account,
        books: Books,
        events: Events,
        balance: Balance,
        ledger: Ledger,
        clock: Clock,
        agenda: Agenda,
    ) -> None:
        self._account = account
        self._books = books
        self._events = events
        self._balance = balance
        self._ledger = ledger
        self._clock = clock
        agenda.watch(books.refunds, lambda refund: refund.due_at, self._on_due)

    def create(self, entry: Entry, charge: Charge, wanted: RefundRequest) -> Refund:
        """Counts the refund at once, so that two cannot give back the same money."""
        amount = self._amount(charge, wanted.amount)
        aftermath = charge.method.aftermath
        wait_s = PENDING_CARD_S if aftermath else self._account.refund_pending_s
        pending = aftermath == "refund_pending" or (not aftermath and wait_s > 0)
        due: Due = "fail" if aftermath == "refund_fail" else "succeed" if pending else None
        now = self._clock.now()
        refund_id = new_id("re" if charge.id.startswith("ch_") else "pyr")
        line = self._balance.book(entry, -amount, charge.currency, "refund", refund_id)
        refund = Refund(
            id=refund_id,
            charge_id=charge.id,
            intent_id=charge.intent_id,
            amount=amount,
            currency=charge.currency,
            status="pending" if pending else "succeeded",
            reason=wanted.reason,
            metadata=wanted.metadata,
            balance_transaction=line.id,
            created=int(now),
            due_at=now + self._clock.real(wait_s) if due else None,
            due=due,
        )
        entry.put(self._books.refunds, refund)
        charge = self._count(entry, charge, amount)
        self._events.charge(entry, "charge.refunded", charge)
        self._events.refund(entry, "refund.created", refund)
        return refund

    def settle(self, refund_id: str, *, succeeded: bool) -> Refund:
        """The bank's word; one that has succeeded can still fail."""
        refund = self._books.refund(refund_id)
        if refund.status in ("failed", "canceled") or (succeeded and refund.status == "succeeded"):
            raise ApiError(f"The refund is {refund.status} already.")
        with self._ledger.entry("refund settled by the bank") as entry:
            return self._succeed(entry, refund) if succeeded else self._fail(entry, refund)

    def _succeed(self, entry: Entry, refund: Refund) -> Refund:
        refund = msgspec.structs.replace(refund, status="succeeded", due=None, due_at=None)
        entry.put(self._books.refunds, refund)
        self._tell(entry, refund, "refund.updated")
        return refund

    def _fail(self, entry: Entry, refund: Refund) -> Refund:
        """The money comes back to the balance."""
        back = self._balance.book(entry, refund.amount, refund.currency, "refund_failure", refund.id)
        refund = msgspec.structs.replace(
            refund,
            status="failed",
            failure_reason="expired_or_canceled_card",
            failure_balance_transaction=back.id,
            due=None,
            due_at=None,
        )
        entry.put(self._books.refunds, refund)
        self._count(entry, self._books.charges[refund.charge_id], -refund.amount)
        self._tell(entry, refund, "refund.failed")
        return refund

    def _tell(self, entry: Entry, refund: Refund, event: str) -> None:
        """Two events for one fact, as Stripe sends them."""
        self._events.refund(entry, event, refund)
        self._events.refund(entry, "charge.refund.updated", refund)

    def _amount(self, charge: Charge, wanted: int | None) -> int:
        left = charge.amount - charge.amount_refunded
        if not charge.captured:
            raise ApiError(f"Charge {charge.id} has not been captured and cannot be refunded.", executed=True)
        if self._under_dispute(charge):
            raise ApiError(
                f"Charge {charge.id} has been charged back; cannot issue a refund.",
                code="charge_disputed",
                executed=True,
            )
        if left == 0:
            raise ApiError(
                f"Charge {charge.id} has already been refunded.",
                code="charge_already_refunded",
                executed=True,
            )
        if wanted is not None and wanted > left:
            asked, rest = shown(wanted, charge.currency), shown(left, charge.currency)
            raise ApiError(
                f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})",
                param="amount",
                executed=True,
            )
        return left if wanted is None else wanted

    def _under_dispute(self, charge: Charge) -> bool:
        return charge.disputed and any(
            d.charge_id == charge.id and d.status in ("needs_response", "under_review", "lost")
            for d in self._books.disputes
        )

    def _count(self, entry: Entry, charge: Charge, amount: int) -> Charge:
        refunded = charge.amount_refunded + amount
        charge = msgspec.structs.replace(charge, amount_refunded=refunded, refunded=refunded == charge.amount)
        return entry.put(self._books.charges, charge)

    def _on_due(self, refund_id: str) -> None:
        self.settle(refund_id, succeeded=self._books.refunds[refund_id].due == "succeed")
