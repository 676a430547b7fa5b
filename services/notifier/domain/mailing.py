"""Whether, to whom and when a mail goes; what an answer of the mail server means for it."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b

from services.notifier.domain.results import (
    DocumentFailed,
    DocumentRendered,
    MailDeferred,
    MailRefused,
    MailTaken,
)
from services.notifier.domain.state import Document, Kind, Mail, Order, number_text
from shared.decision import Decision, Outgoing, Task
from shared.messages.base import Event
from shared.messages.notifier import ReceiptFailed, ReceiptIssued, ReceiptSent

TOPIC = "notifier.events"
GIVE_UP = timedelta(days=4)  # RFC 5321, 4.5.4.1: "at least 4-5 days"
ADDRESS_LENGTH_MAX = 254  # RFC 3696 erratum 1690
NOT_AN_ADDRESS = "not-an-address"


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling pauses from `first_s` up to `cap_s`."""

    first_s: float
    cap_s: float


# A server that is away serves everybody when it is back, so we look often; one that asks for patience for
# one recipient (greylisting, a full mailbox) mostly means minutes.
PAUSES = {"away": Backoff(2.0, 60.0), "unclear": Backoff(5.0, 300.0), "later": Backoff(15.0, 900.0)}

# One plain address: no spaces or control characters, no second address, no quoting, no comments.
_ADDRESS = re.compile(
    r"""[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)*[^\W_][\w-]*"""
)


def is_address(text: str) -> bool:
    """Whether mail can be sent to exactly this one address, and to nobody else."""
    local, _, _ = text.partition("@")
    dots_ok = not (local.startswith(".") or local.endswith(".") or ".." in local)
    return len(text) <= ADDRESS_LENGTH_MAX and dots_ok and _ADDRESS.fullmatch(text) is not None


def first_mail(kind: Kind, document: str, email: str, domain: str) -> Mail | None:
    """The mail that goes with a new document; none without an address, parked with an unusable one.

    The Message-ID depends on (payment, kind, subject) alone, so that a mail sent twice is seen to be one.
    """
    if not email:
        return None
    message_id = f"<{kind}.{document}@{domain}>"
    if is_address(email):
        return Mail(email, message_id)
    return Mail(email[:ADDRESS_LENGTH_MAX], message_id, state="parked", last_answer=NOT_AN_ADDRESS)


def pause_s(message_id: str, why: str, attempts: int, time_scale: float) -> float:
    """Seconds until the next try: doubled each time, capped, spread by a quarter either way.

    The spread comes from the message and the attempt, so it is the same in every replay.
    """
    backoff = PAUSES[why]
    plain = min(backoff.cap_s, backoff.first_s * 2.0 ** min(attempts - 1, 30))
    digest = blake2b(f"{message_id}/{attempts}".encode(), digest_size=2).digest()
    spread = 0.75 + int.from_bytes(digest) / 0xFFFF / 2
    return plain * spread / time_scale


# --- what happens to a document and its mail --------------------------------------------------------------


def on_document_rendered(order: Order, result: DocumentRendered, now: datetime) -> Decision[Order]:
    """The document exists from here on; its mail may go."""
    document = order.document(result.document_id)
    if document.state == "rendered":
        return Decision(order, outcome="ignored")
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
    mail = document.mail
    if mail is None:
        return decision
    if mail.state == "parked":  # its address could not be used from the start
        failed = _failed(order, document, mail.last_answer, now)
        return Decision(decision.state, events=(*decision.events, failed))
    return Decision(decision.state, events=decision.events, tasks=(mail_task(order, document),))


def on_document_failed(order: Order, result: DocumentFailed, now: datetime) -> Decision[Order]:
    """A person must look; the number stays with this document."""
    document = order.document(result.document_id)
    if document.state != "numbered":
        return Decision(order, outcome="ignored")
    document = replace(document, state="failed")
    return Decision(order.with_document(document), events=(_failed(order, document, result.reason, now),))


def on_mail_taken(order: Order, result: MailTaken, now: datetime) -> Decision[Order]:
    """Sent is final. Tries that were still planned are dropped."""
    document, mail = _mail_of(order, result.document_id)
    if mail.state == "sent":
        return Decision(order, outcome="ignored")
    mail = replace(mail, state="sent", attempts=mail.attempts + 1, last_answer=result.answer, settled_at=now)
    document = replace(document, mail=mail)
    sent = ReceiptSent(
        order_id=order.order_id,
        kind=document.kind,
        subject=document.subject,
        number=_number(document),
        message_id=mail.message_id,
        sent_at=now,
    )
    dropped = (mail_task(order, document).key,)
    return Decision(order.with_document(document), events=(_out(order, sent, now),), dropped=dropped)


def on_mail_deferred(order: Order, result: MailDeferred, time_scale: float, now: datetime) -> Decision[Order]:
    """Tried again later under the same Message-ID and number, until it has been tried for days."""
    document, mail = _mail_of(order, result.document_id)
    if mail.state in ("sent", "parked"):
        return Decision(order, outcome="ignored")
    if now - document.issued_at > GIVE_UP / time_scale:
        return _parked(order, document, mail, f"given up: {result.answer}", now)
    mail = replace(mail, state="deferred", attempts=mail.attempts + 1, last_answer=result.answer)
    document = replace(document, mail=mail)
    delay_s = pause_s(mail.message_id, result.why, mail.attempts, time_scale)
    return Decision(order.with_document(document), tasks=(mail_task(order, document, delay_s),))


def on_mail_refused(order: Order, result: MailRefused, now: datetime) -> Decision[Order]:
    """Parked for this recipient alone."""
    document, mail = _mail_of(order, result.document_id)
    if mail.state in ("sent", "parked"):
        return Decision(order, outcome="ignored")
    return _parked(order, document, mail, result.answer, now)


def mail_task(order: Order, document: Document, delay_s: float = 0.0) -> Task:
    """Sends the mail of one document."""
    payload = document.id.encode()
    return Task("mail", f"mail:{document.id}", order.order_id, payload, delay_s=delay_s, priority=50)


def _parked(order: Order, document: Document, mail: Mail, answer: str, now: datetime) -> Decision[Order]:
    mail = replace(mail, state="parked", attempts=mail.attempts + 1, last_answer=answer, settled_at=now)
    document = replace(document, mail=mail)
    return Decision(order.with_document(document), events=(_failed(order, document, answer, now),))


def _mail_of(order: Order, document_id: str) -> tuple[Document, Mail]:
    document = order.document(document_id)
    if document.mail is None:
        raise ValueError(f"document {document_id} has no mail, so nobody can have answered it")
    return document, document.mail


def _number(document: Document) -> str:
    if document.number is None:
        raise ValueError(f"document {document.id} has no number yet")
    return number_text(document.series, document.number)


def _failed(order: Order, document: Document, reason: str, now: datetime) -> Outgoing:
    event = ReceiptFailed(
        order_id=order.order_id,
        kind=document.kind,
        subject=document.subject,
        number=_number(document),
        reason=reason,
    )
    return _out(order, event, now)


def _out(order: Order, event: Event, now: datetime) -> Outgoing:
    return Outgoing(TOPIC, order.order_id, event, now)
