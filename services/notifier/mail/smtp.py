"""Hands one mail to the mail server and says, in our words, what came of it.

Each step of the dialogue means something else: a refusal of the recipient or of the mail concerns that mail
alone, everything before concerns the server or our settings and therefore every mail.
"""

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
)

from services.notifier.domain.addresses import without_addresses

Verdict = Literal["taken", "away", "later", "unclear", "refused"]
Step = Literal["server", "recipient", "message"]  # how far a dialogue got
ANSWER_LENGTH_MAX = 500
QUIT_SHARE = 0.1  # of the total time-out, after it: what came of the try must be told before its lease ends
# "Authentication required", "… needed", "… failed", "encryption required" (RFC 4954): about us, never them.
ABOUT_US = frozenset({421, 530, 534, 535, 538})
# Our own server does not know us (any more), and no address is at fault. It has no code of its own.
RELAY_DENIED = re.compile(
    r"\brelaying\b|\brelay (?:access|denied|not)\b|\b(?:to|not|cannot) relay\b", re.IGNORECASE
)


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
    """What came of one try. `answer` holds the server's words without any address."""

    verdict: Verdict
    answer: str


async def hand_over(server: Server, sender: str, recipient: str, message: bytes) -> Outcome:
    """Gives one mail to the server within the total time-out. Never raises for what a server can do."""
    client: SMTP | None = None
    step: Step = "server"
    try:
        client = _client(server)
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
        if client is not None:
            await _hang_up(client, QUIT_SHARE * server.total_timeout_s)
    return Outcome(outcome.verdict, _cleaned(outcome.answer))


def _client(server: Server) -> SMTP:
    return SMTP(
        hostname=server.host,
        port=server.port,
        timeout=server.connect_timeout_s,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=trusting(server.ca_file) if server.security != "none" else None,
        username=server.username or None,
        password=server.password or None,
    )


@cache
def trusting(ca_file: str | None) -> ssl.SSLContext:
    """TLS that knows the machine's authorities, or those in the file. Read once: it takes 20 ms.

    Raises OSError when the file cannot be used.
    """
    return ssl.create_default_context(cafile=ca_file)


async def _hang_up(client: SMTP, timeout_s: float) -> None:
    if client.is_connected:
        with suppress(SMTPException, OSError, TimeoutError):
            await client.quit(timeout=timeout_s)
    client.close()


def _cleaned(answer: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in answer)
    return without_addresses(printable)[:ANSWER_LENGTH_MAX]


def _meaning(error: Exception, step: Step) -> Outcome:
    """What an error at this step says about this mail."""
    answer = _words(error)
    if isinstance(error, SMTPResponseException) and error.code > 0:
        if step == "server" or error.code in ABOUT_US:
            return Outcome("away", answer)
        refused = error.code >= 500 and not RELAY_DENIED.search(without_addresses(answer))
        return Outcome("refused" if refused else "later", answer)
    # The message may have left whole: only the server's answer is missing.
    return Outcome("unclear" if step == "message" else "away", answer)


def _words(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"
    return f"{type(error).__name__}: {error}"
