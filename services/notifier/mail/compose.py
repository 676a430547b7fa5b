"""One mail: text and HTML from templates, the PDF attached, headers that nobody can break out of."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from unicodedata import normalize

from jinja2 import FileSystemLoader, StrictUndefined, Template, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notifier.domain.state import Mail
from services.notifier.mail.letters import Letter

_TEMPLATES = Path(__file__).parent / "templates"
_OWN_LETTERS = frozenset("ßẞς")
_QUOTED = frozenset('()<>@,:;.\\"[]')
_QUOTABLE_MAX = 50  # characters with their backslashes: so many stand whole on the header's first line


class Composer:
    """Writes mails from `sender` (an address, with a name or without). `reply_to` may be empty.

    `templates` is the shop's own folder: what it has goes before ours. For a credit note to a German reader
    these are tried in turn: `de/credit_note.html`, `credit_note.html`, `de/document.html`, `document.html`.
    """

    def __init__(self, sender: str, reply_to: str = "", templates: Path | None = None) -> None:
        self.sender = _address(sender)
        self._reply_to = _address(reply_to) if reply_to else None
        self._templates = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader([*([templates] if templates else []), _TEMPLATES]),
            autoescape=select_autoescape(("html",)),  # plain text must show a name as it is
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )

    def texts(self, letter: Letter) -> tuple[str, str]:
        """(text, HTML)."""
        return self._template(letter, "txt").render(letter.values), self._template(letter, "html").render(
            letter.values
        )

    def compose(self, letter: Letter, mail: Mail, pdf: bytes | None) -> EmailMessage:
        """The whole mail; the same letter gives the same Message-ID, date and texts each time.

        Raises ValueError when the recipient is not an address.
        """
        text, html = self.texts(letter)
        message = EmailMessage(policy=SMTP)
        message["Subject"] = letter.subject
        message["From"] = self.sender
        message["To"] = Address(display_name=_unquoted(letter.to), addr_spec=wire_address(mail.recipient))
        if self._reply_to:
            message["Reply-To"] = self._reply_to
        message["Message-ID"] = mail.message_id
        message["Date"] = format_datetime(mail.asked_at)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        message["X-Order-Id"] = letter.order  # comes back with a bounce
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        if pdf is not None:
            message.add_attachment(pdf, maintype="application", subtype="pdf", filename=letter.attachment)
        message["Content-Language"] = letter.reader.locale.replace("_", "-")
        return message

    def _template(self, letter: Letter, ending: str) -> Template:
        names = [
            f"{folder}{name}.{ending}"
            for name in (letter.kind, letter.layout)
            for folder in (f"{letter.reader.language}/", "")
        ]
        return self._templates.select_template(names)


def wire_address(address: str) -> str:
    """The address as mail servers without SMTPUTF8 take it: the domain in its ASCII form."""
    local, _, domain = address.partition("@")
    return f"{local}@{'.'.join(_ascii(label) for label in domain.split('.'))}"


def _ascii(label: str) -> str:
    """Letters of their own since IDNA 2008 stay what they are: the codec makes `ss` of `ß`, a stranger's."""
    if not _OWN_LETTERS.intersection(label):
        return label.encode("idna").decode("ascii")
    lower = normalize("NFC", "".join(letter.lower() for letter in label))
    return f"xn--{lower.encode('punycode').decode('ascii')}"


def _unquoted(name: str) -> str:
    """The name; a long one without what has to be quoted. The library breaks a long quoted name into lines
    without its quotes, and each comma in it then ends an address.
    """
    if len(name) + sum(name.count(c) for c in '\\"') <= _QUOTABLE_MAX:
        return name
    return " ".join("".join(" " if c in _QUOTED else c for c in name).split())


def _address(text: str) -> Address:
    name, address = parseaddr(text)
    return Address(display_name=name, addr_spec=address)
