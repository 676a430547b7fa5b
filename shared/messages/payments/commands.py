"""`payments.commands`, key order_id: what may be asked of payments, and `payments.replies`: its answers."""

from typing import ClassVar

import msgspec

from shared.messages.base import Command, IdempotencyKey, Message
from shared.messages.orders import OrderPlaced


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


COMMANDS = (
    RegisterOrder, CancelOrder, CreatePayment, ConfirmCheckout, CapturePayment, RefundPayment, MarkPayment,
    ResolveFlag, LookAgain,
)  # fmt: skip

# --- payments.replies, key the correlation id -------------------------------------------------------------


class Reply(Message, frozen=True, kw_only=True):
    """The answer to one command. `code` is `ok`, or a slug of the published error table.

    `answer` is the JSON of the answer; it may hold client secrets and is never logged.
    """

    TYPE: ClassVar[str] = "payments.reply.v1"

    code: str
    answer: msgspec.Raw = msgspec.Raw(b"{}")
    detail: str = ""
