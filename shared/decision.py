"""What a decider says: plain data, carried out by the loop in one transaction."""

from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from shared.messages.base import Message

S = TypeVar("S")


class Outgoing(msgspec.Struct, frozen=True):
    """A message to publish through the outbox. `version` numbers an aggregate's events."""

    topic: str
    key: str
    message: Message
    time: datetime
    version: int | None = None


class Task(msgspec.Struct, frozen=True):
    """A durable piece of outside or later work, written with the decision that wants it.

    `key` is its natural key: while a task with this key is open, a second one only brings it forward.
    `delay_s` counts from the commit, by the database's clock. Lower `priority` goes first.
    """

    kind: str
    key: str
    subject: str
    payload: bytes = b"{}"
    delay_s: float = 0.0
    priority: int = 50


class Answer(msgspec.Struct, frozen=True):
    """A reply to whoever waits under `correlation_id`, sent right after the commit.

    With `stored_under` (principal, key) it is also the stored answer of that idempotency key.
    """

    correlation_id: str | None
    code: str
    answer: bytes = b"{}"
    detail: str = ""
    stored_under: tuple[str, str] | None = None


class Decision(msgspec.Struct, Generic[S], frozen=True):
    """The new state and all that goes with it. `dropped` are keys of tasks nobody needs any more."""

    state: S
    events: tuple[Outgoing, ...] = ()
    tasks: tuple[Task, ...] = ()
    dropped: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    outcome: Literal["applied", "ignored"] = "applied"

    def then(self, other: "Decision[S]") -> "Decision[S]":
        """The two decisions as one, when the second was made on the state of the first."""
        return replace(
            other,
            events=self.events + other.events,
            tasks=self.tasks + other.tasks,
            dropped=self.dropped + other.dropped,
            answers=self.answers + other.answers,
        )
