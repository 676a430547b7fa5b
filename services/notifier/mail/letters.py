"""What a mail says: its subject and the values that its template shows. Pure."""

from dataclasses import dataclass, field
from typing import Any

from services.notifier.documents.plain import plain, provider_name
from services.notifier.documents.reader import Reader
from services.notifier.documents.sheet import Sheet
from services.notifier.documents.shop import Shop
from services.notifier.domain.state import Dispute, Mail, MailKind, Refund
from shared.messages.orders import OrderPlaced

ROWS_MAX = 50  # the PDF has all of them
SUBJECT_LENGTH_MAX = 150


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is written. `layout` is the template used when there is none for this kind alone."""

    kind: MailKind
    layout: str
    order: str
    reader: Reader
    to: str  # the name beside the address
    subject: str
    attachment: str = ""  # the name of its PDF
    values: dict[str, Any] = field(default_factory=dict)


def document_letter(sheet: Sheet, link: str) -> Letter:
    """Brings a document to the buyer. Values are data: no template ever sees what people typed."""
    words, reader = sheet.reader.words, sheet.reader
    title = sheet.title if reader.language != "en" else sheet.title.lower()
    subject = words.subject.format(title=title, shop=sheet.shop.name, total=sheet.total, number=sheet.number)
    hidden = len(sheet.rows) - ROWS_MAX
    own = {
        "sheet": sheet,
        "title": sheet.title,
        "rows": sheet.rows[:ROWS_MAX],
        "hidden": reader.count(hidden) if hidden > 0 else "",
        "link": link,
        "preview": f"{sheet.total} · {sheet.stamp.line}",
        "intro": sheet.intro,
        "attached": words.attached.format(title=title),
        "automatic": words.automatic.format(order=sheet.order, shop=sheet.shop.name),
    }
    return Letter(
        kind=sheet.kind,
        layout="document",
        order=sheet.order,
        reader=reader,
        to=sheet.customer,
        subject=plain(subject, SUBJECT_LENGTH_MAX),
        attachment=f"{sheet.kind}-{sheet.number}.pdf",
        values=_common(sheet.shop, reader, sheet.customer) | own,
    )


def returned_letter(mail: Mail, refund: Refund, placed: OrderPlaced, shop: Shop) -> Letter:
    """Tells the buyer that money which was not needed goes back, or that this did not work."""
    reader = shop.languages.reader_of(placed.locale)
    words = reader.words
    order, customer = plain(placed.order_id), plain(placed.customer.name, 120)
    total = reader.money(refund.amount, refund.currency)
    came_back = mail.kind == "surplus_refund_failed"
    subject = words.surplus_failed_subject if came_back else words.surplus_subject
    intro = words.surplus_failed_intro if came_back else words.surplus_intro
    own = {
        "title": words.surplus_failed_title if came_back else words.surplus_title,
        "preview": total,
        "total": total,
        "badge": "",
        "advice": "",
        "intro": intro.format(total=total, order=order),
        "facts": (
            (words.order, order),
            (words.refunded_with, provider_name(refund.provider)),
            (words.refund_reference, plain(refund.reference or refund.refund_id)),
        ),
        "automatic": words.notice_automatic.format(order=order, shop=shop.name),
    }
    return Letter(
        kind=mail.kind,
        layout="notice",
        order=order,
        reader=reader,
        to=customer,
        subject=plain(subject.format(total=total, shop=shop.name, order=order), SUBJECT_LENGTH_MAX),
        values=_common(shop, reader, customer) | own,
    )


def dispute_letter(mail: Mail, dispute: Dispute, order_id: str, shop: Shop) -> Letter:
    """Tells the merchant of a dispute, in the shop's own language: how much, why, until when, what to do.

    The subject has the deadline, so that it is seen in a list of mails.
    """
    reader = shop.languages.reader_of(shop.locale)
    words = reader.words
    order, provider = plain(order_id), provider_name(dispute.provider)
    total = reader.money(dispute.amount, dispute.currency)
    deadline = reader.moment(dispute.respond_by, shop.zone) if dispute.respond_by else ""
    until = words.dispute_until.format(deadline=deadline) if deadline and not dispute.outcome else ""
    reminder = mail.kind == "dispute_reminder"
    subject = words.dispute_reminder_subject if reminder else words.dispute_subject
    intro = words.inquiry_intro if dispute.kind == "inquiry" else words.dispute_intro
    facts = (
        (words.answer_by, deadline),
        (words.reason, plain(dispute.reason.replace("_", " "), 200)),
        (words.order, order),
        (words.paid_with, provider),
        (words.dispute_title, plain(dispute.dispute_id)),
    )
    own = {
        "title": words.dispute_title,
        "preview": " · ".join(filter(None, (total, until))),
        "total": total,
        "badge": until,
        "intro": (words.dispute_reminder_intro if reminder else intro).format(order=order, provider=provider),
        "advice": words.dispute_over if dispute.outcome else words.dispute_do.format(provider=provider),
        "facts": tuple((label, value) for label, value in facts if value),
        "questions": "",
        "automatic": words.dispute_automatic.format(shop=shop.name),
    }
    subject = ", ".join(filter(None, (subject.format(total=total, order=order), until)))
    return Letter(
        kind=mail.kind,
        layout="notice",
        order=order,
        reader=reader,
        to=plain(shop.name, 120),
        subject=plain(subject, SUBJECT_LENGTH_MAX),
        values=_common(shop, reader, "") | own,
    )


def _common(shop: Shop, reader: Reader, customer: str) -> dict[str, Any]:
    words = reader.words
    return {
        "shop": shop,
        "words": words,
        "language": reader.language,
        "greeting": words.greeting.format(name=customer) if customer else words.greeting_unnamed,
        "questions": words.questions.format(email=shop.email) if shop.email else "",
        "imprint": ", ".join((shop.name, *shop.address)),
    }
