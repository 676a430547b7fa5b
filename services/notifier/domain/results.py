"""Results of tasks: messages that never travel over Kafka."""

from typing import ClassVar, Literal

from shared.messages.base import Message


class DocumentResult(Message, frozen=True, kw_only=True):
    """The base of the results below: which document of which order."""

    order_id: str
    document_id: str


class DocumentRendered(DocumentResult, frozen=True, kw_only=True):
    """The PDF exists."""

    TYPE: ClassVar[str] = "notifier.document_rendered.v1"

    pdf: bytes
    sha256: str


class DocumentFailed(DocumentResult, frozen=True, kw_only=True):
    """The PDF could not be made, again and again."""

    TYPE: ClassVar[str] = "notifier.document_failed.v1"

    reason: str


class MailTaken(DocumentResult, frozen=True, kw_only=True):
    """The mail server took the mail."""

    TYPE: ClassVar[str] = "notifier.mail_taken.v1"

    answer: str


class MailDeferred(DocumentResult, frozen=True, kw_only=True):
    """Not now. `away`: the server itself cannot be used; `later`: it asked to be asked again for this mail;
    `unclear`: the connection ended before its answer, so it may have taken the mail.
    """

    TYPE: ClassVar[str] = "notifier.mail_deferred.v1"

    why: Literal["away", "later", "unclear"]
    answer: str


class MailRefused(DocumentResult, frozen=True, kw_only=True):
    """The server will never take this mail for this recipient."""

    TYPE: ClassVar[str] = "notifier.mail_refused.v1"

    answer: str
