"""The notifier's tasks: set a PDF, send a mail, wait for a deadline. All outside any transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.notifier.documents.sheet import Sheet, sheet_of
from services.notifier.documents.shop import Shop
from services.notifier.documents.typeset import Typesetter
from services.notifier.domain.results import (
    DocumentFailed,
    DocumentRendered,
    MailDeferred,
    MailRefused,
    MailTaken,
    ReminderDue,
)
from services.notifier.links import Links
from services.notifier.mail.compose import Composer, wire_address
from services.notifier.mail.letters import Letter, dispute_letter, document_letter, returned_letter
from services.notifier.mail.smtp import Outcome, Server, hand_over
from services.notifier.reads import Issued, Posting, read_document, read_mail
from shared.database import AWAY, caused_by_message
from shared.failpoints import passing
from shared.messages.base import Message
from shared.tasks import Answered, ClaimedTask, Later

log = structlog.get_logger()

T = TypeVar("T")

MAILS = Counter("paystream_mails", "Tries to hand a mail to the server, by verdict", ["verdict"])
CLAIMS_MAX = 20  # about an hour; a document that still cannot be set is for a person


async def _read(
    engine: AsyncEngine, read: Callable[[AsyncConnection, str], Awaitable[T | None]], id_: str
) -> T | Later:
    """The document or mail, or a short wait while the database is away; it counts as no try."""
    try:
        async with engine.connect() as connection:
            found = await read(connection, id_)
    except AWAY as error:
        if caused_by_message(error):
            raise
        return Later(1.0, f"the database is away: {error!r:.200}", unbegun=True)
    if found is None:
        raise LookupError(f"there is no {id_}: its row is written with its task")
    return found


def _sheet(issued: Issued, shop: Shop) -> Sheet:
    return sheet_of(issued.document, issued.placed, issued.paid, shop, issued.refund, issued.before)


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
        issued = await _read(self.engine, read_document, document_id)
        if isinstance(issued, Later):
            return issued
        sheet = _sheet(issued, self.shop)
        pdf = await asyncio.get_running_loop().run_in_executor(self.threads, self.typesetter.pdf, sheet)
        digest = sha256(pdf).hexdigest()
        return Answered(
            DocumentRendered(
                order_id=task.subject,
                document_id=document_id,
                pdf=pdf,
                sha256=digest,
                erased=issued.placed.erased,
            )
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
        posting = await _read(self.engine, read_mail, task.payload.decode())
        if isinstance(posting, Later):
            return posting
        if task.claims > CLAIMS_MAX:
            return _refused(posting, f"the mail could not be written in {CLAIMS_MAX} tries")
        return await self.send(posting)

    async def send(self, posting: Posting) -> Answered:
        """Writes the mail and hands it over; refused when there is nobody whom it can go to."""
        mail = posting.mail
        if not mail.recipient:
            return _refused(posting, "its customer was erased while it waited")
        try:
            written = await asyncio.get_running_loop().run_in_executor(self.threads, self._written, posting)
            recipient = wire_address(mail.recipient)
        except ValueError as error:  # an address that the mail library cannot write
            return _refused(posting, f"the mail cannot be written: {type(error).__name__}")
        outcome = await hand_over(self.server, self.composer.sender.addr_spec, recipient, written)
        MAILS.labels(outcome.verdict).inc()
        if outcome.verdict == "taken":
            passing("notifier.after_smtp")
        else:
            log.warning("a mail was not taken", verdict=outcome.verdict, reply=outcome.answer, mail=mail.id)
        return Answered(_result(outcome, posting))

    def _written(self, posting: Posting) -> bytes:
        issued = posting.issued
        pdf = issued.pdf if issued else None
        if issued and pdf is None:
            raise LookupError(f"document {issued.document.id} has no PDF: the mail comes after it")
        return self.composer.compose(self._letter(posting), posting.mail, pdf).as_bytes()

    def _letter(self, posting: Posting) -> Letter:
        mail, issued = posting.mail, posting.issued
        if issued is not None:
            link = self.links.url(issued.document.id, mail.asked_at)
            return document_letter(_sheet(issued, self.shop), link)
        if posting.returned is not None:
            return returned_letter(mail, *posting.returned, self.shop)
        if posting.dispute is not None:
            return dispute_letter(mail, posting.dispute, posting.order_id, self.shop)
        raise LookupError(f"mail {mail.id} speaks of nothing")


async def remind(task: ClaimedTask) -> Answered:
    """The task waited until the deadline came near; the decider knows whether that still matters."""
    return Answered(ReminderDue(order_id=task.subject, dispute=task.payload.decode()))


def _refused(posting: Posting, answer: str) -> Answered:
    mail = posting.mail
    result = MailRefused(
        order_id=posting.order_id, mail_id=mail.id, message_id=mail.message_id, answer=answer
    )
    return Answered(result)


def _result(outcome: Outcome, posting: Posting) -> Message:
    mail, order_id, answer = posting.mail, posting.order_id, outcome.answer
    if outcome.verdict == "taken":
        return MailTaken(order_id=order_id, mail_id=mail.id, message_id=mail.message_id, answer=answer)
    if outcome.verdict == "refused":
        return MailRefused(order_id=order_id, mail_id=mail.id, message_id=mail.message_id, answer=answer)
    return MailDeferred(
        order_id=order_id,
        mail_id=mail.id,
        message_id=mail.message_id,
        why=outcome.verdict,
        answer=answer,
    )
