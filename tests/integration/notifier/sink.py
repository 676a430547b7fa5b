"""A mail server that keeps what it takes, and misbehaves when it is told to."""

import asyncio
import email
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd import smtp


@dataclass(frozen=True)
class Delivered:
    """One mail as it arrived."""

    sender: str
    recipient: str
    message: EmailMessage

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def pdf(self) -> bytes:
        (attachment,) = self.message.iter_attachments()
        return bytes(attachment.get_content())


@dataclass
class Sink:
    """Listens on `port` while it is open. `answers` are given, one each time, before mails are taken."""

    port: int
    taken: list[Delivered] = field(default_factory=list)
    tries: int = 0
    rcpt_answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    data_answers: list[str] = field(default_factory=list)
    sender_answers: list[str] = field(default_factory=list)
    cut_after_data: int = 0  # so many mails are kept, and the connection ends before the answer
    silent: bool = False  # takes mails and says nothing
    server: asyncio.Server | None = None
    options: dict[str, Any] = field(default_factory=dict)
    _open: set[asyncio.BaseTransport] = field(default_factory=set)

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(self._protocol(), "127.0.0.1", self.port)

    async def close(self) -> None:
        """Gone, with every connection."""
        if self.server is not None:
            self.server.close()
            for transport in self._open:
                transport.close()
            self._open.clear()
            self.server = None
            await asyncio.sleep(0)

    def by_recipient(self) -> dict[str, list[Delivered]]:
        grouped: dict[str, list[Delivered]] = defaultdict(list)
        for mail in self.taken:
            grouped[mail.recipient].append(mail)
        return grouped

    def _protocol(self) -> Callable[[], smtp.SMTP]:
        return lambda: smtp.SMTP(self, hostname="sink.test", enable_SMTPUTF8=False, **self.options)

    # --- what aiosmtpd asks its handler; the names are its own ------------------------------------------

    async def handle_MAIL(self, server: Any, _: Any, envelope: Any, address: str, _o: Any) -> str:  # noqa: N802
        self.tries += 1
        self._open.add(server.transport)
        if self.sender_answers:
            return self.sender_answers.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, _s: Any, _: Any, envelope: Any, address: str, _o: Any) -> str:  # noqa: N802
        if self.rcpt_answers[address]:
            return self.rcpt_answers[address].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.data_answers:
            return self.data_answers.pop(0)
        message = email.message_from_bytes(envelope.content, policy=default)
        (recipient,) = envelope.rcpt_tos
        self.taken.append(Delivered(envelope.mail_from, recipient, message))
        if self.cut_after_data > 0:
            self.cut_after_data -= 1
            server.transport.abort()
        if self.silent:
            await asyncio.sleep(60)
        return f"250 taken as number {len(self.taken)}"
