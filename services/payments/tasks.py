"""The only code of this service that talks to providers. No transaction is open while it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog

from services.payments.handlers import WEBHOOK_CATALOGUE
from shared.envelope import decode
from shared.errors import Malformed, OutcomeUnknown, Rejected, Unavailable
from shared.messages.facts import (
    AttemptOpened,
    AttemptRefused,
    AttemptUnanswered,
    CaptureEnded,
    CloseDue,
    Looked,
    Rematch,
)
from shared.messages.payments import ProviderEventReceived
from shared.providers.base import Adapter, CaptureRequest, OrderRequest
from shared.tasks import Answered, ClaimedTask, Later, Performer

log = structlog.get_logger()

OPEN_CLAIMS_MAX = 6  # about 15 s of a provider that does nothing; then the buyer may try again
BACKOFF_MAX_S = 60.0
ASK_OWNER_AFTER = 3  # tries; by then our own commit is long done

SLOTS = {"capture": 4, "open_order": 8, "look": 6, "match": 4, "close": 4}  # calls at once


class OpenRequest(msgspec.Struct, frozen=True):
    order_id: str
    attempt_id: str
    provider: str
    amount: int
    currency: str
    asked_at: datetime
    capture_automatically: bool
    lookup_first: bool
    tries: int


class LookRequest(msgspec.Struct, frozen=True):
    order_id: str
    attempt_id: str
    provider: str
    provider_order_id: str
    reason: str
    round: int = 0
    verify: int = 0


class CaptureTask(msgspec.Struct, frozen=True):
    order_id: str
    provider: str
    provider_order_id: str
    charge_id: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Performers:
    """Carries out the tasks of this service with the configured adapters."""

    adapters: Mapping[str, Adapter]
    order_of_reference: Callable[[str, str, str], Awaitable[str | None]]
    time_scale: float = 1.0

    def table(self) -> dict[str, Performer]:
        return {
            "open_order": self.open_order,
            "look": self.look,
            "capture": self.capture,
            "match": self.match,
            "close": self.close,
        }

    async def open_order(self, task: ClaimedTask) -> Answered | Later:
        """Creates the provider's order, once. After any earlier try it is looked up by our reference."""
        request = msgspec.json.decode(task.payload, type=OpenRequest)
        adapter = self.adapters[request.provider]
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
            if request.lookup_first or not task.first:
                fact = await adapter.find_order(wanted)
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
            return self._later(task, error)
        return Answered(AttemptOpened(order_id=order_id, attempt_id=attempt_id, fact=fact))

    async def look(self, task: ClaimedTask) -> Answered | Later:
        """Reads one attempt at its provider."""
        request = msgspec.json.decode(task.payload, type=LookRequest)
        try:
            seen = await self.adapters[request.provider].read(request.provider_order_id)
        except (Unavailable, OutcomeUnknown, Malformed, Rejected) as error:
            return self._later(task, error)
        looked = {
            "order_id": request.order_id,
            "attempt_id": request.attempt_id,
            "reason": request.reason,
            "seen": seen,
            "verify": request.verify,
            "round": request.round,
        }
        return Answered(msgspec.convert(looked, Looked, from_attributes=True))

    async def capture(self, task: ClaimedTask) -> Answered | Later:
        """Takes an authorisation. It is read first, each time: Razorpay's capture knows no key."""
        request = msgspec.json.decode(task.payload, type=CaptureTask)
        adapter = self.adapters[request.provider]
        refused = ""
        try:
            charge = await adapter.read_charge(request.charge_id)
            if charge.state == "authorized":
                try:
                    charge = await adapter.capture(
                        CaptureRequest(
                            key=f"capture-{request.charge_id}",
                            provider_order_id=request.provider_order_id,
                            charge_id=request.charge_id,
                            amount=request.amount,
                            currency=request.currency,
                            authorized=request.amount,
                        )
                    )
                except Rejected as error:
                    refused = error.detail
                    charge = await adapter.read_charge(request.charge_id)
        except (Unavailable, OutcomeUnknown, Malformed, Rejected) as error:
            return self._later(task, error)
        result = CaptureEnded(
            order_id=request.order_id, provider=request.provider, charge=charge, refused=refused
        )
        return Answered(result)

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
            fact = await adapter.read_order(provider_order_id)
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

    def _later(self, task: ClaimedTask, error: Unavailable | OutcomeUnknown | Malformed | Rejected) -> Later:
        delay_s = min(BACKOFF_MAX_S, 0.5 * 2.0 ** min(task.claims, 10)) / self.time_scale
        return Later(delay_s, f"{error.code}: {error.detail}"[:200])
