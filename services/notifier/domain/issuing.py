"""Which documents and mails the known facts call for, and which of them are still to be made.

What is due is a pure function of the facts, and each is made once per (payment, kind, subject): whatever
the order, number or concurrency of the events, the end is the same. A repetition finds what the first one
made, and the database's unique keys stand behind that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from services.notifier.domain.mailing import DueMail, failed, mail_task, new_mail, typeset_task
from services.notifier.domain.state import (
    Document,
    DocumentKind,
    Issues,
    Order,
    Paid,
    Refund,
    natural_id,
    series_of,
)
from shared.decision import Decision
from shared.messages.orders import OrderPlaced
from shared.messages.payments import PaymentPaid, PaymentSnapshot, RefundFailed, RefundSucceeded

_SERIES: Mapping[DocumentKind, str] = {
    "receipt": "R",
    "invoice": "R",
    "credit_note": "C",
    "cancellation": "X",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The shop's own choices. Intervals are divided by `time_scale`.

    `zone` and `year_starts` (month, day) decide the year in a number. Without `merchant_email` nobody is
    told of disputes.
    """

    zone: tzinfo
    mail_domain: str
    issues: Issues = "receipt"
    series: Mapping[DocumentKind, str] = field(default_factory=lambda: _SERIES)
    year_starts: tuple[int, int] = (1, 1)
    merchant_email: str = ""
    time_scale: float = 1.0


# --- what is heard ------------------------------------------------------------------------------------------


def on_order_placed(order: Order, placed: OrderPlaced, rules: Rules, now: datetime) -> Decision[Order]:
    """Keeps every numbered content; issues what waited for it.

    What a shop announces without a number comes again, numbered, once payments has accepted it.
    """
    if placed.revision is None or placed.revision in order.contents:
        return Decision(order, outcome="ignored")
    contents = {**order.contents, placed.revision: placed}
    return make_what_is_due(replace(order, contents=contents), rules, now)


def on_payment_paid(order: Order, event: PaymentPaid, rules: Rules, now: datetime) -> Decision[Order]:
    """Remembers the payment and issues its document, or waits for the content that it names."""
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
        captured=_captured(payment),
        issues=rules.issues,
    )
    return make_what_is_due(replace(order, paid=paid), rules, now)


def on_refund_succeeded(order: Order, event: RefundSucceeded, rules: Rules, now: datetime) -> Decision[Order]:
    """Remembers that money goes back. A provider may tell of it after it told that it failed."""
    refund = _refund_in(event, order)
    at = event.payment.updated_at
    refund = replace(refund, succeeded_at=refund.succeeded_at or at)
    if event.refund.state == "failed":
        refund = replace(refund, failed_at=refund.failed_at or at)
    return _with_refund(order, refund, rules, now)


def on_refund_failed(order: Order, event: RefundFailed, rules: Rules, now: datetime) -> Decision[Order]:
    """Remembers that money did not go back, or came back; that alone is worth no document."""
    refund = _refund_in(event, order)
    refund = replace(refund, failed_at=refund.failed_at or event.payment.updated_at)
    return _with_refund(order, refund, rules, now)


def _captured(payment: PaymentSnapshot) -> int:
    """What the capture that stands took: less than the order's amount when a part was released."""
    standing = (payment.provider, payment.charge_id)
    found = next((c.amount for c in payment.charges if (c.provider, c.charge_id) == standing), None)
    return payment.amount if found is None else found


def _refund_in(event: RefundSucceeded | RefundFailed, order: Order) -> Refund:
    told, payment = event.refund, event.payment
    known = order.refunds.get(told.refund_id)
    if known is not None:
        return replace(known, reference=known.reference or told.provider_refund_id or "")
    return Refund(
        refund_id=told.refund_id,
        payment_id=payment.payment_id,
        provider=told.provider,
        amount=told.amount,
        currency=told.currency,
        stood=(told.provider, told.charge_id) == (payment.provider, payment.charge_id),
        revision=payment.revision,
        reason=told.reason,
        reference=told.provider_refund_id or "",
    )


def _with_refund(order: Order, refund: Refund, rules: Rules, now: datetime) -> Decision[Order]:
    if order.refunds.get(refund.refund_id) == refund:
        return Decision(order, outcome="ignored")
    refunds = {**order.refunds, refund.refund_id: refund}
    return make_what_is_due(replace(order, refunds=refunds), rules, now)


# --- what is due --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DueDocument:
    kind: DocumentKind
    subject: str
    dated_at: datetime


def content_for(order: Order, paid: Paid) -> OrderPlaced | None:
    """The content that was paid for, or None while it has not been seen. Never one of another amount."""
    found = order.contents.get(paid.revision)
    if found is None or (found.amount, found.currency) != (paid.amount, paid.currency):
        return None
    return found


def buyers_address(order: Order, placed: OrderPlaced) -> str:
    """Where mails to the buyer go; nowhere once they are erased, also while the content is being blanked."""
    return "" if order.erased else placed.customer.email


def due_documents(order: Order, paid: Paid) -> Iterator[DueDocument]:
    """A document for the payment; a credit note for each refund of it; its cancellation when that failed."""
    if paid.issues == "off":
        return
    yield DueDocument(paid.issues, paid.payment_id, paid.paid_at)
    for refund in order.refunds.values():
        if refund.stood and refund.succeeded_at:
            yield DueDocument("credit_note", refund.refund_id, refund.succeeded_at)
            if refund.failed_at:
                yield DueDocument("cancellation", refund.refund_id, refund.failed_at)


def due_mails(order: Order, rules: Rules) -> Iterator[DueMail]:
    """Mails that bring no document: money that was not needed goes back; a dispute was opened.

    A capture that never stood was never invoiced, so its refund is credited nowhere: its buyer gets a mail.
    """
    for refund in order.refunds.values():
        placed = order.contents.get(refund.revision)
        if refund.stood or refund.succeeded_at is None or placed is None:
            continue
        recipient = buyers_address(order, placed)
        yield DueMail(refund.payment_id, "surplus_refund", refund.refund_id, recipient)
        if refund.failed_at:
            yield DueMail(refund.payment_id, "surplus_refund_failed", refund.refund_id, recipient)
    for dispute in order.disputes.values():
        if dispute.opened:
            yield DueMail(dispute.payment_id, "dispute", dispute.subject, rules.merchant_email)


def make_what_is_due(order: Order, rules: Rules, now: datetime) -> Decision[Order]:
    """Makes what is due and does not exist yet: documents with their mails, and mails without one."""
    decision = Decision(order)
    paid = order.paid
    placed = content_for(order, paid) if paid else None
    if paid and placed:
        made = {d.id for d in order.documents}
        for due in due_documents(order, paid):
            if natural_id(paid.payment_id, due.kind, due.subject) not in made:
                decision = decision.then(_issue(decision.state, due, paid, placed, rules, now))
    for mail in due_mails(order, rules):
        decision = decision.then(send_once(decision.state, mail, rules, now))
    return decision


def send_once(order: Order, due: DueMail, rules: Rules, now: datetime) -> Decision[Order]:
    """A mail without a document, unless it was made before; none without an address."""
    if order.mail(natural_id(due.payment_id, due.kind, due.subject)) is not None:
        return Decision(order)
    mail = new_mail(due, rules.mail_domain, now)
    if mail is None:
        return Decision(order)
    order = order.with_mail(mail)
    if mail.state == "parked":
        return Decision(order, events=(failed(order, mail, mail.last_answer, now),))
    return Decision(order, tasks=(mail_task(order, mail),))


def _issue(
    order: Order, due: DueDocument, paid: Paid, placed: OrderPlaced, rules: Rules, now: datetime
) -> Decision[Order]:
    document = Document(
        id=natural_id(paid.payment_id, due.kind, due.subject),
        payment_id=paid.payment_id,
        kind=due.kind,
        subject=due.subject,
        series=series_of(rules.series[due.kind], due.dated_at, rules.zone, rules.year_starts),
        revision=paid.revision,
        dated_at=due.dated_at,
        issued_at=now,
    )
    mail = new_mail(
        DueMail(paid.payment_id, due.kind, due.subject, buyers_address(order, placed)), rules.mail_domain, now
    )
    order = order.with_document(document)
    tasks = (typeset_task(order.order_id, document.id),)
    return Decision(order.with_mail(mail) if mail else order, tasks=tasks)
