"""Disputes: opened by a payer, moved on and decided by a test."""

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.gate import ApiCall
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.paypal.account import DAY_S
from devstack.simulator.paypal.api import Act, Done
from devstack.simulator.paypal.books import Books
from devstack.simulator.paypal.entities import Dispute, DisputeStage, Movement
from devstack.simulator.paypal.errors import ApiError, invalid, unprocessable
from devstack.simulator.paypal.events import Events
from devstack.simulator.paypal.ids import dispute_id
from devstack.simulator.paypal.views import Json, Views, stamp_ms

RESPOND_WITHIN_S = 10 * DAY_S
PAGE_MAX = 50
LOST = frozenset({"RESOLVED_BUYER_FAVOUR", "ACCEPTED"})
OUTCOMES = LOST | {"RESOLVED_SELLER_FAVOUR", "RESOLVED_WITH_PAYOUT", "CANCELED_BY_BUYER", "DENIED", "NONE"}


class NewDispute(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A dispute to be opened; without an amount over the whole capture."""

    amount: int | None = None
    stage: DisputeStage = "INQUIRY"
    reason: str = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"


class Resolution(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a dispute ends."""

    outcome: str = "RESOLVED_SELLER_FAVOUR"


class Disputes:
    """/v1/customer/disputes, and what payers, banks and PayPal's agents do."""

    def __init__(self, books: Books, views: Views, events: Events, ledger: Ledger, clock: Clock) -> None:
        self._books = books
        self._views = views
        self._events = events
        self._ledger = ledger
        self._clock = clock

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/v1/customer/disputes", self.list_all),
            ("GET", "/v1/customer/disputes/{dispute_id}", self.fetch),
        ]

    def list_all(self, call: ApiCall, _entry: Entry) -> Done:
        """Newest first, by `start_time` or `disputed_transaction_id`; the next page by the link's token."""
        query = {name: values[-1] for name, values in call.query.items()}
        size = _number(query, "page_size", 10, PAGE_MAX)
        skip = _number(query, "next_page_token", 0, 10**9)
        since, capture_id = query.get("start_time", ""), query.get("disputed_transaction_id")
        rows = [
            each
            for each in self._books.disputes.newest_first()
            if capture_id in (None, each.capture_id) and stamp_ms(each.created_at)[:19] >= since[:19]
        ]
        page: Json = {"items": [self._views.dispute_item(each) for each in rows[skip : skip + size]]}
        if skip + size < len(rows):
            given = "&".join(f"{k}={v}" for k, v in query.items() if k != "next_page_token")
            href = f"{self._views.base}{call.path}?{given}&next_page_token={skip + size}"
            page["links"] = [{"href": href, "rel": "next", "method": "GET"}]
        return Done(page)

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        dispute = self._books.dispute(call.params["dispute_id"])
        return Done(self._views.dispute(dispute, self._books.capture(dispute.capture_id)), dispute.id)

    def open(self, capture_id: str, wanted: NewDispute) -> Dispute:
        """A payer asks for the money back, or a bank has taken it already."""
        capture = self._books.capture(capture_id)
        if capture.status in ("PENDING", "DECLINED"):
            raise unprocessable("TRANSACTION_NOT_DISPUTABLE", description=f"The capture is {capture.status}.")
        now = self._clock.now()
        dispute = Dispute(
            id=dispute_id(),
            capture_id=capture.id,
            amount=capture.amount if wanted.amount is None else wanted.amount,
            currency=capture.currency,
            reason=wanted.reason,
            status="OPEN" if wanted.stage == "INQUIRY" else "WAITING_FOR_SELLER_RESPONSE",
            stage=wanted.stage,
            respond_by=now + self._clock.real(RESPOND_WITHIN_S),
            created_at=now,
            updated_at=now,
        )
        if wanted.stage == "CHARGEBACK":
            dispute = _moved(dispute, "DEBIT", now)
        return self._put(dispute, "CREATED")

    def escalate(self, dispute_id: str) -> Dispute:
        """The payer asks PayPal to decide: the money is held."""
        dispute = self._undecided(dispute_id)
        if dispute.stage == "INQUIRY":
            dispute = _moved(dispute, "DEBIT", self._clock.now())
        changed = msgspec.structs.replace(dispute, stage="CHARGEBACK", status="WAITING_FOR_SELLER_RESPONSE")
        return self._put(changed, "UPDATED")

    def review(self, dispute_id: str) -> Dispute:
        """The shop has answered in the dashboard."""
        changed = msgspec.structs.replace(self._undecided(dispute_id), status="UNDER_REVIEW")
        return self._put(changed, "UPDATED")

    def resolve(self, dispute_id: str, wanted: Resolution) -> Dispute:
        """The last word: held money comes back, or what was not held yet is taken."""
        if wanted.outcome not in OUTCOMES:
            raise invalid("/outcome", "INVALID_PARAMETER_VALUE")
        dispute = self._undecided(dispute_id)
        held = sum(each.amount if each.type == "DEBIT" else -each.amount for each in dispute.movements)
        now = self._clock.now()
        if wanted.outcome in LOST and not held:
            dispute = _moved(dispute, "DEBIT", now)
        elif wanted.outcome not in LOST and held:
            dispute = _moved(dispute, "CREDIT", now)
        changed = msgspec.structs.replace(dispute, status="RESOLVED", outcome=wanted.outcome)
        return self._put(changed, "RESOLVED")

    def _undecided(self, dispute_id: str) -> Dispute:
        dispute = self._books.dispute(dispute_id)
        if dispute.status == "RESOLVED":
            raise ApiError(422, [{"issue": "DISPUTE_RESOLVED", "description": "The dispute is resolved."}])
        return dispute

    def _put(self, dispute: Dispute, what: str) -> Dispute:
        dispute = msgspec.structs.replace(dispute, updated_at=self._clock.now())
        with self._ledger.entry(f"dispute {what.lower()}") as entry:
            entry.put(self._books.disputes, dispute)
            self._events.dispute(entry, what, dispute, self._books.capture(dispute.capture_id))
        return dispute


def _moved(dispute: Dispute, kind: str, now: float) -> Dispute:
    movement = Movement(type="DEBIT" if kind == "DEBIT" else "CREDIT", amount=dispute.amount, at=now)
    return msgspec.structs.replace(dispute, movements=[*dispute.movements, movement])


def _number(query: dict[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or int(text) > most:
        raise invalid(f"/{name}", "INVALID_PARAMETER_VALUE")
    return int(text)
