"""What must hold at the end of the day; docs/invariants.md says what the ids mean."""

from collections import Counter

from devstack.demo.books import Books
from devstack.demo.shopper import Order

PAID = ("paid", "partially_refunded", "refunded")
Check = tuple[str, list[str]]  # what must hold, and the orders for which it does not


def checks(orders: list[Order], books: Books) -> list[Check]:
    """Each invariant with its violations."""
    return [
        ("every order ended as its story says", [
            f"{o.order_id} is {o.status['status']}" for o in orders if o.status["status"] != o.expected
        ]),
        *_money(orders, books),
        *_story(orders, books),
        *_outside(orders, books),
    ]  # fmt: skip


def is_right(orders: list[Order], books: Books) -> bool:
    return not any(violations for _, violations in checks(orders, books))


def _money(orders: list[Order], books: Books) -> list[Check]:
    paid = [o for o in orders if o.status["status"] in PAID]
    return [
        ("S1 charged once: a second capture goes back", [
            o.order_id for o in orders if sum(t.kept > 0 for t in books.taken_for(o.order_id)) > 1
        ]),
        ("S2 every paid order has its capture at the provider", [
            o.order_id for o in paid if not books.taken_for(o.order_id)
        ]),
        ("S3 every capture is a paid order, or went back", [
            o.order_id
            for o in orders
            if o not in paid and any(t.amount != t.refunded for t in books.taken_for(o.order_id))
        ]),
        ("S4 our amounts are the providers', to the last minor unit", [
            f"{o.order_id}: {_ours(o)}, not {_theirs(o, books)}"
            for o in orders
            if _ours(o) != _theirs(o, books)
        ]),
        ("S5 no refund above its capture", [
            o.order_id for o in orders if any(t.refunded > t.amount for t in books.taken_for(o.order_id))
        ]),
        ("what the shop keeps is what the story says", [
            f"{o.order_id}: {_kept(o, books)}, not {_wanted(o)}"
            for o in orders
            if _kept(o, books) != _wanted(o)
        ]),
    ]  # fmt: skip


def _ours(order: Order) -> tuple[int, int, int]:
    amounts = order.status["amounts"]
    return amounts["captured"], amounts["refunded"], amounts["captured"] - amounts["refunded"]


def _theirs(order: Order, books: Books) -> tuple[int, int, int]:
    taken = books.taken_for(order.order_id)
    captured, refunded = sum(t.amount for t in taken), sum(t.refunded for t in taken)
    return captured, refunded, captured - refunded


def _kept(order: Order, books: Books) -> int:
    return sum(t.kept for t in books.taken_for(order.order_id))


def _wanted(order: Order) -> int:
    if order.kept is not None:
        return order.kept
    return order.amount if order.expected == "paid" else 0


def _story(orders: list[Order], books: Books) -> list[Check]:
    versions = {
        o.order_id: {e["version"] for e in books.events if e["subject"] == o.order_id} for o in orders
    }
    flagged = {
        o.order_id: {e["data"]["reason"] for e in books.of(o.order_id, "payment_flagged")} for o in orders
    }
    refunds = {
        o.order_id: [
            len(books.of(o.order_id, f"refund_{kind}")) for kind in ("requested", "succeeded", "failed")
        ]
        for o in orders
    }
    return [
        ("S6 versions are 1, 2, 3 … without a gap", [
            o.order_id for o in orders if versions[o.order_id] != set(range(1, len(versions[o.order_id]) + 1))
        ]),
        ("S7 PaymentPaid once per paid order, no event left behind", [
            o.order_id
            for o in orders
            if len(books.of(o.order_id, "payment_paid")) != (o.status["status"] in PAID)
        ] + ["outbox"] * books.pending),
        ("S9 each refund is requested once and ends once", [
            f"{order_id} {counts}"
            for order_id, counts in refunds.items()
            if not counts[0] <= counts[1] + counts[2] <= 2 * counts[0]
        ]),
        ("disputes are opened and closed once each", [
            o.order_id
            for o in orders
            if len(books.of(o.order_id, "dispute_opened")) != len(books.of(o.order_id, "dispute_closed"))
            or ("disputed" in o.story) != bool(books.of(o.order_id, "dispute_opened"))
        ]),
        ("what no rule can decide is flagged for a person", [
            o.order_id for o in orders if set(o.flags) != flagged[o.order_id]
        ]),
        ("S17 nothing was parked", ["parked"] * books.parked),
    ]  # fmt: skip


def _outside(orders: list[Order], books: Books) -> list[Check]:
    receipts = Counter(address for mail in books.mails if _is_receipt(mail) for address in mail["recipients"])
    return [
        ("S12 every webhook that was accepted is kept once", [
            f"{books.archived} kept, {books.accepted} accepted"
        ] * (books.archived != books.accepted)),
        ("S13 one receipt per paid order, none for the others", [
            o.order_id for o in orders if receipts[o.email] != (o.status["status"] in PAID)
        ]),
        ("S24 one provider order per attempt", [
            reference for reference, count in books.made.items() if count > 1
        ]),
        ("the faults really struck", [] if books.bites else ["no fault bit"]),
    ]  # fmt: skip


def _is_receipt(mail: dict[str, object]) -> bool:
    return "receipt" in str(mail["subject"]).lower() or "invoice" in str(mail["subject"]).lower()
