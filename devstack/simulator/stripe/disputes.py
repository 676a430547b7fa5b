"""Disputes: raised by the buyer's bank, answered over the API, decided by the bank."""

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.stripe.account import Account
from devstack.simulator.stripe.balance import Balance
from devstack.simulator.stripe.books import Books
from devstack.simulator.stripe.entities import Charge, Dispute, DisputeStatus
from devstack.simulator.stripe.errors import ApiError
from devstack.simulator.stripe.events import Events
from devstack.simulator.stripe.ids import new_id

_INQUIRY: tuple[DisputeStatus, ...] = ("warning_needs_response", "warning_under_review")
_OPEN: tuple[DisputeStatus, ...] = ("needs_response", "under_review")

# The bank's next word: from where it may come and where it leads.
_STEPS: dict[str, tuple[tuple[DisputeStatus, ...], DisputeStatus]] = {
    "won": (_OPEN, "won"),
    "lost": (_OPEN, "lost"),
    "closed": (_INQUIRY, "warning_closed"),
    "escalate": (_INQUIRY, "needs_response"),
}


class NewDispute(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A dispute to be raised; without an amount over all that is left."""

    amount: int | None = None
    reason: str = "fraudulent"
    inquiry: bool = False


class Disputes:
    """What banks do, and what a shop's answer to them does."""

    def __init__(
        self,
        account: Account,
        books: Books,
        events: Events,
        balance: Balance,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._account = account
        self._books = books
        self._events = events
        self._balance = balance
        self._ledger = ledger
        self._clock = clock

    def open(
        self,
        entry: Entry,
        charge: Charge,
        *,
        reason: str,
        inquiry: bool,
        amount: int | None = None,
    ) -> Dispute:
        """A chargeback takes the money at once; an inquiry only asks."""
        if not charge.captured:
            raise ApiError(f"A charge that is not captured cannot be disputed: {charge.id}")
        now = self._clock.now()
        dispute = Dispute(
            id=new_id("du"),
            charge_id=charge.id,
            intent_id=charge.intent_id,
            amount=charge.amount - charge.amount_refunded if amount is None else amount,
            currency=charge.currency,
            status="warning_needs_response" if inquiry else "needs_response",
            reason=reason,
            due_by=int(now + self._clock.real(self._account.respond_within_s)),
            created=int(now),
        )
        entry.put(self._books.charges, msgspec.structs.replace(charge, disputed=True))
        entry.put(self._books.disputes, dispute)
        self._events.dispute(entry, "charge.dispute.created", dispute)
        return dispute if inquiry else self._withdraw(entry, dispute)

    def after_capture(self, entry: Entry, charge: Charge) -> None:
        """Some published test cards are disputed at once (Stripe docs, Testing, Disputes)."""
        match charge.method.aftermath:
            case "dispute_fraudulent":
                self.open(entry, charge, reason="fraudulent", inquiry=False)
            case "dispute_not_received":
                self.open(entry, charge, reason="product_not_received", inquiry=False)
            case "inquiry":
                self.open(entry, charge, reason="fraudulent", inquiry=True)

    def raise_by_hand(self, charge_id: str, wanted: NewDispute) -> Dispute:
        charge = self._books.charge(charge_id)
        with self._ledger.entry("dispute raised") as entry:
            return self.open(
                entry, charge, reason=wanted.reason, inquiry=wanted.inquiry, amount=wanted.amount
            )

    def decide(self, dispute_id: str, step: str) -> Dispute:
        """The bank's next word; `under_review` is what an answer leads to."""
        dispute = self._books.dispute(dispute_id)
        with self._ledger.entry(f"dispute {step}") as entry:
            if step == "under_review":
                return self.submit(entry, dispute, {"uncategorized_text": "by hand"})
            return self._step(entry, dispute, step)

    def submit(self, entry: Entry, dispute: Dispute, evidence: dict[str, str]) -> Dispute:
        """Evidence is sent to the bank; the published texts decide the case at once."""
        if dispute.status not in ("needs_response", "warning_needs_response"):
            raise ApiError(f"This dispute is {dispute.status}: it takes no evidence.", executed=True)
        inquiry = dispute.status == "warning_needs_response"
        dispute = msgspec.structs.replace(
            dispute,
            status="warning_under_review" if inquiry else "under_review",
            evidence={**dispute.evidence, **evidence},
            submissions=dispute.submissions + 1,
        )
        entry.put(self._books.disputes, dispute)
        self._events.dispute(entry, "charge.dispute.updated", dispute)
        text = dispute.evidence.get("uncategorized_text")
        if text in ("winning_evidence", "losing_evidence"):
            won = text == "winning_evidence"
            return self._step(entry, dispute, "closed" if inquiry else "won" if won else "lost")
        return dispute

    def accept(self, entry: Entry, dispute: Dispute) -> Dispute:
        """The shop gives in."""
        return self._step(entry, dispute, "lost")

    def _step(self, entry: Entry, dispute: Dispute, step: str) -> Dispute:
        if step not in _STEPS:
            raise ApiError(f"A dispute can become under_review, {', '.join(_STEPS)}.")
        allowed, status = _STEPS[step]
        if dispute.status not in allowed:
            raise ApiError(f"The dispute is {dispute.status} and cannot become {step}.", executed=True)
        dispute = msgspec.structs.replace(dispute, status=status)
        entry.put(self._books.disputes, dispute)
        if step == "escalate":
            self._events.dispute(entry, "charge.dispute.updated", dispute)
            return self._withdraw(entry, dispute)
        if step == "won":
            dispute = self._move(entry, dispute, dispute.amount, 0, "dispute_reversal")
            self._events.dispute(entry, "charge.dispute.funds_reinstated", dispute)
        self._events.dispute(entry, "charge.dispute.closed", dispute)
        return dispute

    def _withdraw(self, entry: Entry, dispute: Dispute) -> Dispute:
        dispute = self._move(entry, dispute, -dispute.amount, self._account.dispute_fee, "dispute")
        self._events.dispute(entry, "charge.dispute.funds_withdrawn", dispute)
        return dispute

    def _move(self, entry: Entry, dispute: Dispute, amount: int, fee: int, category: str) -> Dispute:
        line = self._balance.book(
            entry, amount, dispute.currency, "adjustment", dispute.id, fee=fee, category=category
        )
        lines = [*dispute.balance_transactions, line.id]
        return entry.put(self._books.disputes, msgspec.structs.replace(dispute, balance_transactions=lines))
