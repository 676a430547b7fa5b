"""When a document is due and which content it prints.

One document per (payment, kind, subject), whatever the order, number or concurrency of the events: a
repetition finds the document of the first, and the database's unique key stands behind that.
"""

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from services.notifier.domain.mailing import first_mail
from services.notifier.domain.state import Document, Order, Paid, document_id
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
    """Keeps every numbered content; issues what waited for it.

    What a shop announces without a number comes again, numbered, once payments has accepted it.
    """
    if placed.revision is None or placed.revision in order.contents:
        return Decision(order, outcome="ignored")
    contents = {**order.contents, placed.revision: placed}
    return _issue_if_due(replace(order, contents=contents), rules, now)


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


def content_for(order: Order, paid: Paid) -> OrderPlaced | None:
    """The content that was paid for, or None while it has not been seen. Never one of another amount."""
    found = order.contents.get(paid.revision)
    if found is None or (found.amount, found.currency) != (paid.amount, paid.currency):
        return None
    return found


def _issue_if_due(order: Order, rules: Rules, now: datetime) -> Decision[Order]:
    paid = order.paid
    if paid is None or order.documents or (placed := content_for(order, paid)) is None:
        return Decision(order)
    id_ = document_id(paid.payment_id, "receipt", paid.payment_id)
    document = Document(
        id=id_,
        payment_id=paid.payment_id,
        kind="receipt",
        subject=paid.payment_id,
        series=f"{rules.series}-{paid.paid_at.astimezone(rules.zone).year}",
        revision=paid.revision,
        issued_at=now,
        mail=first_mail("receipt", id_, placed.customer.email, rules.mail_domain),
    )
    return Decision(order.with_document(document), tasks=(typeset_task(order.order_id, id_),))


def typeset_task(order_id: str, document: str) -> Task:
    """Makes the PDF; its result brings the mail."""
    return Task("typeset", f"typeset:{document}", order_id, document.encode(), priority=40)
