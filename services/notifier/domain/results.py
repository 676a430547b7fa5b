"""Results of tasks: messages that never travel over Kafka."""

from typing import ClassVar, Literal

from shared.messages.base import Message


class Result(Message, frozen=True, kw_only=True):
    """The base of the results below: whose they are."""

    order_id: str


class DocumentResult(Result, frozen=True, kw_only=True):
    """What became of a document."""

    document_id: str


class DocumentRendered(DocumentResult, frozen=True, kw_only=True):
    """The PDF exists. `erased`: it was made of a content whose customer had been blanked."""

    TYPE: ClassVar[str] = "notifier.document_rendered.v1"

    pdf: bytes
    sha256: str
    erased: bool = False


class DocumentFailed(DocumentResult, frozen=True, kw_only=True):
    """The PDF could not be made, again and again."""

    TYPE: ClassVar[str] = "notifier.document_failed.v1"

    reason: str


class MailResult(Result, frozen=True, kw_only=True):
    """What became of one try. `message_id` tells it from a resend that was asked for meanwhile."""

    mail_id: str
    message_id: str
    answer: str


class MailTaken(MailResult, frozen=True, kw_only=True):
    """The mail server took the mail."""

    TYPE: ClassVar[str] = "notifier.mail_taken.v1"


class MailDeferred(MailResult, frozen=True, kw_only=True):
    """Not now. `away`: the server itself cannot be used; `later`: it asked to be asked again for this mail;
    `unclear`: the connection ended before its answer, so it may have taken the mail.
    """

    TYPE: ClassVar[str] = "notifier.mail_deferred.v1"

    why: Literal["away", "later", "unclear"]


class MailRefused(MailResult, frozen=True, kw_only=True):
    """The server will never take this mail for this recipient, or nobody can write it."""

    TYPE: ClassVar[str] = "notifier.mail_refused.v1"


class ReminderDue(Result, frozen=True, kw_only=True):
    """The deadline of a dispute comes near."""

    TYPE: ClassVar[str] = "notifier.reminder_due.v1"

    dispute: str
