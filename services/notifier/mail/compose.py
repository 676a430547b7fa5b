"""One mail: text and HTML from templates, the PDF attached, headers that nobody can break out of."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notifier.documents.sheet import Sheet, plain
from services.notifier.domain.state import Document, Mail

_TEMPLATES = Path(__file__).parent / "templates"
ROWS_MAX = 50  # the PDF has all of them
SUBJECT_LENGTH_MAX = 150


class Composer:
    """Writes mails from `sender` (an address, with a name or without). `reply_to` may be empty."""

    def __init__(self, sender: str, reply_to: str = "") -> None:
        self.sender = _address(sender)
        self._reply_to = _address(reply_to) if reply_to else None
        templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=select_autoescape(("html",)),  # plain text must show a name as it is
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._html = templates.get_template("receipt.html")
        self._text = templates.get_template("receipt.txt")

    def parts(self, sheet: Sheet, link: str) -> tuple[str, str, str]:
        """(subject, text, HTML). Values are data: no template ever sees what people typed."""
        words = sheet.reader.words
        title = sheet.title if sheet.reader.language != "en" else sheet.title.lower()
        subject = words.subject.format(
            title=title, shop=sheet.shop.name, total=sheet.total, number=sheet.number
        )
        greeting = words.greeting.format(name=sheet.customer) if sheet.customer else words.greeting_unnamed
        hidden = len(sheet.rows) - ROWS_MAX
        email = sheet.shop.email
        context = {
            "sheet": sheet,
            "words": words,
            "language": sheet.reader.language,
            "rows": sheet.rows[:ROWS_MAX],
            "hidden": sheet.reader.count(hidden) if hidden > 0 else "",
            "link": link,
            "preview": f"{sheet.total} · {sheet.paid_on}",
            "greeting": greeting,
            "intro": words.intro.format(total=sheet.total),
            "attached": words.attached.format(title=title),
            "questions": words.questions.format(email=email) if email else "",
            "imprint": ", ".join((sheet.shop.name, *sheet.shop.address)),
            "automatic": words.automatic.format(order=sheet.order, shop=sheet.shop.name),
        }
        subject = plain(subject, SUBJECT_LENGTH_MAX)
        return subject, self._text.render(context), self._html.render(context)

    def compose(self, document: Document, mail: Mail, sheet: Sheet, link: str, pdf: bytes) -> EmailMessage:
        """The whole mail; the same document gives the same Message-ID, date and texts each time.

        Raises ValueError when the recipient is not an address.
        """
        subject, text, html = self.parts(sheet, link)
        message = EmailMessage(policy=SMTP)
        message["Subject"] = subject
        message["From"] = self.sender
        message["To"] = Address(display_name=sheet.customer, addr_spec=wire_address(mail.recipient))
        if self._reply_to:
            message["Reply-To"] = self._reply_to
        message["Message-ID"] = mail.message_id
        message["Date"] = format_datetime(document.issued_at)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        message.add_attachment(
            pdf, maintype="application", subtype="pdf", filename=f"{document.kind}-{sheet.number}.pdf"
        )
        message["Content-Language"] = sheet.reader.locale.replace("_", "-")
        return message


def wire_address(address: str) -> str:
    """The address as mail servers without SMTPUTF8 take it: the domain in its ASCII form."""
    local, _, domain = address.partition("@")
    return f"{local}@{domain.encode('idna').decode('ascii')}"


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    return Address(display_name=name, addr_spec=address)
