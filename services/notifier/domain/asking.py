"""What people and bounces say of a mail that was sent: send it again, it came back."""

from dataclasses import replace
from datetime import datetime

from services.notifier.domain.addresses import is_address, without_addresses
from services.notifier.domain.mailing import failed, mail_task, typeset_task
from services.notifier.domain.state import Document, Mail, Order, Resend
from shared.decision import Decision, Outgoing
from shared.messages.notifier import RecordBounce, ResendDocument, ResendRefused

TOPIC = "notifier.events"


def on_resend_document(order: Order, command: ResendDocument, now: datetime) -> Decision[Order]:
    """The same mail again, once per nonce, under a Message-ID of its own: a mailbox that has the first
    one must not swallow it. The document and its number stay; one whose PDF could not be made is set
    again, and its mail follows.
    """
    document = next(
        (d for d in order.documents if (d.kind, d.subject) == (command.kind, command.subject)), None
    )
    mail = next((m for m in order.mails if (m.kind, m.subject) == (command.kind, command.subject)), None)
    if mail is not None and any(resend.nonce == command.nonce for resend in mail.resends):
        return Decision(order, outcome="ignored")
    resend = Resend(command.nonce, command.person, now)
    if document is not None and document.state == "failed":
        return _set_again(order, document, mail, resend)
    if mail is None:
        why = "the order has no e-mail address" if document else "there is no such document or mail"
        return _refused(order, command, why, now)
    if why := _why_not(document, mail):
        return _refused(order, command, why, now)
    mail = _asked_again(mail, resend)
    return Decision(order.with_mail(mail), tasks=(mail_task(order, mail),))


def _why_not(document: Document | None, mail: Mail) -> str:
    """Why this mail cannot go again; empty when it can."""
    if not mail.recipient:
        return "its customer was erased: there is no address any more"
    if not is_address(mail.recipient):
        return "the address it was ordered with is none that mails go to"
    if document is not None and document.state != "rendered":
        return "the document has no PDF yet: its mail goes when it has"
    return ""


def on_record_bounce(order: Order, command: RecordBounce, now: datetime) -> Decision[Order]:
    """A mail that the server took came back: it is known not to have arrived."""
    mail = next((m for m in order.mails if m.message_id == command.message_id), None)
    if mail is None or mail.state == "bounced":
        return Decision(order, outcome="ignored")
    answer = without_addresses(command.reason)[:500]
    mail = replace(mail, state="bounced", last_answer=answer, settled_at=now)
    event = failed(order, mail, f"bounced: {answer}", now)
    return Decision(order.with_mail(mail), events=(event,), dropped=(mail_task(order, mail).key,))


def _set_again(order: Order, document: Document, mail: Mail | None, resend: Resend) -> Decision[Order]:
    order = order.with_document(replace(document, state="numbered"))
    if mail is not None and is_address(mail.recipient):
        order = order.with_mail(_asked_again(mail, resend))
    return Decision(order, tasks=(typeset_task(order.order_id, document.id),))


def _asked_again(mail: Mail, resend: Resend) -> Mail:
    local, at, domain = mail.message_id.partition("@")
    stem = local if not mail.resends else local.rpartition(".")[0]
    return replace(
        mail,
        state="waiting",
        message_id=f"{stem}.{len(mail.resends) + 1}{at}{domain}",
        asked_at=resend.asked_at,
        settled_at=None,
        resends=(*mail.resends, resend),
    )


def _refused(order: Order, command: ResendDocument, why: str, now: datetime) -> Decision[Order]:
    event = ResendRefused(
        order_id=order.order_id,
        kind=command.kind,
        subject=command.subject,
        nonce=command.nonce,
        reason=why,
    )
    return Decision(order, events=(Outgoing(TOPIC, order.order_id, event, now),))
