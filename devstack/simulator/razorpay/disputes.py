"""Disputes: raised by a test, answered over the API, decided by a test."""

from collections.abc import Callable

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.gate import ApiCall
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.razorpay.account import DAY_S
from devstack.simulator.razorpay.api import Act, Done
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.entities import Dispute, DisputePhase, DisputeStatus
from devstack.simulator.razorpay.errors import ApiError, unknown_id
from devstack.simulator.razorpay.events import Events
from devstack.simulator.razorpay.ids import new_id
from devstack.simulator.razorpay.listing import expands, page
from devstack.simulator.razorpay.requests import json_object
from devstack.simulator.razorpay.views import Json, dispute_json, payment_json

RESPOND_WITHIN_S = 7 * DAY_S

# What a bank's decision does: from where it may come, where it leads, which event tells of it.
_STEPS: dict[str, tuple[set[DisputeStatus], DisputeStatus]] = {
    "under_review": ({"open"}, "under_review"),
    "action_required": ({"under_review"}, "open"),
    "won": ({"open", "under_review"}, "won"),
    "lost": ({"open", "under_review"}, "lost"),
    "closed": ({"open", "under_review"}, "closed"),
}


class NewDispute(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A dispute to be raised; without an amount over the whole payment."""

    amount: int | None = None
    phase: DisputePhase = "chargeback"
    reason_code: str = "chargeback"


class Disputes:
    """/v1/disputes, and what banks do."""

    def __init__(self, books: Books, events: Events, ledger: Ledger, clock: Clock) -> None:
        self._books = books
        self._events = events
        self._ledger = ledger
        self._clock = clock

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/v1/disputes", self.list_all),
            ("GET", "/v1/disputes/{dispute_id}", self.fetch),
            ("POST", "/v1/disputes/{dispute_id}/accept", self.accept),
            ("PATCH", "/v1/disputes/{dispute_id}/contest", self.contest),
        ]

    def list_all(self, call: ApiCall, _entry: Entry) -> Done:
        view = self._view(call)
        rows = self._books.disputes.newest_first()
        return Done(page(rows, call.query, lambda dispute: dispute.created_at, view))

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        dispute = self._dispute(call.params["dispute_id"])
        return Done(self._view(call)(dispute), dispute.id)

    def accept(self, call: ApiCall, entry: Entry) -> Done:
        """Accepting loses the dispute at once."""
        dispute = self._step(entry, self._dispute(call.params["dispute_id"]), "lost")
        return Done(dispute_json(dispute), dispute.id)

    def contest(self, call: ApiCall, entry: Entry) -> Done:
        """A draft keeps the dispute open, `action: submit` sends it to the bank."""
        dispute = self._dispute(call.params["dispute_id"])
        fields = json_object(call.body)
        action = fields.pop("action", "draft")
        if action not in ("draft", "submit"):
            raise ApiError("The selected action is invalid.", field="action")
        evidence = {**(dispute.evidence or {}), **fields}
        if action == "submit":
            evidence["submitted_at"] = int(self._clock.now())
        dispute = msgspec.structs.replace(dispute, evidence=evidence)
        if action == "submit":
            dispute = self._step(entry, dispute, "under_review")
        else:
            entry.put(self._books.disputes, dispute)
        return Done(dispute_json(dispute), dispute.id)

    def open(self, payment_id: str, wanted: NewDispute) -> Dispute:
        """The buyer's bank raises a dispute."""
        payment = self._books.payment(payment_id)
        if not payment.captured:
            raise ApiError(f"A payment that is {payment.status} cannot be disputed.")
        now = self._clock.now()
        dispute = Dispute(
            id=new_id("disp"),
            payment_id=payment.id,
            amount=payment.amount if wanted.amount is None else wanted.amount,
            currency=payment.currency,
            amount_deducted=0,
            reason_code=wanted.reason_code,
            respond_by=int(now + self._clock.real(RESPOND_WITHIN_S)),
            status="open",
            phase=wanted.phase,
            created_at=int(now),
        )
        with self._ledger.entry("dispute raised") as entry:
            entry.put(self._books.disputes, dispute)
            self._events.dispute(entry, "payment.dispute.created", dispute, payment)
        return dispute

    def decide(self, dispute_id: str, step: str) -> Dispute:
        """The bank's next word."""
        dispute = self._dispute(dispute_id)
        with self._ledger.entry(f"dispute {step}") as entry:
            return self._step(entry, dispute, step)

    def _step(self, entry: Entry, dispute: Dispute, step: str) -> Dispute:
        if step not in _STEPS:
            raise ApiError(f"A dispute can become {', '.join(_STEPS)}.")
        allowed, status = _STEPS[step]
        if dispute.status not in allowed:
            raise ApiError(f"The dispute is {dispute.status} and cannot become {step}.")
        dispute = msgspec.structs.replace(
            dispute,
            status=status,
            amount_deducted=dispute.amount if status == "lost" else 0,
            closed_at=int(self._clock.now()) if status in ("won", "lost", "closed") else None,
        )
        entry.put(self._books.disputes, dispute)
        payment = self._books.payment(dispute.payment_id)
        self._events.dispute(entry, f"payment.dispute.{step}", dispute, payment)
        return dispute

    def _view(self, call: ApiCall) -> Callable[[Dispute], Json]:
        with_payment = "payment" in expands(call.query)

        def view(dispute: Dispute) -> Json:
            shown = dispute_json(dispute)
            if with_payment:
                shown["payment"] = payment_json(self._books.payment(dispute.payment_id))
            return shown

        return view

    def _dispute(self, dispute_id: str) -> Dispute:
        dispute = self._books.disputes.get(dispute_id)
        if dispute is None:
            raise unknown_id()
        return dispute
