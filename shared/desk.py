"""A service's parts in the hands of an operator: built from the same settings, never started as a service."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError
from rich.console import Console

from shared.database import AWAY, sqlstate
from shared.errors import PaystreamError
from shared.service import Kit

T = TypeVar("T")

REFUSED = 1  # a rule says no, or what was asked for does not exist
WRONG = 2  # a setting or an argument is wrong
KAFKA_WAIT_S = 10.0
AWAY_CODE = 3  # a server does not answer; what was asked for may be asked again


def configured(service: str) -> bool:
    """Whether this environment has any settings of the service."""
    return any(v and name.startswith(f"{service.upper()}_") for name, v in os.environ.items())


def at_desk(build: Callable[[], Kit], work: Callable[[Kit], Awaitable[T]]) -> T:
    """What `work` gives; what keeps it from that is one clear line and an exit code."""

    async def life() -> T:
        kit = build()
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
        )  # for a person
        try:
            return await work(kit)
        finally:
            for close in kit.stopping:
                await close()
            await kit.engine.dispose()

    try:
        return asyncio.run(life())
    except PaystreamError as error:
        raise gone(f"{error.code}: {error.detail}", REFUSED) from None
    except AWAY as error:
        raise gone(_away(error), AWAY_CODE) from None


def printable(text: str | bytes) -> str:
    """A text from outside that no terminal obeys: control characters and bad UTF-8 are shown, not sent."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def terminal() -> Console:
    """Prints tables as they are: brackets in a provider's words are no markup. Wide when nobody looks."""
    console = Console(markup=False, highlight=False)
    return (
        console
        if console.is_terminal
        else Console(markup=False, highlight=False, width=max(console.width, 160))
    )


async def reach_kafka(starting: Awaitable[object]) -> None:
    """Waits a moment for what a command needs of Kafka; without it the command ends with one clear line."""
    try:
        async with asyncio.timeout(KAFKA_WAIT_S):
            await starting
    except (KafkaError, OSError, TimeoutError):
        why = "kafka-away: Kafka does not answer: see to it, then run the same command again"
        raise gone(why, AWAY_CODE) from None


def write_out(out: Path, content: bytes) -> None:
    """Writes the file that a person named; what keeps it from that is one clear line."""
    try:
        out.write_bytes(content)
    except OSError as error:
        raise gone(f"cannot-write: {out}: {error.strerror or error}", WRONG) from None


def gone(why: str, code: int) -> SystemExit:
    """The end of a command that cannot go on."""
    sys.stderr.write(f"{printable(why)}\n")
    return SystemExit(code)


def _away(error: BaseException) -> str:
    state = sqlstate(error)
    if state == "42501":
        return "the database refuses this role: use the service's own …_DATABASE__URL"
    if state in ("42P01", "42703"):
        return "the schema is not of this version: migrate first (python -m services.<service> migrate)"
    said = str(getattr(error, "orig", None) or error).strip().splitlines()[:1]
    detail = said[0] if said else type(error).__name__
    return f"the database does not answer ({detail}): see to it, then run the same command again"
