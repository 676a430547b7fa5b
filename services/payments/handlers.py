"""Which rule answers which message: the table of contents of this service."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from services.payments.domain import attempts, captures, facts, orders, people, refunds
from services.payments.domain.state import Asker, Payment, Policy
from services.payments.webhooks import Webhooks
from shared.decision import Decision, Task
from shared.envelope import encode
from shared.errors import Rejected
from shared.inbox import Incoming
from shared.messages.base import Catalogue, Message
from shared.messages.facts import (
    AttemptOpened,
    AttemptRefused,
    AttemptUnanswered,
    CancelEnded,
    CaptureEnded,
    CaptureUnanswered,
    CloseDue,
    LapseDue,
    Looked,
    RefundEnded,
    RefundUnanswered,
    Rematch,
)
from shared.messages.orders import OrderCancelled, OrderPlaced
from shared.messages.payments import (
    COMMANDS,
    CancelOrder,
    CapturePayment,
    ConfirmCheckout,
    CreatePayment,
    LookAgain,
    MarkPayment,
    ProviderEventReceived,
    RefundPayment,
    RegisterOrder,
    ResolveFlag,
)
from shared.privacy.erasures import blank_late

COMMAND_CATALOGUE = Catalogue(*COMMANDS)
ORDER_CATALOGUE = Catalogue(OrderPlaced, OrderCancelled)
WEBHOOK_CATALOGUE = Catalogue(ProviderEventReceived)

Handler = Callable[[Payment, Any, Asker, datetime, Policy], Decision[Payment]]
ResultHandler = Callable[[Payment, Any, datetime, Policy], Decision[Payment]]

COMMAND_HANDLERS: dict[type[Message], Handler] = {
    RegisterOrder: lambda p, m, a, now, policy: orders.place_order(p, m.order, a, now, policy),
    CancelOrder: orders.cancel_order,
    CreatePayment: attempts.create_payment,
    ConfirmCheckout: facts.confirm_checkout,
    CapturePayment: captures.capture_payment,
    RefundPayment: refunds.refund_payment,
    MarkPayment: people.mark_payment,
    ResolveFlag: people.resolve_flag,
    LookAgain: facts.look_again,
    OrderPlaced: orders.place_order,
    OrderCancelled: lambda p, m, a, now, policy: orders.cancel_order(
        p, CancelOrder(order_id=m.order_id, reason=m.reason), a, now, policy
    ),
}

RESULT_HANDLERS: dict[type[Message], ResultHandler] = {
    AttemptOpened: attempts.attempt_opened,
    AttemptRefused: attempts.attempt_refused,
    AttemptUnanswered: attempts.attempt_unanswered,
    Looked: facts.looked,
    CaptureEnded: captures.capture_ended,
    CaptureUnanswered: captures.capture_unanswered,
    RefundEnded: refunds.refund_ended,
    RefundUnanswered: refunds.refund_unanswered,
    CancelEnded: facts.cancel_ended,
    LapseDue: facts.lapse_due,
    CloseDue: lambda p, _, now, policy: facts.close_due(p, now, policy),
}


def _check_subject(incoming: Incoming) -> None:
    """Raises Rejected when a message is about another order than its key says: whose it is, nobody knows."""
    message = incoming.message
    named = message.order if isinstance(message, RegisterOrder) else message
    if (order_id := getattr(named, "order_id", "")) != incoming.envelope.subject:
        detail = f"the message is about {order_id!r:.60}, its key says {incoming.envelope.subject!r:.60}"
        raise Rejected("wrong-subject", detail)


# How long to wait before a webhook that fits no order is tried again: our own commit may still be on its way.
MATCH_AFTER_S = (0.2, 1.0, 5.0, 30.0, 300.0, 3600.0)
MATCH = 40  # task priority


@dataclass(frozen=True, slots=True)
class Handlers:
    """Decides messages with the rules of `domain`, under one policy and the providers' present health."""

    policy: Policy
    webhooks: Webhooks
    match_after_s: tuple[float, ...] = MATCH_AFTER_S
    unhealthy: Callable[[], frozenset[str]] = frozenset

    def decide(self, payment: Payment, incoming: Incoming, now: datetime) -> Decision[Payment]:
        """The decision on one message for one order."""
        message, policy = incoming.message, self._policy()
        if isinstance(message, ProviderEventReceived):
            content = self.webhooks.content(message)
            decision = facts.webhook_received(payment, message.provider, content, now, policy)
            if payment.erased and incoming.task_id is not None:  # kept raw while nobody knew whose it is
                return replace(decision, tasks=(*decision.tasks, blank_late(payment.order_id)))
            return decision
        if (result := RESULT_HANDLERS.get(type(message))) is not None:
            return result(payment, message, now, policy)
        if incoming.envelope.source == "payments":
            return Decision(payment, outcome="ignored")  # our own OrderPlaced, heard again
        _check_subject(incoming)
        asker = Asker(incoming.envelope.correlationid)
        return COMMAND_HANDLERS[type(message)](payment, message, asker, now, policy)

    def _policy(self) -> Policy:
        unhealthy = self.unhealthy()
        return replace(self.policy, unhealthy=unhealthy) if unhealthy else self.policy

    def unmatched(self, incoming: Incoming) -> Task | None:
        """The task that tries to match a webhook again, or none when it is not ours or was tried enough."""
        message = incoming.message
        if not isinstance(message, ProviderEventReceived) or not self.webhooks.refs(message):
            return None
        tries = incoming.tries
        if tries >= len(self.match_after_s):
            return None
        payload = Rematch(envelope=encode(incoming.envelope), tries=tries + 1).encode()
        delay_s = self.match_after_s[tries]
        return Task("match", f"match:{incoming.envelope.id}", "unmatched", payload, delay_s, MATCH)
