"""`payments.events`, key order_id: what happened to an order's payment, and `payments.webhooks`."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.messages.base import Event
from shared.messages.payments.snapshot import DisputeView, PaymentSnapshot, RefundView


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

    Also when money is held for an order that is closed, and when it is released.
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


PAYMENT_EVENTS = (
    PaymentCreated, PaymentPending, PaymentProcessing, PaymentPaid, PaymentFailed, PaymentAttemptEnded,
    PaymentClosed, PaymentPartiallyRefunded, PaymentRefunded, RefundRequested, RefundSucceeded, RefundFailed,
    DisputeOpened, DisputeUpdated, DisputeClosed, PaymentFlagged, FlagResolved,
)  # fmt: skip

# --- payments.webhooks, key the provider's object id ------------------------------------------------------


class ProviderEventReceived(Event, frozen=True, kw_only=True):
    """A webhook whose signature held, with the exact bytes (base64 in JSON) and the headers that matter."""

    TYPE: ClassVar[str] = "payments.provider_event_received.v1"

    provider: str
    account: str
    body: bytes
    headers: dict[str, str]
    received_at: datetime
