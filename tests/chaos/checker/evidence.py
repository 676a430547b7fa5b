"""What the checker knows: plain copies of five independent sources, taken after the system is quiet.

Nothing of the services is imported anywhere below this folder: a mistake that both sides share could not
be seen. Words, tables and topics are typed from the published contract (docs/messages.md, docs/states.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.chaos.checker.ledger import Ledger

Json = Mapping[str, Any]
CallName = Literal["place", "create", "verify", "status", "cancel", "pay", "capture", "refund"]

# --- our databases ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payment:
    order_id: str
    id: str
    status: str
    detail: str
    amount: int
    currency: str
    version: int
    provider_order_id: str | None = None
    charge_id: str | None = None
    closed: str | None = None
    flags: tuple[tuple[str, str], ...] = ()  # (reason, subject)


@dataclass(frozen=True, slots=True)
class Attempt:
    reference: str
    order_id: str
    provider_order_id: str | None
    amount: int
    currency: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Charge:
    charge_id: str
    order_id: str
    provider_order_id: str
    state: str
    amount: int
    currency: str
    stands: bool = False


@dataclass(frozen=True, slots=True)
class Refund:
    """`id` is ours, and the provider's key of the call."""

    id: str
    order_id: str
    charge_id: str
    provider_order_id: str
    provider_refund_id: str | None
    state: str
    amount: int
    currency: str
    origin: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A task's row: written before the outside was called. `due`: open and to be done now."""

    service: str
    kind: str
    key: str
    created_at: float
    open: bool = False
    due: bool = False
    claims: int = 1


@dataclass(frozen=True, slots=True)
class InboxRow:
    """`place` (topic/partition/offset) is known of parked messages alone."""

    service: str
    consumer: str
    message_id: str
    outcome: str
    place: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    service: str
    position: int
    topic: str
    key: str
    message_id: str
    payload: bytes
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """One document with its mail, as the notifier's tables show it."""

    order_id: str
    number: str
    amount: int
    currency: str
    state: str
    message_id: str | None = None
    recipient: str | None = None
    mail_state: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What tells a buyer of money that goes back: a credit note, or a mail when nothing was invoiced.

    `subject` is the refund's id; `number` is empty for a mail without a document.
    """

    order_id: str
    kind: str
    subject: str
    number: str
    message_id: str
    recipient: str
    mail_state: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What the gateway's projection shows of an order."""

    order_id: str
    version: int
    status: str


@dataclass(frozen=True, slots=True)
class Books:
    payments: tuple[Payment, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[Refund, ...] = ()
    raw_webhooks: tuple[bytes, ...] = ()  # bodies, one for each row
    receipts: tuple[Receipt, ...] = ()
    notices: tuple[Notice, ...] = ()
    shown: tuple[Shown, ...] = ()
    intents: tuple[Intent, ...] = ()
    inbox: tuple[InboxRow, ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    unanswered_keys: int = 0  # idempotency keys that are still "running"
    hanging_transactions: int = 0


# --- Kafka --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic; `message` is its decoded envelope, empty when it is not JSON."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    message: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.message.get("id", ""))

    @property
    def type(self) -> str:
        return str(self.message.get("type", ""))

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def snapshot(self) -> Json:
        """The public state in an event of payments."""
        return dict(self.message.get("data", {}).get("payment", {}))


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer group has come in one partition."""

    group: str
    topic: str
    partition: int
    committed: int
    end: int


# --- mail and clients ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as the recipient's server kept it."""

    message_id: str
    recipients: tuple[str, ...]
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a client. `info`: nobody knows what it did (time-out, reset, 202, 5xx)."""

    call: CallName
    order_id: str
    outcome: Literal["ok", "fail", "info"]
    asked: Json = field(default_factory=dict)
    status: int | None = None
    answer: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the checks look at, read in this order while buyers' attempts go on expiring.

    `archived`: (topic, id) of every outbox row, read after the topics. `mails_repeated_max`: how many
    mails the run itself may have doubled.
    """

    ledger: Ledger = field(default_factory=Ledger)
    positions: tuple[Position, ...] = ()
    books: Books = field(default_factory=Books)
    topics: tuple[Record, ...] = ()
    archived: frozenset[tuple[str, str]] = frozenset()
    mails: tuple[Mail, ...] = ()
    history: tuple[Operation, ...] = ()
    mails_repeated_max: int = 0

    def records(self, topic: str) -> list[Record]:
        return [record for record in self.topics if record.topic == topic]
