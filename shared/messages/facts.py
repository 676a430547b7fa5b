"""What a provider said, in our words. Facts come from verified webhooks and from reads with our secret.

The order in which facts arrive means nothing: a charge's state only rises
(`pending < failed < authorized < lapsed < captured`), a refund's too (`pending < succeeded < failed`), a
dispute's too (`open < under_review < closed < won < lost`) and its money's (`none < withdrawn <
reinstated`). What a read does not show is not a fact.
"""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.messages.base import Message

ChargeState = Literal["pending", "failed", "authorized", "lapsed", "captured"]
RefundState = Literal["pending", "succeeded", "failed"]
DisputeState = Literal["open", "under_review", "closed", "won", "lost"]
DisputeMoney = Literal["none", "withdrawn", "reinstated"]


class ChargeFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One payment at the provider was seen in this state. `amount` in minor units of `currency`.

    `amount` is what was captured once it is captured (a part may have been released), else what was asked.
    A decline that made no charge of its own (Stripe: a failed 3-D Secure) carries the order's id as its id.
    """

    charge_id: str
    provider_order_id: str
    state: ChargeState
    amount: int
    currency: str
    at: datetime | None = None  # when the provider says it happened; never used for order
    failure: str = ""  # the provider's reason, a slug
    failure_text: str = ""  # the provider's words for the buyer
    fee: int | None = None
    capture_before: datetime | None = None  # an authorisation lapses then


class RefundFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refund at the provider. `reference`: our refund's id, empty when somebody made it elsewhere."""

    refund_id: str
    charge_id: str
    state: RefundState
    amount: int
    currency: str
    reference: str = ""
    at: datetime | None = None
    failure: str = ""
    failure_text: str = ""


class DisputeFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dispute of a charge. `closed`: ended without a winner, as an inquiry does.

    `money`: whether the provider has taken the amount back from us, or given it back to us since; `moved_at`
    when it last did, where the provider says.
    """

    dispute_id: str
    charge_id: str
    kind: Literal["inquiry", "chargeback"]
    state: DisputeState
    money: DisputeMoney
    amount: int
    currency: str
    reason: str = ""
    respond_by: datetime | None = None
    at: datetime | None = None
    moved_at: datetime | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that one webhook or one read says of an order of ours at the provider.

    `provider_order_id` is whose `approved` and `cancelled` these are.
    `approved`: the buyer agreed and the provider waits for our capture; no money has moved (PayPal).
    `cancelled`: the provider's order is over and nobody can pay it any more.
    """

    charges: tuple[ChargeFact, ...] = ()
    refunds: tuple[RefundFact, ...] = ()
    disputes: tuple[DisputeFact, ...] = ()
    provider_order_id: str = ""
    approved: bool = False
    cancelled: bool = False


class SettlementLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a provider's account with us. Signed minor units of `currency`, the settlement's.

    `net = amount - fee` for every line: money in is positive. `payout`: money that left for our bank.
    """

    line_id: str
    kind: Literal["payment", "refund", "dispute", "fee", "payout", "adjustment"]
    amount: int
    fee: int
    net: int
    currency: str
    at: datetime
    charge_id: str = ""
    refund_id: str = ""
    dispute_id: str = ""
    settlement_id: str = ""  # the payout or settlement that paid it out; empty while it is not
    rate: str = ""  # settlement currency per charge currency, a decimal as the provider wrote it


class ProviderOrderFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order of ours exists at the provider. `reference` is what we put there: the attempt's id."""

    provider_order_id: str
    reference: str
    amount: int
    currency: str
    paid: bool = False
    secrets: dict[str, str] = {}  # what the browser needs besides, e.g. a client secret; never logged


class WebhookContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook, read. `known` is false for event types that carry nothing for us: kept and counted.

    `provider_order_id`, else `charge_id`, says whose it is. `hint`: nothing in it is believed, the order is
    read instead (PayPal signs only a checksum of the body). `approval`: it hints that the buyer agreed, once
    more perhaps.
    """

    event_type: str
    account: str
    live: bool | None  # None when the provider does not say
    known: bool
    seen: Seen = Seen()
    provider_order_id: str | None = None
    charge_id: str | None = None
    hint: bool = False
    approval: bool = False


# --- results of tasks: messages that never travel over Kafka ---------------------------------------------


class AttemptOpened(Message, frozen=True, kw_only=True):
    """The provider has the order of this attempt. `look_now`: something was heard of it already."""

    TYPE: ClassVar[str] = "payments.attempt_opened.v1"

    order_id: str
    attempt_id: str
    fact: ProviderOrderFact
    look_now: bool = False


class AttemptRefused(Message, frozen=True, kw_only=True):
    """The provider will not open this attempt: `code` of the published error table."""

    TYPE: ClassVar[str] = "payments.attempt_refused.v1"

    order_id: str
    attempt_id: str
    code: str
    detail: str = ""


class AttemptUnanswered(Message, frozen=True, kw_only=True):
    """Nobody knows whether the provider has the order; it is being looked up."""

    TYPE: ClassVar[str] = "payments.attempt_unanswered.v1"

    order_id: str
    attempt_id: str
    tries: int = 0
    error: str = ""


class Looked(Message, frozen=True, kw_only=True):
    """A read of one attempt at the provider. `verify` numbers the buyer's return that it answers."""

    TYPE: ClassVar[str] = "payments.looked.v1"

    order_id: str
    attempt_id: str
    reason: Literal["verify", "schedule", "late", "asked", "switch"]
    seen: Seen = Seen()
    verify: int = 0
    round: int = 0


class CaptureEnded(Message, frozen=True, kw_only=True):
    """What the provider says of a charge after we asked to capture it; `refused` when it would not.

    `number` counts the captures of one approval (PayPal), else 0. `charge` is None when there is none.
    """

    TYPE: ClassVar[str] = "payments.capture_ended.v1"

    order_id: str
    provider: str
    charge: ChargeFact | None = None
    refused: str = ""
    attempt_id: str = ""
    number: int = 0


class CaptureUnanswered(Message, frozen=True, kw_only=True):
    """Nobody knows whether the provider took the money; it is being read."""

    TYPE: ClassVar[str] = "payments.capture_unanswered.v1"

    order_id: str
    provider: str
    charge_id: str = ""
    attempt_id: str = ""
    number: int = 0
    tries: int = 0


class RefundEnded(Message, frozen=True, kw_only=True):
    """What the provider says of a refund we asked for; `refused` with its words when it will not do it."""

    TYPE: ClassVar[str] = "payments.refund_ended.v1"

    order_id: str
    provider: str
    refund_id: str
    fact: RefundFact | None = None
    refused: str = ""


class RefundUnanswered(Message, frozen=True, kw_only=True):
    """Nobody knows whether the provider gave the money back; it is being looked up."""

    TYPE: ClassVar[str] = "payments.refund_unanswered.v1"

    order_id: str
    refund_id: str
    tries: int = 0


class CancelEnded(Message, frozen=True, kw_only=True):
    """What the provider says of an order after we asked to cancel it; `refused` when it was too late."""

    TYPE: ClassVar[str] = "payments.cancel_ended.v1"

    order_id: str
    provider: str
    attempt_id: str
    seen: Seen = Seen()
    refused: str = ""


class LapseDue(Message, frozen=True, kw_only=True):
    """An authorisation that nobody captured will lapse soon."""

    TYPE: ClassVar[str] = "payments.lapse_due.v1"

    order_id: str
    charge_id: str


class CloseDue(Message, frozen=True, kw_only=True):
    """The time in which the order may be paid is over."""

    TYPE: ClassVar[str] = "payments.close_due.v1"

    order_id: str


class Rematch(Message, frozen=True, kw_only=True):
    """A webhook that fitted no order comes back: its envelope as it came, and how often it was tried."""

    TYPE: ClassVar[str] = "payments.rematch.v1"

    envelope: bytes
    tries: int
