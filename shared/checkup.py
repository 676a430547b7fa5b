"""What a check of the settings finds: one line each, with what to do about it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` fails the check, `unsure` is for a person's eyes. `fix` says what to do."""

    subject: str
    verdict: Literal["good", "unsure", "wrong"]
    said: str
    fix: str = ""


def good(subject: str, said: str) -> Finding:
    return Finding(subject, "good", said)


def unsure(subject: str, said: str, fix: str) -> Finding:
    return Finding(subject, "unsure", said, fix)


def wrong(subject: str, said: str, fix: str) -> Finding:
    return Finding(subject, "wrong", said, fix)
