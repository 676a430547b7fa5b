"""Hands one mail to the mail server and says, in our words, what came of it.

Each step of the dialogue means something else: a refusal of the recipient or of the mail concerns that mail
alone, everything before concerns the server or our settings and therefore every mail.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
)

Verdict = Literal["taken", "away", "later", "unclear", "refused"]
Step = Literal["server", "recipient", "message"]  # how far a dialogue got
ANSWER_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail goes. `security`: nothing, STARTTLS (required, never optional) or TLS from the start."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"] = "none"
    username: str = ""
    password: str = ""
    ca_file: str | None = None
    connect_timeout_s: float = 5.0
    step_timeout_s: float = 10.0
    total_timeout_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try. `answer` holds the server's words without the recipient's address."""

    verdict: Verdict
    answer: str


async def hand_over(server: Server, sender: str, recipient: str, message: bytes) -> Outcome:
    """Gives one mail to the server within the total time-out. Never raises for what a server can do."""
    client = _client(server)
    step: Step = "server"
    try:
        async with asyncio.timeout(server.total_timeout_s):
            await client.connect()
            await client.mail(sender, timeout=server.step_timeout_s)
            step = "recipient"
            await client.rcpt(recipient, timeout=server.step_timeout_s)
            step = "message"
            reply = await client.data(message, timeout=server.step_timeout_s)
        outcome = Outcome("taken", f"{reply.code} {reply.message}")
    except (SMTPException, OSError, TimeoutError) as error:
        outcome = _meaning(error, step)
    finally:
        await _hang_up(client)
    return Outcome(outcome.verdict, _cleaned(outcome.answer, recipient))


def _client(server: Server) -> SMTP:
    return SMTP(
        hostname=server.host,
        port=server.port,
        timeout=server.connect_timeout_s,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=ssl.create_default_context(cafile=server.ca_file) if server.security != "none" else None,
        username=server.username or None,
        password=server.password or None,
    )


async def _hang_up(client: SMTP) -> None:
    if client.is_connected:
        with suppress(SMTPException, OSError, TimeoutError):
            await client.quit(timeout=2)
    client.close()


def _cleaned(answer: str, recipient: str) -> str:
    hidden = answer.replace(recipient, "<recipient>")
    return "".join(c if c.isprintable() else " " for c in hidden)[:ANSWER_LENGTH_MAX]


def _meaning(error: Exception, step: Step) -> Outcome:
    """What an error at this step says about this mail."""
    answer = _words(error)
    if isinstance(error, SMTPResponseException) and error.code > 0:
        if step == "server" or error.code == 421:  # "closing transmission channel" is never about one mail
            return Outcome("away", answer)
        return Outcome("refused" if error.code >= 500 else "later", answer)
    # The message may have left whole: only the server's answer is missing.
    return Outcome("unclear" if step == "message" else "away", answer)


def _words(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"
    return f"{type(error).__name__}: {error}"
