"""The only code of this service that talks to providers. No transaction is open while it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import structlog

from services.payments.breaker import Breakers
from services.payments.guarded import Guarded
from services.payments.handlers import WEBHOOK_CATALOGUE
from services.payments.money_tasks import MoneyPerformers, later
from services.payments.shares import Shares
from services.payments.task_requests import LookRequest, OpenRequest
from shared.envelope import decode
from shared.errors import Malformed, NotFound, OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import (
    AttemptOpened,
    AttemptRefused,
    AttemptUnanswered,
    CloseDue,
    LapseDue,
    Looked,
    Rematch,
    Seen,
)
from shared.messages.payments import ProviderEventReceived
from shared.providers.base import Adapter, OrderRequest
from shared.tasks import Answered, ClaimedTask, Later, Performer

log = structlog.get_logger()

OPEN_CLAIMS_MAX = 6  # about 15 s of a provider that does nothing; then the buyer may try again
ASK_OWNER_AFTER = 3  # tries; by then our own commit is long done

SLOTS = {
    "capture": 4,
    "refund": 4,
    "open_order": 8,
    "look": 6,
    "cancel": 2,
    "match": 4,
    "close": 4,
    "lapse": 2,
}  # fmt: skip - calls at once


@dataclass(frozen=True, slots=True)
class Performers:
    """Carries out the tasks of this service with the configured adapters, each call under its circuit."""

    adapters: Mapping[str, Adapter]
    order_of_reference: Callable[[str, str, str], Awaitable[str | None]]
    time_scale: float = 1.0
    breakers: Breakers = field(default_factory=Breakers)

    @property
    def money(self) -> MoneyPerformers:
        return MoneyPerformers(self.adapters, self.time_scale, self.breakers)

    def table(self) -> dict[str, Performer]:
        shares = Shares(SLOTS, len(self.adapters))
        calls: dict[str, Performer] = {
            "open_order": self.open_order,
            "look": self.look,
            "capture": self.money.capture,
            "refund": self.money.refund,
            "cancel": self.money.cancel,
        }
        ours: dict[str, Performer] = {"match": self.match, "close": self.close, "lapse": self.lapse}
        return {kind: shares.limited(performer) for kind, performer in calls.items()} | ours

    def _at(self, provider: str, operation: str) -> Guarded:
        return Guarded(self.adapters[provider], self.breakers.circuit(provider, operation))

    async def open_order(self, task: ClaimedTask) -> Answered | Later:
        """Creates the provider's order, once. After any earlier try it is looked up by our reference."""
        request = msgspec.json.decode(task.payload, type=OpenRequest)
        adapter = self._at(request.provider, "open_order")
        order_id, attempt_id = request.order_id, request.attempt_id
        try:
            fact = None
            wanted = OrderRequest(
                reference=request.attempt_id,
                order_id=request.order_id,
                amount=request.amount,
                currency=request.currency,
                asked_at=request.asked_at,
                capture_automatically=request.capture_automatically,
                tries=request.tries,
            )
            if request.lookup_first or request.only_look or not task.first:
                fact = await adapter.find_order(wanted)
            if fact is None and request.only_look:
                return Answered(
                    AttemptUnanswered(order_id=order_id, attempt_id=attempt_id, tries=request.tries)
                )
            if fact is None:
                fact = await adapter.open_order(wanted)
        except Rejected as refused:
            said_no = AttemptRefused(
                order_id=order_id, attempt_id=attempt_id, code=refused.code, detail=refused.detail
            )
            return Answered(said_no)
        except OutcomeUnknown as unknown:
            log.warning("an order may exist; looking it up", order_id=order_id, error=unknown.detail)
            unanswered = AttemptUnanswered(order_id=order_id, attempt_id=attempt_id, tries=request.tries)
            return Answered(unanswered)
        except (Unavailable, Malformed) as error:
            if task.claims >= OPEN_CLAIMS_MAX and not request.lookup_first:
                gave_up = AttemptRefused(
                    order_id=order_id, attempt_id=attempt_id, code="provider-unavailable", detail=error.detail
                )
                return Answered(gave_up)
            return later(task, error, self.time_scale)
        return Answered(AttemptOpened(order_id=order_id, attempt_id=attempt_id, fact=fact))

    async def look(self, task: ClaimedTask) -> Answered | Later:
        """Reads one attempt at its provider. What the provider does not know, shows nothing: no fact."""
        request = msgspec.json.decode(task.payload, type=LookRequest)
        try:
            seen = await self._at(request.provider, "look").read(request.provider_order_id)
        except NotFound as unknown:  # looked at for ever, its order would never close, and nobody be told
            log.warning(
                "a provider does not know an order of ours: are these the keys of another account?",
                provider=request.provider, order_id=request.order_id, error=unknown.detail,
            )  # fmt: skip
            seen = Seen()
        except (Unavailable, OutcomeUnknown, Malformed, Rejected) as error:
            return later(task, error, self.time_scale)
        looked = {
            "order_id": request.order_id,
            "attempt_id": request.attempt_id,
            "reason": request.reason,
            "seen": seen,
            "verify": request.verify,
            "round": request.round,
        }
        return Answered(msgspec.convert(looked, Looked, from_attributes=True))

    async def match(self, task: ClaimedTask) -> Answered | Later:
        """Brings a webhook back that fitted no order; late in its life, the provider is asked whose it is."""
        rematch = msgspec.json.decode(task.payload, type=Rematch)
        message = WEBHOOK_CATALOGUE.decode(decode(rematch.envelope))
        if isinstance(message, ProviderEventReceived) and rematch.tries >= ASK_OWNER_AFTER:
            found = await self._owner(message)
            if found is not None:
                return Answered(found)
        return Answered(rematch)

    async def _owner(self, message: ProviderEventReceived) -> AttemptOpened | None:
        """Our attempt behind a provider's order, by the reference that our secret set there."""
        adapter = self.adapters[message.provider]
        try:
            provider_order_id = adapter.read_webhook(message.body).provider_order_id
            if provider_order_id is None:
                return None
            fact = await self._at(message.provider, "look").read_order(provider_order_id)
        except (Unavailable, OutcomeUnknown, Malformed, Rejected) as error:
            log.warning("the owner of a webhook could not be asked for", error=error.detail)
            return None
        order_id = await self.order_of_reference(adapter.name, adapter.account, fact.reference)
        if order_id is None:
            return None
        return AttemptOpened(order_id=order_id, attempt_id=fact.reference, fact=fact, look_now=True)

    async def close(self, task: ClaimedTask) -> Answered | Later:
        """The order's time is over; the rules decide what that means."""
        return Answered(CloseDue(order_id=task.subject))

    async def lapse(self, task: ClaimedTask) -> Answered | Later:
        """An authorisation will lapse soon; the rules decide whether anybody has to know."""
        return Answered(msgspec.json.decode(task.payload, type=LapseDue))
