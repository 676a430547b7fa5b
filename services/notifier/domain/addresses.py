"""Which text is one address that mail may go to, and when a mail that did not leave is tried again."""

import re
from dataclasses import dataclass
from hashlib import blake2b

ADDRESS_LENGTH_MAX = 254  # RFC 3696 erratum 1690


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling pauses from `first_s` up to `cap_s`."""

    first_s: float
    cap_s: float


# A server that is away serves everybody when it is back, so we look often; one that asks for patience for
# one recipient (greylisting, a full mailbox) mostly means minutes.
PAUSES = {"away": Backoff(2.0, 60.0), "unclear": Backoff(5.0, 300.0), "later": Backoff(15.0, 900.0)}

# One plain address: no spaces or control characters, no second address, no quoting, no comments.
_ADDRESS = re.compile(
    r"""[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)*[^\W_][\w-]*"""
)
_LIKE_ONE = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+")


def is_address(text: str) -> bool:
    """Whether mail can be sent to exactly this one address, and to nobody else."""
    local, _, _ = text.partition("@")
    dots_ok = not (local.startswith(".") or local.endswith(".") or ".." in local)
    return len(text) <= ADDRESS_LENGTH_MAX and dots_ok and _ADDRESS.fullmatch(text) is not None


def without_addresses(text: str) -> str:
    """What a server says, without whom it is about: it may spell an address its own way, or forward it."""
    return _LIKE_ONE.sub("<address>", text)


def pause_s(message_id: str, why: str, attempts: int, time_scale: float) -> float:
    """Seconds until the next try: doubled each time, capped, spread by a quarter either way.

    The spread comes from the message and the attempt, so it is the same in every replay.
    """
    backoff = PAUSES[why]
    plain = min(backoff.cap_s, backoff.first_s * 2.0 ** min(attempts - 1, 30))
    digest = blake2b(f"{message_id}/{attempts}".encode(), digest_size=2).digest()
    spread = 0.75 + int.from_bytes(digest) / 0xFFFF / 2
    return plain * spread / time_scale
