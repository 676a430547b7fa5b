"""Which rule decides on which message."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.notifier.domain import asking, disputes, issuing, mailing
from services.notifier.domain.issuing import Rules
from services.notifier.domain.results import (
    DocumentFailed,
    DocumentRendered,
    MailDeferred,
    MailRefused,
    MailTaken,
    ReminderDue,
)
from services.notifier.domain.state import Order
from shared.apply import Decide
from shared.decision import Decision
from shared.inbox import Incoming
from shared.messages.base import Catalogue, Message
from shared.messages.notifier import RecordBounce, ResendDocument
from shared.messages.orders import OrderPlaced
from shared.messages.payments import (
    DisputeClosed,
    DisputeOpened,
    DisputeUpdated,
    PaymentPaid,
    RefundFailed,
    RefundSucceeded,
)

ORDERS = Catalogue(OrderPlaced)
PAYMENTS = Catalogue(PaymentPaid, RefundSucceeded, RefundFailed, DisputeOpened, DisputeUpdated, DisputeClosed)
COMMANDS = Catalogue(ResendDocument, RecordBounce)

Rule = Callable[[Order, Any, Rules, datetime], Decision[Order]]

DECIDERS: dict[type[Message], Rule] = {
    OrderPlaced: issuing.on_order_placed,
    PaymentPaid: issuing.on_payment_paid,
    RefundSucceeded: issuing.on_refund_succeeded,
    RefundFailed: issuing.on_refund_failed,
    DisputeOpened: disputes.on_dispute,
    DisputeUpdated: disputes.on_dispute,
    DisputeClosed: disputes.on_dispute,
    ReminderDue: disputes.on_reminder_due,
    ResendDocument: lambda order, command, _, now: asking.on_resend_document(order, command, now),
    RecordBounce: lambda order, command, _, now: asking.on_record_bounce(order, command, now),
    DocumentRendered: lambda order, result, _, now: mailing.on_document_rendered(order, result, now),
    DocumentFailed: lambda order, result, _, now: mailing.on_document_failed(order, result, now),
    MailTaken: lambda order, result, _, now: mailing.on_mail_taken(order, result, now),
    MailDeferred: lambda order, result, rules, now: mailing.on_mail_deferred(
        order, result, rules.time_scale, now
    ),
    MailRefused: lambda order, result, _, now: mailing.on_mail_refused(order, result, now),
}


def decider(rules: Rules) -> Decide[Order]:
    """The one decision function of this service; raises for a message that no rule knows."""

    def decide(order: Order, incoming: Incoming, now: datetime) -> Decision[Order]:
        if isinstance(incoming.message, OrderPlaced) and incoming.envelope.source != "payments":
            return Decision(order, outcome="ignored")  # only payments numbers contents
        return DECIDERS[type(incoming.message)](order, incoming.message, rules, now)

    return decide
