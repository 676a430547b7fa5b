"""When a document is due and which content it prints.

One document per (payment, kind, subject), whatever the order, number or concurrency of the events: a
repetition finds the document of the first, and the database's unique key stands behind that.
"""

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from services.notifier.domain.mailing import first_mail
from services.notifier.domain.state import Content, Document, Order, Paid, document_id
from shared.decision import Decision, Task
from shared.messages.orders import OrderPlaced
from shared.messages.payments import PaymentPaid


@dataclass(frozen=True, slots=True)
class Rules:
    """The shop's own choices. `zone` decides the year of a number; intervals are divided by `time_scale`."""

    series: str
    zone: tzinfo
    mail_domain: str
    time_scale: float = 1.0


def on_order_placed(order: Order, placed: OrderPlaced, rules: Rules, now: datetime) -> Decision[Order]:
    """Keeps the content, every revision of it; issues what waited for it."""
    if _known(order.contents, placed):
        return Decision(order, outcome="ignored")
    content = Content(len(order.contents) + 1, placed.revision, placed)
    return _issue_if_due(replace(order, contents=(*order.contents, content)), rules, now)


def on_payment_paid(order: Order, event: PaymentPaid, rules: Rules, now: datetime) -> Decision[Order]:
    """Remembers the payment and issues its receipt, or waits for the content that it names."""
    if order.paid is not None:
        return Decision(order, outcome="ignored")
    payment = event.payment
    paid = Paid(
        payment_id=payment.payment_id,
        revision=payment.revision,
        amount=payment.amount,
        currency=payment.currency,
        provider=payment.provider or "",
        provider_order_id=payment.provider_order_id or "",
        charge_id=payment.charge_id or "",
        paid_at=payment.paid_at or payment.updated_at,
    )
    return _issue_if_due(replace(order, paid=paid), rules, now)


def content_for(contents: tuple[Content, ...], paid: Paid) -> Content | None:
    """The content that was paid for, or None while it has not been seen.

    The one with payments' own number, else the shop's announcement that must have got that number: payments
    numbers the distinct contents of an order in the order of the topic. Never one of another amount.
    """
    numbered = {c.revision: c for c in contents if c.revision is not None}
    found = numbered.get(paid.revision)
    if found is None:
        announced = [
            c
            for c in contents
            if c.revision is None and not any(_same(c.order, n.order) for n in numbered.values())
        ]
        index = paid.revision - 1 - sum(r < paid.revision for r in numbered)
        found = announced[index] if 0 <= index < len(announced) else None
    if found is None or (found.order.amount, found.order.currency) != (paid.amount, paid.currency):
        return None
    return found


def _issue_if_due(order: Order, rules: Rules, now: datetime) -> Decision[Order]:
    paid = order.paid
    if paid is None or order.documents or (content := content_for(order.contents, paid)) is None:
        return Decision(order)
    id_ = document_id(paid.payment_id, "receipt", paid.payment_id)
    document = Document(
        id=id_,
        payment_id=paid.payment_id,
        kind="receipt",
        subject=paid.payment_id,
        series=f"{rules.series}-{paid.paid_at.astimezone(rules.zone).year}",
        content=content.position,
        issued_at=now,
        mail=first_mail("receipt", id_, content.order.customer.email, rules.mail_domain),
    )
    return Decision(order.with_document(document), tasks=(typeset_task(order.order_id, id_),))


def typeset_task(order_id: str, document: str) -> Task:
    """Makes the PDF; its result brings the mail."""
    return Task("typeset", f"typeset:{document}", order_id, document.encode(), priority=40)


def _known(contents: tuple[Content, ...], placed: OrderPlaced) -> bool:
    if placed.revision is not None:
        return any(c.revision == placed.revision for c in contents)
    announced = [c for c in contents if c.revision is None]
    return bool(announced) and _same(announced[-1].order, placed)


def _same(one: OrderPlaced, other: OrderPlaced) -> bool:
    """Whether two announcements say the same, whoever numbered them."""
    fields = [name for name in OrderPlaced.__struct_fields__ if name != "revision"]
    return all(getattr(one, name) == getattr(other, name) for name in fields)
