"""What the example says and hears, and on which topics."""

from typing import ClassVar, Literal

from shared.kafka import TOPICS, Topic
from shared.messages.base import Command, Event, IdempotencyKey, Message

_CONFIG = {"cleanup.policy": "delete", "compression.type": "uncompressed"}
COMMANDS = Topic("example.commands", "example", 4, _CONFIG)
FACTS = Topic("example.facts", "example", 4, _CONFIG)
EVENTS = Topic("example.events", "example", 4, _CONFIG)
REPLIES = Topic("example.replies", "example", 2, _CONFIG)
TOPICS.update({t.name: t for t in (COMMANDS, FACTS, EVENTS, REPLIES)})


class Deposit(Command, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "example.deposit.v1"

    account: str
    amount: int


class Withdraw(Command, frozen=True, kw_only=True):
    """Refused when there is not enough."""

    TYPE: ClassVar[str] = "example.withdraw.v1"

    account: str
    amount: int
    idempotency: IdempotencyKey | None = None


class PayOut(Command, frozen=True, kw_only=True):
    """As Withdraw, and the bank outside moves the money; the answer comes when it has."""

    TYPE: ClassVar[str] = "example.pay_out.v1"

    account: str
    amount: int
    idempotency: IdempotencyKey | None = None


class Link(Command, frozen=True, kw_only=True):
    """From now on facts about `ref` belong to this account."""

    TYPE: ClassVar[str] = "example.link.v1"

    account: str
    ref: str


class Break(Command, frozen=True, kw_only=True):
    """A message that cannot be processed, in one of the ways in which messages cannot."""

    TYPE: ClassVar[str] = "example.break.v1"

    account: str
    how: Literal["raise", "constraint", "data", "slow", "kill", "kill-in-save"]


class FactSeen(Event, frozen=True, kw_only=True):
    """Money arrived under somebody else's reference."""

    TYPE: ClassVar[str] = "example.fact_seen.v1"

    ref: str
    amount: int


class BankAnswered(Message, frozen=True, kw_only=True):
    """The result of a payout's task. `found`: an earlier try had done it already."""

    TYPE: ClassVar[str] = "example.bank_answered.v1"

    account: str
    operation: str
    found: bool


class Changed(Event, frozen=True, kw_only=True):
    """An account changed; its whole public state."""

    TYPE: ClassVar[str] = "example.changed.v1"

    account: str
    available: int
    paid_out: int


class Reply(Message, frozen=True, kw_only=True):
    TYPE: ClassVar[str] = "example.reply.v1"

    code: str
    answer: str
