"""Transaction Search: the account's lines as captures, refunds, disputes and withdrawals add up to them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from devstack.simulator.clock import Clock
from devstack.simulator.gate import ApiCall
from devstack.simulator.ledger import Entry, Ledger
from devstack.simulator.paypal.account import Account
from devstack.simulator.paypal.api import Act, Done
from devstack.simulator.paypal.books import Books
from devstack.simulator.paypal.entities import Capture, Refund, Transaction, Withdrawal
from devstack.simulator.paypal.errors import invalid, unprocessable
from devstack.simulator.paypal.ids import object_id
from devstack.simulator.paypal.views import stamp, transaction

WINDOW_MAX = timedelta(days=31)
PAGE_MAX = 500
LINES_MAX = 10_000

# PayPal docs, Transaction event codes.
PAYMENT, REFUND, REVERSAL = "T0006", "T1107", "T1106"
CHARGEBACK, CHARGEBACK_REVERSAL, WITHDRAWAL = "T1201", "T1202", "T0400"


class Reporting:
    """/v1/reporting/transactions, and withdrawals to the bank."""

    def __init__(self, account: Account, books: Books, ledger: Ledger, clock: Clock) -> None:
        self._account = account
        self._books = books
        self._ledger = ledger
        self._clock = clock

    def routes(self) -> list[tuple[str, str, Act]]:
        return [("GET", "/v1/reporting/transactions", self.search)]

    def search(self, call: ApiCall, _entry: Entry) -> Done:
        """Oldest first; what is younger than the lag is not there yet."""
        query = {name: values[-1] for name, values in call.query.items()}
        since, until = _time(query, "start_date"), _time(query, "end_date")
        if until - since > WINDOW_MAX or until < since:
            raise invalid("/end_date", "INVALID_DATE_RANGE")
        shown_until = self._clock.now() - self._clock.real(self._account.report_lag_s)
        lines = [
            line
            for line in self.lines()
            if since.timestamp() <= int(line.at) <= until.timestamp()
            and line.at <= shown_until
            and (line.affects_balance or query.get("balance_affecting_records_only", "Y") != "Y")
            and query.get("transaction_id") in (None, line.id)
            and query.get("transaction_status") in (None, line.status)
        ]
        if len(lines) > LINES_MAX:
            raise unprocessable("RESULTSET_TOO_LARGE")
        size, page = _number(query, "page_size", 100, PAGE_MAX), _number(query, "page", 1, LINES_MAX)
        chosen = lines[(page - 1) * size : page * size]
        view = {
            "transaction_details": [transaction(line) for line in chosen],
            "account_number": self._account.merchant_id,
            "start_date": query["start_date"],
            "end_date": query["end_date"],
            "last_refreshed_datetime": stamp(shown_until)[:-1] + "+0000",
            "page": page,
            "total_items": len(lines),
            "total_pages": max(1, -(-len(lines) // size)),
            "links": [],
        }
        return Done(view)

    def withdraw(self) -> list[Withdrawal]:
        """A person sends every balance above zero to the bank."""
        balances: dict[str, int] = {}
        for line in self.lines():
            if line.affects_balance:
                balances[line.currency] = balances.get(line.currency, 0) + line.amount + line.fee
        rows = [
            Withdrawal(id=object_id(), amount=amount, currency=currency, created_at=self._clock.now())
            for currency, amount in balances.items()
            if amount > 0
        ]
        if not rows:
            raise unprocessable("INSUFFICIENT_FUNDS", description="There is nothing to withdraw.")
        with self._ledger.entry("withdrawal to the bank") as entry:
            for row in rows:
                entry.put(self._books.withdrawals, row)
        return rows

    def lines(self) -> list[Transaction]:
        """Every line there is, oldest first, the lag left aside."""
        books = self._books
        found = [_payment(each) for each in books.captures]
        found += [_refund(each) for each in books.refunds]
        found += self._dispute_lines()
        found += [_withdrawal(each) for each in books.withdrawals]
        return sorted(found, key=lambda line: line.at)

    def _dispute_lines(self) -> Iterator[Transaction]:
        for dispute in self._books.disputes:
            for number, movement in enumerate(dispute.movements):
                taken = movement.type == "DEBIT"
                yield Transaction(
                    id=f"{dispute.id[-8:]}{number}".rjust(17, "D"),
                    code=CHARGEBACK if taken else CHARGEBACK_REVERSAL,
                    amount=-movement.amount if taken else movement.amount,
                    fee=0,
                    currency=dispute.currency,
                    status="S",
                    at=movement.at,
                    updated_at=movement.at,
                    reference=dispute.capture_id,
                    reference_type="TXN",
                )


def _payment(capture: Capture) -> Transaction:
    done = capture.status not in ("PENDING", "DECLINED")
    return Transaction(
        id=capture.id,
        code=PAYMENT,
        amount=capture.amount,
        fee=-capture.fee if done else 0,
        currency=capture.currency,
        status="S" if done else "P" if capture.status == "PENDING" else "D",
        at=capture.created_at,
        updated_at=capture.updated_at,
        reference=capture.order_id,
        reference_type="ODR",
        invoice_id=capture.invoice_id,
        custom_id=capture.custom_id,
        affects_balance=done,
    )


def _refund(refund: Refund) -> Transaction:
    done = refund.status == "COMPLETED"
    return Transaction(
        id=refund.id,
        code=REVERSAL if refund.reversal else REFUND,
        amount=-refund.amount,
        fee=0,
        currency=refund.currency,
        status="S" if done else "P" if refund.status == "PENDING" else "D",
        at=refund.created_at,
        updated_at=refund.updated_at,
        reference=refund.capture_id,
        reference_type="TXN",
        invoice_id=refund.invoice_id,
        custom_id=refund.custom_id,
        affects_balance=done,
    )


def _withdrawal(row: Withdrawal) -> Transaction:
    return Transaction(
        id=row.id,
        code=WITHDRAWAL,
        amount=-row.amount,
        fee=0,
        currency=row.currency,
        status="S",
        at=row.created_at,
        updated_at=row.created_at,
    )


def _time(query: dict[str, str], name: str) -> datetime:
    try:
        at = datetime.fromisoformat(query[name])
    except (KeyError, ValueError):
        raise invalid(f"/{name}", "INVALID_PARAMETER_SYNTAX") from None
    if at.tzinfo is None:
        raise invalid(f"/{name}", "INVALID_PARAMETER_SYNTAX")
    return at


def _number(query: dict[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise invalid(f"/{name}", "INVALID_PARAMETER_VALUE")
    return int(text)
