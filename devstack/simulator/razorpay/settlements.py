"""Settlements: what is owed is paid out when a test or a person says so; recon lists each line."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from devstack.simulator.clock import Clock
from devstack.simulator.gate import ApiCall
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.razorpay.api import Act, Done
from devstack.simulator.razorpay.books import Books
from devstack.simulator.razorpay.entities import Dispute, Payment, Refund, Settlement
from devstack.simulator.razorpay.errors import ApiError, unknown_id
from devstack.simulator.razorpay.events import Events
from devstack.simulator.razorpay.ids import new_id
from devstack.simulator.razorpay.listing import number, page
from devstack.simulator.razorpay.views import Json, collection, notes_json, settlement_json

INDIA = timezone(timedelta(hours=5, minutes=30))  # days of a settlement are Indian ones
RECON_COUNT_MAX = 1000


class Settlements:
    """/v1/settlements, and the run that makes one."""

    def __init__(self, books: Books, events: Events, ledger: Ledger, clock: Clock) -> None:
        self._books = books
        self._events = events
        self._ledger = ledger
        self._clock = clock

    def routes(self) -> list[tuple[str, str, Act]]:
        return [
            ("GET", "/v1/settlements", self.list_all),
            ("GET", "/v1/settlements/recon/combined", self.recon),
            ("GET", "/v1/settlements/{settlement_id}", self.fetch),
        ]

    def list_all(self, call: ApiCall, _entry: Entry) -> Done:
        rows = self._books.settlements.newest_first()
        return Done(page(rows, call.query, lambda row: row.created_at, settlement_json))

    def fetch(self, call: ApiCall, _entry: Entry) -> Done:
        settlement = self._books.settlements.get(call.params["settlement_id"])
        if settlement is None:
            raise unknown_id()
        return Done(settlement_json(settlement), settlement.id)

    def recon(self, call: ApiCall, _entry: Entry) -> Done:
        """Every line settled in a month, or on a day of it."""
        year = number(call.query, "year", 0, 2000, 2100)
        month = number(call.query, "month", 0, 1, 12)
        day = number(call.query, "day", 0, 1, 31)
        if not year or not month:
            missing = "month" if year else "year"
            raise ApiError(f"The {missing} field is required.", field=missing)
        count = number(call.query, "count", 10, 1, RECON_COUNT_MAX)
        skip = number(call.query, "skip", 0, 0, 2**31)
        lines = [
            line
            for settlement in self._books.settlements.newest_first()
            if _on(settlement.settled_at, year, month, day)
            for line in self._lines(settlement)
        ]
        return Done(collection(lines[skip : skip + count]))

    def run(self) -> Settlement:
        """Pays out all captured, refunded and deducted money that no settlement holds yet."""
        payments, refunds, disputes = self._open()
        if not payments and not refunds and not disputes:
            raise ApiError("There is nothing to settle.")
        now = int(self._clock.now())
        fees = sum(_fee(payment) for payment in payments)
        debits = sum(r.amount for r in refunds) + sum(d.amount_deducted for d in disputes)
        settlement = Settlement(
            id=new_id("setl"),
            amount=sum(payment.amount for payment in payments) - fees - debits,
            fees=fees,
            tax=sum(payment.tax or 0 for payment in payments),
            utr=f"{now}{secrets.token_hex(3)}",
            created_at=now,
            settled_at=now,
        )
        with self._ledger.entry("settlement") as entry:
            entry.put(self._books.settlements, settlement)
            self._mark(entry, settlement, payments, refunds, disputes)
            self._events.settlement(entry, settlement)
        return settlement

    def _open(self) -> tuple[list[Payment], list[Refund], list[Dispute]]:
        """Refunds of money that was never captured were never owed to the shop."""
        books = self._books
        return (
            [p for p in books.payments if p.captured and p.settled_by is None],
            [
                r
                for r in books.refunds
                if r.status == "processed" and not r.automatic and r.settled_by is None
            ],
            [d for d in books.disputes if d.status == "lost" and d.settled_by is None],
        )

    def _mark(
        self,
        entry: Entry,
        settlement: Settlement,
        payments: list[Payment],
        refunds: list[Refund],
        disputes: list[Dispute],
    ) -> None:
        for payment in payments:
            row = msgspec.structs.replace(payment, settled_by=settlement.id)
            entry.put(self._books.payments, row)
        for refund in refunds:
            entry.put(self._books.refunds, msgspec.structs.replace(refund, settled_by=settlement.id))
        for dispute in disputes:
            entry.put(self._books.disputes, msgspec.structs.replace(dispute, settled_by=settlement.id))

    def _lines(self, settlement: Settlement) -> Iterator[Json]:
        books = self._books
        for payment in books.payments:
            if payment.settled_by == settlement.id:
                credit = payment.amount - _fee(payment)
                yield self._line(settlement, payment, payment.id, "payment", credit=credit)
        for refund in books.refunds:
            if refund.settled_by == settlement.id:
                payment = books.payments[refund.payment_id]
                yield self._line(settlement, payment, refund.id, "refund", debit=refund.amount) | {
                    "amount": refund.amount,
                    "payment_id": refund.payment_id,
                    "created_at": refund.created_at,
                }
        for dispute in books.disputes:
            if dispute.settled_by == settlement.id:
                payment = books.payments[dispute.payment_id]
                adjustment_id = dispute.id.replace("disp_", "adj_")
                debit = dispute.amount_deducted
                yield self._line(settlement, payment, adjustment_id, "adjustment", debit=debit) | {
                    "amount": debit,
                    "payment_id": dispute.payment_id,
                    "created_at": dispute.closed_at,
                    "dispute_id": dispute.id,
                }

    def _line(
        self,
        settlement: Settlement,
        payment: Payment,
        entity_id: str,
        kind: str,
        *,
        credit: int = 0,
        debit: int = 0,
    ) -> Json:
        """One recon line: credit = amount − fee, where the fee holds the tax."""
        charged = kind == "payment"
        card = payment.card
        return {
            "entity_id": entity_id,
            "type": kind,
            "debit": debit,
            "credit": credit,
            "amount": payment.amount,
            "currency": payment.currency,
            "fee": _fee(payment) if charged else 0,
            "tax": payment.tax if charged else 0,
            "on_hold": False,
            "settled": True,
            "created_at": payment.created_at,
            "settled_at": settlement.settled_at,
            "settlement_id": settlement.id,
            "posted_at": None,
            "credit_type": "default",
            "description": payment.description,
            "notes": notes_json(payment.notes),
            "payment_id": None,
            "settlement_utr": settlement.utr,
            "order_id": payment.order_id,
            "order_receipt": self._books.order(payment.order_id).receipt,
            "method": payment.method,
            "card_network": card.network if card else None,
            "card_issuer": card.issuer if card else None,
            "card_type": card.type if card else None,
            "dispute_id": None,
        }


def _fee(payment: Payment) -> int:
    return payment.fee or 0 if payment.fee_taken is None else payment.fee_taken


def _on(settled_at: int, year: int, month: int, day: int) -> bool:
    at = datetime.fromtimestamp(settled_at, UTC).astimezone(INDIA)
    return (at.year, at.month) == (year, month) and day in (0, at.day)
