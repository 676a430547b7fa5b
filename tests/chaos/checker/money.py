"""S1–S4: the provider's ledger against our books. Money is neither taken twice, nor lost, nor invented."""

import re
from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.checker.evidence import Evidence, Payment
from tests.chaos.checker.ledger import Capture
from tests.chaos.checker.verdict import Violation, doubled, lost, wrong

PAID = ("paid", "partially_refunded", "refunded")
DECIMALS = {"INR": 2, "USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
SURPLUS = "duplicate_capture"  # the flag that announces money which must go back


def our_captures(evidence: Evidence) -> dict[str, list[Capture]]:
    """The money taken for each of our orders, by what was written on the provider's order."""
    orders = {order.id: order.our_order for order in evidence.ledger.orders}
    found: dict[str, list[Capture]] = defaultdict(list)
    for capture in evidence.ledger.captures:
        found[orders.get(capture.provider_order_id, capture.provider_order_id)].append(capture)
    return found


def wishes(evidence: Evidence) -> dict[str, tuple[int, str, str]]:
    """(amount, currency, e-mail) of each order as its shop wanted it and was told yes."""
    found: dict[str, tuple[int, str, str]] = {}
    for operation in evidence.history:
        if operation.call == "place" and operation.outcome == "ok":
            asked = operation.asked
            found[operation.order_id] = (asked["amount"], asked["currency"], asked["email"])
    return found


def no_double_charge(evidence: Evidence) -> Iterator[Violation]:
    """S1. Money beyond one capture per order is given back, or announced by a flag for that charge."""
    flags = {(p.order_id, *flag) for p in evidence.books.payments for flag in p.flags}
    wanted = wishes(evidence)
    for order_id, captures in our_captures(evidence).items():
        kept = [c for c in captures if c.amount > evidence.ledger.refunded.get(c.charge_id, 0)]
        announced = [c for c in kept if (order_id, SURPLUS, c.charge_id) in flags]
        unannounced = len(kept) - len(announced)
        if unannounced > 1:
            yield doubled(f"{order_id} was charged {unannounced} times: {[c.charge_id for c in kept]}")
        taken = sum(c.amount for c in kept if c not in announced)
        if order_id in wanted and taken > wanted[order_id][0]:
            yield doubled(f"{order_id}: {taken} taken, {wanted[order_id][0]} asked")


def no_phantom_paid(evidence: Evidence) -> Iterator[Violation]:
    """S2. What we call paid was captured at the provider: same object, amount and currency."""
    captured = {c.charge_id: c for c in evidence.ledger.captures}
    for payment in evidence.books.payments:
        if payment.status not in PAID:
            continue
        capture = captured.get(payment.charge_id or "")
        if capture is None:
            yield wrong(f"{payment.order_id} is {payment.status} without money: {payment.charge_id}")
        elif (capture.provider_order_id, capture.amount, capture.currency) != (
            payment.provider_order_id,
            payment.amount,
            payment.currency,
        ):
            yield wrong(f"{payment.order_id} is paid by {capture}, which is not for it")


def no_lost_money(evidence: Evidence) -> Iterator[Violation]:
    """S3. Every capture made its order paid, or is flagged at it, or was given back."""
    payments = {p.order_id: p for p in evidence.books.payments}
    for order_id, captures in our_captures(evidence).items():
        payment = payments.get(order_id)
        for capture in captures:
            given_back = evidence.ledger.refunded.get(capture.charge_id, 0) >= capture.amount
            if payment is None:
                yield lost(f"{capture.charge_id}: no order {order_id} is held")
            elif not given_back and not _explained(capture, payment):
                yield lost(f"{capture.charge_id} of {order_id}, which is {payment.status} {payment.detail}")


def _explained(capture: Capture, payment: Payment) -> bool:
    """Whether our books say what this money is: it pays the order, or it waits for a person."""
    pays = capture.charge_id == payment.charge_id and payment.status in PAID
    return pays or any(subject == capture.charge_id for _, subject in payment.flags)


def amounts_agree(evidence: Evidence) -> Iterator[Violation]:
    """S4. One whole number of minor units and one currency, from the shop's wish to the receipt."""
    wanted = {order_id: (amount, currency) for order_id, (amount, currency, _) in wishes(evidence).items()}
    for where, order_id, amount, currency in _amounts(evidence):
        if type(amount) is not int:
            yield wrong(f"{where} of {order_id}: {amount!r} is no whole number")
        elif order_id in wanted and (amount, currency) != wanted[order_id]:
            yield wrong(f"{where} of {order_id}: {amount} {currency} instead of {wanted[order_id]}")


def _amounts(evidence: Evidence) -> Iterator[tuple[str, str, object, str]]:
    """(source, order, amount, currency) from every place that names an order's price."""
    books = evidence.books
    provider_orders = {order.id: order.our_order for order in evidence.ledger.orders}
    for payment in books.payments:
        yield "the payment", payment.order_id, payment.amount, payment.currency
    for attempt in books.attempts:
        yield "the attempt", attempt.order_id, attempt.amount, attempt.currency
    for order in evidence.ledger.orders:
        yield "the provider's order", order.our_order, order.amount, order.currency
    for capture in evidence.ledger.captures:
        our_order = provider_orders.get(capture.provider_order_id, "")
        yield "the capture", our_order, capture.amount, capture.currency
    for record in evidence.records("payments.events"):
        if snapshot := record.snapshot:
            yield "an event", str(snapshot["order_id"]), snapshot["amount"], str(snapshot["currency"])
    for receipt in books.receipts:
        yield "the receipt", receipt.order_id, receipt.amount, receipt.currency
    yield from _printed(evidence)


def _printed(evidence: Evidence) -> Iterator[tuple[str, str, object, str]]:
    """The total as the buyer reads it, in the mail's own words: `Total: ₹1,234.50`."""
    wanted = wishes(evidence)
    orders = {email: order_id for order_id, (_, _, email) in wanted.items()}
    notices = {notice.message_id for notice in evidence.books.notices}
    for mail in evidence.mails:
        if mail.message_id in notices:
            continue
        order_id = next((orders[r] for r in mail.recipients if r in orders), None)
        if order_id is None:
            continue
        currency = wanted[order_id][1]
        total = re.search(r"^Total: \D*([\d,.]+)", mail.text, re.MULTILINE)
        yield "the mail", order_id, _minor(total.group(1), currency) if total else None, currency


def _minor(printed: str, currency: str) -> int | None:
    """`1,23,456.50` → 12345650; None when it has not the currency's decimals."""
    whole, point, cents = printed.replace(",", "").partition(".")
    if len(cents) != DECIMALS[currency] or bool(point) != bool(DECIMALS[currency]):
        return None
    return int(whole + cents)
