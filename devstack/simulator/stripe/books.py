"""Stripe's tables, and the few questions that everything asks of them."""

from collections.abc import Iterator

from devstack.simulator.ledger import Ledger
from devstack.simulator.stripe.entities import (
    BalanceTransaction,
    Charge,
    Dispute,
    Intent,
    Payout,
    Refund,
    StoredAnswer,
)
from devstack.simulator.stripe.errors import missing

NAME = "stripe"


class Books:
    """All objects of the account, as the ledger adds them up."""

    def __init__(self, ledger: Ledger) -> None:
        self.intents = ledger.table(NAME, "payment_intent", Intent)
        self.charges = ledger.table(NAME, "charge", Charge)
        self.refunds = ledger.table(NAME, "refund", Refund)
        self.disputes = ledger.table(NAME, "dispute", Dispute)
        self.balance = ledger.table(NAME, "balance_transaction", BalanceTransaction)
        self.payouts = ledger.table(NAME, "payout", Payout)
        self.answers = ledger.table(NAME, "stored_answer", StoredAnswer)
        self._charges_of: dict[str, list[str]] = {}

    def index(self) -> None:
        """Once after the ledger was opened: which charges belong to which intent."""
        for charge in self.charges:
            self.add_to_intent(charge)

    def add_to_intent(self, charge: Charge) -> None:
        self._charges_of.setdefault(charge.intent_id, []).append(charge.id)

    def intent(self, intent_id: str) -> Intent:
        intent = self.intents.get(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, "intent")
        return intent

    def charge(self, charge_id: str) -> Charge:
        charge = self.charges.get(charge_id)
        if charge is None:
            raise missing("charge", charge_id, "id")
        return charge

    def refund(self, refund_id: str) -> Refund:
        refund = self.refunds.get(refund_id)
        if refund is None:
            raise missing("refund", refund_id, "id")
        return refund

    def dispute(self, dispute_id: str) -> Dispute:
        dispute = self.disputes.get(dispute_id)
        if dispute is None:
            raise missing("dispute", dispute_id, "id")
        return dispute

    def payout(self, payout_id: str) -> Payout:
        payout = self.payouts.get(payout_id)
        if payout is None:
            raise missing("payout", payout_id, "id")
        return payout

    def charges_of(self, intent_id: str) -> Iterator[Charge]:
        """An intent's charges, newest first."""
        for charge_id in reversed(self._charges_of.get(intent_id, [])):
            yield self.charges[charge_id]
