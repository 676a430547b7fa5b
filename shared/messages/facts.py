"""What a provider said, in our words. Facts come from verified webhooks and from reads with our secret.

The order in which facts arrive means nothing: a charge's state only rises
(`pending < failed < authorized < lapsed < captured`), and what a read does not show is not a fact.
"""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.messages.base import Message

ChargeState = Literal["pending", "failed", "authorized", "lapsed", "captured"]


class ChargeFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One payment at the provider was seen in this state. `amount` in minor units of `currency`."""

    charge_id: str
    provider_order_id: str
    state: ChargeState
    amount: int
    currency: str
    at: datetime | None = None  # when the provider says it happened; never used for order
    failure: str = ""  # the provider's reason, a slug
    failure_text: str = ""  # the provider's words for the buyer
    fee: int | None = None


class ProviderOrderFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order of ours exists at the provider. `reference` is what we put there: the attempt's id."""

    provider_order_id: str
    reference: str
    amount: int
    currency: str
    paid: bool = False
    secrets: dict[str, str] = {}  # what the browser needs besides, e.g. a client secret; never logged


class WebhookContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook, read. `known` is false for event types that carry nothing for us: kept and counted."""

    event_type: str
    account: str
    live: bool | None  # None when the provider does not say
    known: bool
    charges: tuple[ChargeFact, ...] = ()
    provider_order_id: str | None = None


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


class Looked(Message, frozen=True, kw_only=True):
    """A read of one attempt at the provider. `verify` numbers the buyer's return that it answers."""

    TYPE: ClassVar[str] = "payments.looked.v1"

    order_id: str
    attempt_id: str
    reason: Literal["verify", "schedule", "late", "asked"]
    charges: tuple[ChargeFact, ...] = ()
    verify: int = 0
    round: int = 0


class CaptureEnded(Message, frozen=True, kw_only=True):
    """What the provider says of a charge after we asked to capture it; `refused` when it would not."""

    TYPE: ClassVar[str] = "payments.capture_ended.v1"

    order_id: str
    provider: str
    charge: ChargeFact
    refused: str = ""


class CloseDue(Message, frozen=True, kw_only=True):
    """The time in which the order may be paid is over."""

    TYPE: ClassVar[str] = "payments.close_due.v1"

    order_id: str


class Rematch(Message, frozen=True, kw_only=True):
    """A webhook that fitted no order comes back: its envelope as it came, and how often it was tried."""

    TYPE: ClassVar[str] = "payments.rematch.v1"

    envelope: bytes
    tries: int
