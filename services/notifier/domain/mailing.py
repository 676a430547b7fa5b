"""The life of a mail, and what an answer of the mail server means for it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.notifier.domain.addresses import ADDRESS_LENGTH_MAX, is_address, pause_s
from services.notifier.domain.results import (
    DocumentFailed,
    DocumentRendered,
    MailDeferred,
    MailRefused,
    MailResult,
    MailTaken,
)
from services.notifier.domain.state import Document, Mail, MailKind, Order, natural_id, number_text
from shared.decision import Decision, Outgoing, Task
from shared.messages.base import Event
from shared.messages.notifier import NoticeFailed, NoticeSent, ReceiptFailed, ReceiptIssued, ReceiptSent

TOPIC = "notifier.events"
GIVE_UP = timedelta(days=4)  # RFC 5321, 4.5.4.1: "at least 4-5 days"
SET_AGAIN_S = 5.0  # the content is blanked in a moment
NOT_AN_ADDRESS = "not-an-address"
SETTLED = ("sent", "bounced", "parked")


@dataclass(frozen=True, slots=True)
class DueMail:
    """A mail that the facts call for."""

    payment_id: str
    kind: MailKind
    subject: str
    recipient: str


def new_mail(due: DueMail, domain: str, now: datetime) -> Mail | None:
    """The mail in its first state; none without an address, parked with an unusable one.

    The Message-ID depends on (payment, kind, subject) alone, so that a mail sent twice is seen to be one.
    """
    if not due.recipient:
        return None
    id_ = natural_id(due.payment_id, due.kind, due.subject)
    mail = Mail(
        id=id_,
        payment_id=due.payment_id,
        kind=due.kind,
        subject=due.subject,
        recipient=due.recipient[:ADDRESS_LENGTH_MAX],
        message_id=f"<{due.kind}.{id_}@{domain}>",
        asked_at=now,
    )
    return mail if is_address(due.recipient) else replace(mail, state="parked", last_answer=NOT_AN_ADDRESS)


# --- what happens to a document and its mail --------------------------------------------------------------


def on_document_rendered(order: Order, result: DocumentRendered, now: datetime) -> Decision[Order]:
    """The document exists from here on; its mail may go."""
    document = order.document(result.document_id)
    if document.state in ("rendered", "erased"):
        return Decision(order, outcome="ignored")
    if order.erased and not result.erased:  # it was being set while its customer was erased
        return Decision(order, tasks=(typeset_task(order.order_id, document.id, SET_AGAIN_S),))
    document = replace(document, state="rendered", sha256=result.sha256, pdf=result.pdf)
    issued = ReceiptIssued(
        order_id=order.order_id,
        kind=document.kind,
        subject=document.subject,
        number=_number(document),
        sha256=document.sha256,
        issued_at=document.issued_at,
    )
    decision = Decision(order.with_document(document), events=(_out(order, issued, now),))
    mail = order.mail(document.id)
    if mail is None or not mail.recipient:
        return decision
    if mail.state == "parked":  # its address could not be used from the start
        event = failed(decision.state, mail, mail.last_answer, now)
        return Decision(decision.state, events=(*decision.events, event))
    return Decision(decision.state, events=decision.events, tasks=(mail_task(order, mail),))


def on_document_failed(order: Order, result: DocumentFailed, now: datetime) -> Decision[Order]:
    """A person must look; the number stays with this document."""
    document = order.document(result.document_id)
    if document.state != "numbered":
        return Decision(order, outcome="ignored")
    document = replace(document, state="failed")
    event = _receipt_failed(order, document, result.reason)
    return Decision(order.with_document(document), events=(_out(order, event, now),))


def on_mail_taken(order: Order, result: MailTaken, now: datetime) -> Decision[Order]:
    """Sent is final until it bounces. Tries that were still planned are dropped."""
    mail = _mail_of(order, result)
    if mail is None or mail.state in ("sent", "bounced"):
        return Decision(order, outcome="ignored")
    mail = replace(mail, state="sent", attempts=mail.attempts + 1, last_answer=result.answer, settled_at=now)
    document = _document_of(order, mail)
    event: Event = NoticeSent(
        order_id=order.order_id,
        kind=mail.kind,
        subject=mail.subject,
        message_id=mail.message_id,
        sent_at=now,
    )
    if document is not None:
        event = ReceiptSent(
            order_id=order.order_id,
            kind=mail.kind,
            subject=mail.subject,
            number=_number(document),
            message_id=mail.message_id,
            sent_at=now,
        )
    dropped = (mail_task(order, mail).key,)
    return Decision(order.with_mail(mail), events=(_out(order, event, now),), dropped=dropped)


def on_mail_deferred(order: Order, result: MailDeferred, time_scale: float, now: datetime) -> Decision[Order]:
    """Tried again later under the same Message-ID and number, until it has been tried for days."""
    mail = _mail_of(order, result)
    if mail is None or mail.state in SETTLED:
        return Decision(order, outcome="ignored")
    if now - mail.asked_at > GIVE_UP / time_scale:
        return _parked(order, mail, f"given up: {result.answer}", now)
    mail = replace(mail, state="deferred", attempts=mail.attempts + 1, last_answer=result.answer)
    delay_s = pause_s(mail.message_id, result.why, mail.attempts, time_scale)
    return Decision(order.with_mail(mail), tasks=(mail_task(order, mail, delay_s),))


def on_mail_refused(order: Order, result: MailRefused, now: datetime) -> Decision[Order]:
    """Parked for this recipient alone."""
    mail = _mail_of(order, result)
    if mail is None or mail.state in SETTLED:
        return Decision(order, outcome="ignored")
    return _parked(order, mail, result.answer, now)


def mail_task(order: Order, mail: Mail, delay_s: float = 0.0) -> Task:
    """Sends one mail."""
    return Task("mail", f"mail:{mail.id}", order.order_id, mail.id.encode(), delay_s=delay_s, priority=50)


def typeset_task(order_id: str, document: str, delay_s: float = 0.0) -> Task:
    """Makes the PDF; its result lets the mail go."""
    return Task("typeset", f"typeset:{document}", order_id, document.encode(), delay_s, priority=40)


def failed(order: Order, mail: Mail, reason: str, now: datetime) -> Outgoing:
    """The announcement that a mail cannot be delivered."""
    document = _document_of(order, mail)
    event: Event = NoticeFailed(order_id=order.order_id, kind=mail.kind, subject=mail.subject, reason=reason)
    if document is not None:
        event = _receipt_failed(order, document, reason)
    return _out(order, event, now)


def _parked(order: Order, mail: Mail, answer: str, now: datetime) -> Decision[Order]:
    mail = replace(mail, state="parked", attempts=mail.attempts + 1, last_answer=answer, settled_at=now)
    return Decision(order.with_mail(mail), events=(failed(order, mail, answer, now),))


def _mail_of(order: Order, result: MailResult) -> Mail | None:
    """The mail that was tried; None when it was asked for anew since: the newer try decides."""
    mail = order.mail(result.mail_id)
    if mail is None:
        raise ValueError(f"there is no mail {result.mail_id}, so nobody can have answered it")
    return mail if mail.message_id == result.message_id else None


def _document_of(order: Order, mail: Mail) -> Document | None:
    return next((d for d in order.documents if d.id == mail.id), None)


def _number(document: Document) -> str:
    if document.number is None:
        raise ValueError(f"document {document.id} has no number yet")
    return number_text(document.series, document.number)


def _receipt_failed(order: Order, document: Document, reason: str) -> ReceiptFailed:
    return ReceiptFailed(
        order_id=order.order_id,
        kind=document.kind,
        subject=document.subject,
        number=_number(document),
        reason=reason,
    )


def _out(order: Order, event: Event, now: datetime) -> Outgoing:
    return Outgoing(TOPIC, order.order_id, event, now)
