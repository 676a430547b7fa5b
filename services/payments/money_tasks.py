"""The calls that move money. Each is looked up first when an earlier try may have done it already."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import structlog

from services.payments.breaker import Breakers
from services.payments.guarded import Guarded
from services.payments.task_requests import CancelTask, CaptureTask, RefundTask
from shared.errors import Malformed, OutcomeUnknown, PaystreamError, Rejected, Unavailable
from shared.messages.facts import (
    CancelEnded,
    CaptureEnded,
    CaptureUnanswered,
    ChargeFact,
    RefundEnded,
    RefundFact,
    RefundUnanswered,
)
from shared.providers.base import Adapter, CaptureRequest, RefundRequest
from shared.tasks import Answered, ClaimedTask, Later

log = structlog.get_logger()

BACKOFF_MAX_S = 60.0


def later(task: ClaimedTask, error: PaystreamError, time_scale: float) -> Later:
    """The same task again, after a pause that doubles."""
    delay_s = min(BACKOFF_MAX_S, 0.5 * 2.0 ** min(task.claims, 10)) / time_scale
    return Later(delay_s, f"{error.code}: {error.detail}"[:200])


@dataclass(frozen=True, slots=True)
class MoneyPerformers:
    """Captures, refunds and cancels with the configured adapters."""

    adapters: Mapping[str, Adapter]
    time_scale: float = 1.0
    breakers: Breakers = field(default_factory=Breakers)

    def _at(self, provider: str, operation: str) -> Guarded:
        return Guarded(self.adapters[provider], self.breakers.circuit(provider, operation))

    async def capture(self, task: ClaimedTask) -> Answered | Later:
        """Takes an authorisation, or what a buyer approved. It is read first, each time."""
        request = msgspec.json.decode(task.payload, type=CaptureTask)
        adapter = self._at(request.provider, "capture")
        try:
            charge = await _taken(adapter, request)
            if charge is None or charge.state == "authorized":
                charge = await adapter.capture(_capture(request))
        except Rejected as refused:
            return await self._refused(task, adapter, request, refused)
        except OutcomeUnknown as unknown:
            return self._capture_unanswered(request, unknown)
        except (Unavailable, Malformed) as error:
            return later(task, error, self.time_scale)
        return Answered(_ended(request, charge))

    async def _refused(
        self, task: ClaimedTask, adapter: Guarded, request: CaptureTask, refused: Rejected
    ) -> Answered | Later:
        """The provider says no. What it says of the charge now is the fact; a decline has one of its own."""
        if request.number and refused.code == "instrument-declined":
            return Answered(_ended(request, _declined(request, refused), refused.detail))
        try:
            charge = await _taken(adapter, request)
        except PaystreamError as error:
            return later(task, error, self.time_scale)
        return Answered(_ended(request, charge, refused.detail))

    def _capture_unanswered(self, request: CaptureTask, unknown: OutcomeUnknown) -> Answered:
        log.warning("a capture may have happened", order_id=request.order_id, error=unknown.detail)
        return Answered(
            CaptureUnanswered(
                order_id=request.order_id,
                provider=request.provider,
                charge_id=request.charge_id,
                attempt_id=request.attempt_id,
                number=request.number,
                tries=request.tries,
            )
        )

    async def refund(self, task: ClaimedTask) -> Answered | Later:
        """Gives money back, under the refund's own id. After any earlier try it is looked for first."""
        request = msgspec.json.decode(task.payload, type=RefundTask)
        adapter = self._at(request.provider, "refund")
        order_id, refund_id = request.order_id, request.refund_id
        fact = None
        try:
            wanted = _refund(request)
            if request.tries or not task.first:
                fact = await _done_before(adapter, wanted)
            if fact is None:
                fact = await adapter.refund(wanted)
        except Rejected as refused:
            ended = RefundEnded(
                order_id=order_id, provider=request.provider, refund_id=refund_id, refused=refused.detail
            )
            return Answered(ended)
        except OutcomeUnknown as unknown:
            log.warning("a refund may have happened", order_id=order_id, error=unknown.detail)
            return Answered(RefundUnanswered(order_id=order_id, refund_id=refund_id, tries=request.tries))
        except (Unavailable, Malformed) as error:
            return later(task, error, self.time_scale)
        return Answered(
            RefundEnded(order_id=order_id, provider=request.provider, refund_id=refund_id, fact=fact)
        )

    async def cancel(self, task: ClaimedTask) -> Answered | Later:
        """Closes an order that nobody needs. Too late is no trouble: what it became is read and told."""
        request = msgspec.json.decode(task.payload, type=CancelTask)
        adapter, refused = self._at(request.provider, "cancel"), ""
        try:
            try:
                seen = await adapter.cancel(request.provider_order_id, f"cancel-{request.attempt_id}"[:108])
            except Rejected as error:
                refused = error.detail
                seen = await adapter.read(request.provider_order_id)
        except PaystreamError as error:  # cancelling twice does nothing twice
            return later(task, error, self.time_scale)
        ended = CancelEnded(
            order_id=request.order_id,
            provider=request.provider,
            attempt_id=request.attempt_id,
            seen=msgspec.structs.replace(seen, provider_order_id=request.provider_order_id),
            refused=refused,
        )
        return Answered(ended)


async def _taken(adapter: Guarded, request: CaptureTask) -> ChargeFact | None:
    """The charge as it is now; for an approval the one that a capture of it has made, or None."""
    if request.charge_id:
        return await adapter.read_charge(request.charge_id)
    charges = (await adapter.read(request.provider_order_id)).charges
    return next((c for c in charges if c.state in ("captured", "pending")), None)


async def _done_before(adapter: Guarded, wanted: RefundRequest) -> RefundFact | None:
    """The refund that an earlier try made. A look that is refused does not say that there is none."""
    try:
        return await adapter.find_refund(wanted)
    except Rejected as refused:
        raise OutcomeUnknown(refused.code, f"it cannot be looked up: {refused.detail}") from refused


def _ended(request: CaptureTask, charge: ChargeFact | None, refused: str = "") -> CaptureEnded:
    return CaptureEnded(
        order_id=request.order_id,
        provider=request.provider,
        charge=charge,
        refused=refused,
        attempt_id=request.attempt_id,
        number=request.number,
    )


def _declined(request: CaptureTask, refused: Rejected) -> ChargeFact:
    """A decline that made no charge at the provider is one of the attempt, numbered by approval."""
    return ChargeFact(
        charge_id=f"{request.provider_order_id}-{request.number}",
        provider_order_id=request.provider_order_id,
        state="failed",
        amount=request.amount,
        currency=request.currency,
        failure="instrument_declined",
        failure_text=refused.detail,
    )


def _capture(request: CaptureTask) -> CaptureRequest:
    return CaptureRequest(
        key=request.key,
        provider_order_id=request.provider_order_id,
        charge_id=request.charge_id,
        amount=request.amount,
        currency=request.currency,
        authorized=request.authorized,
    )


def _refund(request: RefundTask) -> RefundRequest:
    return RefundRequest(
        key=request.refund_id,
        order_id=request.order_id,
        provider_order_id=request.provider_order_id,
        charge_id=request.charge_id,
        amount=request.amount,
        currency=request.currency,
        reason=request.reason,
    )
