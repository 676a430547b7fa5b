"""The SMTP side: takes messages, or misbehaves as told."""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from devstack.mailbox.behaviour import Conduct
from devstack.mailbox.messages import Mailbox

SIZE_MAX_BYTES = 25_000_000  # what common mail servers take


class Reception:
    """aiosmtpd's handler: what to answer to RCPT and DATA."""

    def __init__(self, mailbox: Mailbox, conduct: Conduct) -> None:
        self._mailbox = mailbox
        self._conduct = conduct

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        refusal = self._conduct.refusal("rcpt", address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        recipients = [str(address) for address in envelope.rcpt_tos]
        for address in recipients:
            refusal = self._conduct.refusal("data", address)
            if refusal:
                return refusal
        if self._conduct.behaviour.delay_s:
            self._conduct.shown["delayed"] += 1
            await asyncio.sleep(self._conduct.behaviour.delay_s)
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        entry = self._mailbox.keep(str(envelope.mail_from or ""), recipients, raw)
        if self._conduct.behaviour.lose_answers:
            self._conduct.shown["answers_lost"] += 1
            _cut(server)
        return f"250 kept as {entry.id}"


class Connection(SMTP):
    """One client's connection, which may be cut in the middle."""

    def __init__(self, reception: Reception, conduct: Conduct, **options: Any) -> None:
        super().__init__(reception, **options)
        self._conduct = conduct
        self._received_bytes = 0

    def data_received(self, data: bytes) -> None:
        limit = self._conduct.behaviour.cut_after_bytes
        self._received_bytes += len(data)
        if limit is not None and self._received_bytes > limit:
            self._conduct.shown["cut"] += 1
            _cut(self)
            return
        super().data_received(data)


def _cut(server: SMTP) -> None:
    """Ends the connection at once, as a crash of this server would."""
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()


async def listen(host: str, port: int, mailbox: Mailbox, conduct: Conduct) -> asyncio.Server:
    reception = Reception(mailbox, conduct)

    def connection() -> Connection:
        return Connection(
            reception,
            conduct,
            hostname="mailbox.localhost",
            ident="Paystream mailbox",
            data_size_limit=SIZE_MAX_BYTES,
            enable_SMTPUTF8=True,
        )

    return await asyncio.get_running_loop().create_server(connection, host, port)
