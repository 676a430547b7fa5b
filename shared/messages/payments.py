"""`payments.commands`, `payments.webhooks`, `payments.replies` and `payments.events`."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.messages.base import Command, Event, IdempotencyKey, Message
from shared.messages.orders import OrderPlaced

Status = Literal[
    "created", "pending_payment", "processing", "paid", "partially_refunded", "refunded", "failed"
]  # fmt: skip

# --- payments.commands, key order_id ----------------------------------------------------------------------


class RegisterOrder(Command, frozen=True, kw_only=True):
    """Hold this order so that it can be paid. The same content again changes nothing."""

    TYPE: ClassVar[str] = "payments.register_order.v1"

    order: OrderPlaced


class CancelOrder(Command, frozen=True, kw_only=True):
    """Close the order for payment. It moves no money."""

    TYPE: ClassVar[str] = "payments.cancel_order.v1"

    order_id: str
    reason: str = ""


class CreatePayment(Command, frozen=True, kw_only=True):
    """Open an attempt at a provider, or give the open one. The reply carries what the browser needs."""

    TYPE: ClassVar[str] = "payments.create_payment.v1"

    order_id: str
    provider: str | None = None


class ConfirmCheckout(Command, frozen=True, kw_only=True):
    """The buyer came back from the checkout: look at the provider now. The ids are only compared."""

    TYPE: ClassVar[str] = "payments.confirm_checkout.v1"

    order_id: str
    provider: str
    provider_order_id: str
    charge_id: str | None = None


class CapturePayment(Command, frozen=True, kw_only=True):
    """Take authorised money: all of it, or `amount`; the rest is released. Answered once it is decided."""

    TYPE: ClassVar[str] = "payments.capture_payment.v1"

    order_id: str
    amount: int | None = None
    by: str = ""  # the person or the API key that asks
    idempotency: IdempotencyKey | None = None


class RefundPayment(Command, frozen=True, kw_only=True):
    """Give back what is left of a capture, or `amount` of it. Answered once it is reserved.

    `charge_id` names a capture other than the one that stands.
    """

    TYPE: ClassVar[str] = "payments.refund_payment.v1"

    order_id: str
    amount: int | None = None
    reason: str = ""
    charge_id: str | None = None
    by: str = ""
    idempotency: IdempotencyKey | None = None


class MarkPayment(Command, frozen=True, kw_only=True):
    """A person says that the order was paid elsewhere: its own line in the books, with no provider."""

    TYPE: ClassVar[str] = "payments.mark_payment.v1"

    order_id: str
    source: str  # where the money is, e.g. a bank account
    person: str
    reason: str
    idempotency: IdempotencyKey | None = None


class ResolveFlag(Command, frozen=True, kw_only=True):
    """A person has dealt with what a flag was raised for."""

    TYPE: ClassVar[str] = "payments.resolve_flag.v1"

    order_id: str
    flag: str
    subject: str
    person: str
    reason: str
    idempotency: IdempotencyKey | None = None


class LookAgain(Command, frozen=True, kw_only=True):
    """Read the provider's own records of this order, and let the normal rules do the rest."""

    TYPE: ClassVar[str] = "payments.look_again.v1"

    order_id: str
    reason: str = ""


# --- payments.webhooks, key the provider's object id ------------------------------------------------------


class ProviderEventReceived(Event, frozen=True, kw_only=True):
    """A webhook whose signature held, with the exact bytes (base64 in JSON) and the headers that matter."""

    TYPE: ClassVar[str] = "payments.provider_event_received.v1"

    provider: str
    account: str
    body: bytes
    headers: dict[str, str]
    received_at: datetime


# --- payments.replies, key the correlation id -------------------------------------------------------------


class Reply(Message, frozen=True, kw_only=True):
    """The answer to one command. `code` is `ok`, or a slug of the published error table.

    `answer` is the JSON of the answer; it may hold client secrets and is never logged.
    """

    TYPE: ClassVar[str] = "payments.reply.v1"

    code: str
    answer: msgspec.Raw = msgspec.Raw(b"{}")
    detail: str = ""


# --- payments.events, key order_id ------------------------------------------------------------------------


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the order's money is, in minor units of its currency."""

    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    refund_pending: int = 0
    disputed: int = 0
    lost: int = 0
    net: int = 0


class ChargeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One payment at the provider. `surplus`: captured beside the one that stands.

    `by`: who marked it by hand, and why; the provider is `hand` then, and the account where the money is.
    """

    charge_id: str
    provider: str
    account: str
    provider_order_id: str
    state: Literal["pending", "failed", "authorized", "lapsed", "captured"]
    amount: int
    currency: str
    at: datetime | None = None
    surplus: bool = False
    failure: str = ""
    capture_before: datetime | None = None
    by: str = ""


class RefundView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One refund. `requested`: reserved with us, and the provider has not said that it has it.

    `origin`: a caller of ours (`api`), our own rules (`policy`: surplus or late money), or somebody at the
    provider (`provider`: its dashboard). `refund_id` is ours, `provider_refund_id` the provider's.
    """

    refund_id: str
    charge_id: str
    provider: str
    state: Literal["requested", "pending", "succeeded", "failed"]
    amount: int
    currency: str
    origin: Literal["api", "policy", "provider"]
    created_at: datetime
    provider_refund_id: str | None = None
    reason: str = ""
    failure: str = ""
    needs_attention: bool = False  # nobody knows whether the provider did it: a person has to look


class DisputeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dispute of a charge. `respond_by`: the provider's deadline for evidence."""

    dispute_id: str
    charge_id: str
    provider: str
    kind: Literal["inquiry", "chargeback"]
    state: Literal["open", "under_review", "closed", "won", "lost"]
    money: Literal["none", "withdrawn", "reinstated"]
    amount: int
    currency: str
    reason: str = ""
    respond_by: datetime | None = None
    at: datetime | None = None


class PaymentSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that the public may know of an order's payment at one version; no personal data."""

    order_id: str
    payment_id: str
    version: int
    status: Status
    detail: str
    amount: int
    currency: str
    amounts: Amounts
    revision: int
    created_at: datetime
    updated_at: datetime
    provider: str | None = None
    account: str | None = None
    provider_order_id: str | None = None
    charge_id: str | None = None
    charges: tuple[ChargeView, ...] = ()
    refunds: tuple[RefundView, ...] = ()
    disputes: tuple[DisputeView, ...] = ()
    refundable: int = 0  # of the capture that stands: neither given back, reserved nor disputed
    capture: Literal["automatic", "manual"] = "automatic"
    closes_at: datetime | None = None
    closed: str | None = None
    can_retry: bool = False
    paid_at: datetime | None = None
    failure: str = ""
    needs_attention: tuple[str, ...] = ()


class PaymentEvent(Event, frozen=True, kw_only=True):
    """The base of the events below: the snapshot after it happened."""

    payment: PaymentSnapshot


class PaymentCreated(PaymentEvent, frozen=True, kw_only=True):
    """The order is held and may be paid (again, with each accepted change of its content)."""

    TYPE: ClassVar[str] = "payments.payment_created.v1"


class PaymentPending(PaymentEvent, frozen=True, kw_only=True):
    """An attempt is open and waits for the buyer."""

    TYPE: ClassVar[str] = "payments.payment_pending.v1"


class PaymentProcessing(PaymentEvent, frozen=True, kw_only=True):
    """Money may be moving; nothing is certain yet."""

    TYPE: ClassVar[str] = "payments.payment_processing.v1"


class PaymentPaid(PaymentEvent, frozen=True, kw_only=True):
    """The first capture that stands; once in an order's life. `late`: it reopened a closed order."""

    TYPE: ClassVar[str] = "payments.payment_paid.v1"

    late: bool = False


class PaymentFailed(PaymentEvent, frozen=True, kw_only=True):
    """One charge was declined; the order may be tried again while it is open."""

    TYPE: ClassVar[str] = "payments.payment_failed.v1"

    charge_id: str
    failure: str = ""


class PaymentAttemptEnded(PaymentEvent, frozen=True, kw_only=True):
    """A try ended without money and without a new decline: it expired, lapsed, or was refused late.

    The order may be tried again while it is open; the snapshot says how it stands.
    """

    TYPE: ClassVar[str] = "payments.payment_attempt_ended.v1"


class PaymentClosed(PaymentEvent, frozen=True, kw_only=True):
    """No payment is expected any more: release the stock."""

    TYPE: ClassVar[str] = "payments.payment_closed.v1"

    reason: Literal["expired", "cancelled", "authorization_lapsed"]


class PaymentPartiallyRefunded(PaymentEvent, frozen=True, kw_only=True):
    """A part of the standing capture was given back."""

    TYPE: ClassVar[str] = "payments.payment_partially_refunded.v1"


class PaymentRefunded(PaymentEvent, frozen=True, kw_only=True):
    """All of the standing capture was given back."""

    TYPE: ClassVar[str] = "payments.payment_refunded.v1"


class RefundEvent(PaymentEvent, frozen=True, kw_only=True):
    """The base of what happens to one refund."""

    refund: RefundView


class RefundRequested(RefundEvent, frozen=True, kw_only=True):
    """Reserved: the amount cannot be refunded otherwise. Once per refund, also for one made elsewhere."""

    TYPE: ClassVar[str] = "payments.refund_requested.v1"


class RefundSucceeded(RefundEvent, frozen=True, kw_only=True):
    """The provider gives the money back. Once per refund."""

    TYPE: ClassVar[str] = "payments.refund_succeeded.v1"


class RefundFailed(RefundEvent, frozen=True, kw_only=True):
    """The money is not given back, or came back after all. Once per refund; the amount is free again."""

    TYPE: ClassVar[str] = "payments.refund_failed.v1"


class DisputeEvent(PaymentEvent, frozen=True, kw_only=True):
    """The base of what happens to one dispute."""

    dispute: DisputeView


class DisputeOpened(DisputeEvent, frozen=True, kw_only=True):
    """A buyer or a bank asks for the money back: answer before `respond_by`. Once per dispute."""

    TYPE: ClassVar[str] = "payments.dispute_opened.v1"


class DisputeUpdated(DisputeEvent, frozen=True, kw_only=True):
    """The dispute went on: its state, deadline, or where the money is."""

    TYPE: ClassVar[str] = "payments.dispute_updated.v1"


class DisputeClosed(DisputeEvent, frozen=True, kw_only=True):
    """The dispute is over: won, lost, or closed without a winner. Once per dispute."""

    TYPE: ClassVar[str] = "payments.dispute_closed.v1"


class FlagResolved(PaymentEvent, frozen=True, kw_only=True):
    """A person dealt with a flag."""

    TYPE: ClassVar[str] = "payments.flag_resolved.v1"

    reason: str
    subject: str
    person: str
    note: str = ""


class PaymentFlagged(PaymentEvent, frozen=True, kw_only=True):
    """Something that no rule may settle waits for a person. `subject` is the charge or attempt meant."""

    TYPE: ClassVar[str] = "payments.payment_flagged.v1"

    reason: str
    subject: str
    note: str = ""


class LedgerCheckpoint(Event, frozen=True, kw_only=True):
    """Sent to every partition: all events of before `until` are already in the partition."""

    TYPE: ClassVar[str] = "payments.ledger_checkpoint.v1"

    until: datetime


COMMANDS = (
    RegisterOrder, CancelOrder, CreatePayment, ConfirmCheckout, CapturePayment, RefundPayment, MarkPayment,
    ResolveFlag, LookAgain,
)  # fmt: skip
PAYMENT_EVENTS = (
    PaymentCreated, PaymentPending, PaymentProcessing, PaymentPaid, PaymentFailed, PaymentAttemptEnded,
    PaymentClosed, PaymentPartiallyRefunded, PaymentRefunded, RefundRequested, RefundSucceeded, RefundFailed,
    DisputeOpened, DisputeUpdated, DisputeClosed, PaymentFlagged, FlagResolved,
)  # fmt: skip
