"""The notifier's tasks: set a PDF, send a mail. Both outside any transaction."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncEngine

from services.notifier.documents.sheet import Sheet, Shop, sheet_of
from services.notifier.documents.typeset import Typesetter
from services.notifier.domain.results import (
    DocumentFailed,
    DocumentRendered,
    MailDeferred,
    MailRefused,
    MailTaken,
)
from services.notifier.domain.state import Mail
from services.notifier.links import Links
from services.notifier.mail.compose import Composer, wire_address
from services.notifier.mail.smtp import Outcome, Server, hand_over
from services.notifier.reads import Issued, read_document
from shared.database import AWAY
from shared.failpoints import passing
from shared.messages.base import Message
from shared.tasks import Answered, ClaimedTask, Later

log = structlog.get_logger()

MAILS = Counter("paystream_mails", "Tries to hand a mail to the server, by verdict", ["verdict"])
CLAIMS_MAX = 20  # about an hour; a document that still cannot be set is for a person


async def _read(engine: AsyncEngine, document_id: str) -> Issued | Later:
    """The document, or a short wait while the database is away."""
    try:
        async with engine.connect() as connection:
            issued = await read_document(connection, document_id)
    except AWAY as error:
        return Later(1.0, f"the database is away: {error!r:.200}")
    if issued is None:
        raise LookupError(f"no document {document_id}: its row is written with its task")
    return issued


@dataclass(frozen=True, slots=True)
class SetDocument:
    """Makes the PDF of a document in a thread. Doing it twice gives the same bytes."""

    engine: AsyncEngine
    shop: Shop
    typesetter: Typesetter
    threads: ThreadPoolExecutor

    async def __call__(self, task: ClaimedTask) -> Answered | Later:
        document_id = task.payload.decode()
        if task.claims > CLAIMS_MAX:
            reason = f"the document could not be set in {CLAIMS_MAX} tries"
            return Answered(DocumentFailed(order_id=task.subject, document_id=document_id, reason=reason))
        issued = await _read(self.engine, document_id)
        if isinstance(issued, Later):
            return issued
        sheet = sheet_of(issued.document, issued.placed, issued.paid, self.shop)
        pdf = await asyncio.get_running_loop().run_in_executor(self.threads, self.typesetter.pdf, sheet)
        digest = sha256(pdf).hexdigest()
        return Answered(
            DocumentRendered(order_id=task.subject, document_id=document_id, pdf=pdf, sha256=digest)
        )


@dataclass(frozen=True, slots=True)
class SendMail:
    """Hands one mail to the server.

    A mail server has no look-up: a try after one that ended unclearly may deliver twice, always with the
    same Message-ID and number, which is how a mailbox can tell.
    """

    engine: AsyncEngine
    shop: Shop
    composer: Composer
    server: Server
    links: Links
    threads: ThreadPoolExecutor

    async def __call__(self, task: ClaimedTask) -> Answered | Later:
        document_id = task.payload.decode()
        issued = await _read(self.engine, document_id)
        if isinstance(issued, Later):
            return issued
        mail, pdf = issued.document.mail, issued.pdf
        if mail is None or pdf is None:
            raise LookupError(f"document {document_id} has no mail or no PDF: the task comes after both")
        sheet = sheet_of(issued.document, issued.placed, issued.paid, self.shop)
        try:
            written = await asyncio.get_running_loop().run_in_executor(
                self.threads, self._written, issued, mail, sheet, pdf
            )
            recipient = wire_address(mail.recipient)
        except ValueError as error:  # an address that the mail library cannot write
            answer = f"the mail cannot be written: {type(error).__name__}"
            return Answered(MailRefused(order_id=task.subject, document_id=document_id, answer=answer))
        outcome = await hand_over(self.server, self.composer.sender.addr_spec, recipient, written)
        MAILS.labels(outcome.verdict).inc()
        if outcome.verdict == "taken":
            passing("notifier.after_smtp")
        else:
            log.warning(
                "a mail was not taken", verdict=outcome.verdict, reply=outcome.answer, document=document_id
            )
        return Answered(_result(outcome, task.subject, document_id))

    def _written(self, issued: Issued, mail: Mail, sheet: Sheet, pdf: bytes) -> bytes:
        link = self.links.url(issued.document.id, issued.document.issued_at)
        return self.composer.compose(issued.document, mail, sheet, link, pdf).as_bytes()


def _result(outcome: Outcome, order_id: str, document_id: str) -> Message:
    if outcome.verdict == "taken":
        return MailTaken(order_id=order_id, document_id=document_id, answer=outcome.answer)
    if outcome.verdict == "refused":
        return MailRefused(order_id=order_id, document_id=document_id, answer=outcome.answer)
    return MailDeferred(
        order_id=order_id, document_id=document_id, why=outcome.verdict, answer=outcome.answer
    )
